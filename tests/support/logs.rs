//! Everything that is logged on one thread, to look at afterwards.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
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

/// Captures what this thread logs until the guard is dropped.
pub fn capture() -> (Logs, DefaultGuard) {
    let logs = Logs::default();
    let subscriber = tracing_subscriber::registry().with(logs.clone());
    (logs, tracing::subscriber::set_default(subscriber))
}

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

impl<S: Subscriber> Layer<S> for Logs {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        self.push(
            attributes.metadata(),
            attributes.metadata().name(),
            true,
            fields,
        );
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(line) = self.0.lock().unwrap().last_mut() {
            line.fields.extend(fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields
            .0
            .iter()
            .find(|(name, _)| name == "message")
            .map_or(String::new(), |(_, message)| message.clone());
        self.push(event.metadata(), &message, false, fields);
    }
}

impl Logs {
    fn push(&self, metadata: &tracing::Metadata<'_>, name: &str, is_span: bool, fields: Fields) {
        self.0.lock().unwrap().push(Line {
            target: metadata.target().to_owned(),
            level: *metadata.level(),
            name: name.to_owned(),
            is_span,
            fields: fields.0,
        });
    }
}
