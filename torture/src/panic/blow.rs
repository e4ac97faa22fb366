//! What is thrown on purpose.

use std::any::Any;
use std::panic::{panic_any, resume_unwind};
use std::sync::Once;

/// How it is thrown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `panic!("…")`
    Text,
    /// `panic_any(…)`
    Value,
    /// `resume_unwind(…)`, of which no panic hook hears.
    Silent,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Text, Self::Value, Self::Silent];
}

/// One of its kind: that it has arrived is certain by its number alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blow(pub(super) u64);

const TEXT: &str = "blown on purpose: ";

impl Blow {
    pub(super) fn throw(self, kind: Kind) -> ! {
        match kind {
            Kind::Text => panic!("{TEXT}{}", self.0),
            Kind::Value => panic_any(self),
            Kind::Silent => resume_unwind(Box::new(self)),
        }
    }

    pub(super) fn is_thrown(self, payload: &(dyn Any + Send)) -> bool {
        let is_text = |text: &String| text.strip_prefix(TEXT) == Some(&self.0.to_string());
        payload.downcast_ref() == Some(&self) || payload.downcast_ref().is_some_and(is_text)
    }
}

/// Keeps what is thrown on purpose out of the output; any other panic is to be seen.
pub(super) fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_text = |text: &String| text.starts_with(TEXT);
            let payload = info.payload();
            if !payload.is::<Blow>() && !payload.downcast_ref().is_some_and(is_text) {
                loud(info);
            }
        }));
    });
}
