//! Everything that is logged on one thread, to look at afterwards.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// An event, or the opening of a span.
#[derive(Clone, Debug)]
pub struct Line {
    pub target: String,
    pub level: Level,
    /// The span's name; of an event its message.
    pub name: String,
    pub is_span: bool,
    /// The fields in order.
    pub fields: Vec<(String, String)>,
}

impl Line {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What was logged since the capture began, at every level and from every crate.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<Line>>>);

impl Logs {
    pub fn lines(&self) -> Vec<Line> {
        self.0.lock().unwrap().clone()
    }

    /// The events of one target that have this value in a field.
    pub fn events(&self, target: &str, field: &str, value: &str) -> Vec<Line> {
        self.lines()
            .into_iter()
            .filter(|line| {
                !line.is_span && line.target == target && line.field(field) == Some(value)
            })
            .collect()
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.lines() {
            writeln!(text, "{line:?}").unwrap();
        }
        text
    }
}

thread_local! {
    static CAPTURED: RefCell<Option<Logs>> = const { RefCell::new(None) };
}

/// Captures what this thread logs until the guard is dropped.
pub fn capture() -> (Logs, Capture) {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Captures))
            .unwrap();
    });
    let logs = Logs::default();
    CAPTURED.set(Some(logs.clone()));
    (logs, Capture(()))
}

/// The thread's logs are captured while this lives.
pub struct Capture(());

impl Drop for Capture {
    fn drop(&mut self) {
        CAPTURED.set(None);
    }
}

/// Gives every thread its own logs.
///
/// One for the whole process: with one of its own for each capture, `tracing` asks only the thread
/// that comes first whether a place that logs is of interest, and remembers a no for all others.
struct Captures;

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name().to_owned(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push((field.name().to_owned(), format!("{value:?}")));
    }
}

impl<S: Subscriber> Layer<S> for Captures {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>, _: Context<'_, S>) -> bool {
        CAPTURED.with_borrow(Option::is_some)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let metadata = attributes.metadata();
        push(metadata, metadata.name(), true, fields);
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        CAPTURED.with_borrow(|logs| {
            let mut lines = logs.as_ref()?.0.lock().unwrap();
            lines.last_mut()?.fields.extend(fields.0);
            Some(())
        });
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields
            .0
            .iter()
            .find(|(name, _)| name == "message")
            .map_or(String::new(), |(_, message)| message.clone());
        push(event.metadata(), &message, false, fields);
    }
}

fn push(metadata: &Metadata<'_>, name: &str, is_span: bool, fields: Fields) {
    let line = Line {
        target: metadata.target().to_owned(),
        level: *metadata.level(),
        name: name.to_owned(),
        is_span,
        fields: fields.0,
    };
    CAPTURED.with_borrow(|logs| {
        if let Some(logs) = logs {
            logs.0.lock().unwrap().push(line);
        }
    });
}
