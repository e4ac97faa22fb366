use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;
use crate::error::{Error, Integrity, Kind, Phase};
use crate::operation::Registered;

static INNER: Operation = Operation::new("tests::inner").handles_errors();
static OUTER: Operation = Operation::new("tests::outer").handles_errors();
inventory::submit! { Registered(&INNER) }
inventory::submit! { Registered(&OUTER) }

thread_local! {
    /// What this thread logs, while [`logged`] asks for it.
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Writes every event as a line, for whoever asks on its thread.
///
/// One for the whole process: with one of its own for each test, `tracing` asks only the thread
/// that comes first whether a place that logs is of interest, and remembers a no for all others.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "steadfast::error"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.as_mut().map(|lines| lines.push(line.0)));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "message" {
            let _ = write!(self.0, " {field}={value:?}");
        }
    }
}

fn logged<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        tracing::subscriber::set_global_default(Lines).expect("nothing else listens here");
    });
    LINES.set(Some(Vec::new()));
    let result = work();
    (result, LINES.take().expect("it was asked for above"))
}

fn failed(category: Category) -> Result<(), Error> {
    Err(Error::new(category, Phase::Body, "the secret value"))
}

#[test]
fn an_error_is_named_counted_and_logged_without_its_words() {
    static OPERATION: Operation = Operation::new("tests::named").handles_errors();
    let (result, lines) = logged(|| handle(&OPERATION, failed(Category::Data), |_| None));
    assert_eq!(
        result.expect_err("it stays an error").operation(),
        Some("tests::named")
    );
    assert_eq!(OPERATION.stats().failed(Category::Data), 1);
    assert_eq!(
        lines,
        [r#"WARN operation="tests::named" category="data" outcome="not_sent" attempts=1"#]
    );
}

#[test]
fn success_and_other_errors_pass_unseen() {
    static OPERATION: Operation = Operation::new("tests::unseen").handles_errors();
    let other: Result<(), Box<dyn std::error::Error + Send + Sync>> =
        Err("no database was asked".into());
    let ((ok, other), lines) = logged(|| {
        let ok = handle(&OPERATION, Ok::<_, Error>(7), |_| {
            unreachable!("there is no error")
        });
        (
            ok,
            handle(&OPERATION, other, |_| {
                unreachable!("the arms see database errors alone")
            }),
        )
    });
    assert_eq!(ok.expect("it is a success"), 7);
    assert_eq!(
        other.expect_err("it stays an error").to_string(),
        "no database was asked"
    );
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!(OPERATION.stats().failures().count(), 0);
}

#[test]
fn the_arms_translate() {
    static OPERATION: Operation = Operation::new("tests::arms").handles_errors();
    let unique = Category::Integrity(Integrity::Unique);
    let translate = |category| {
        handle(&OPERATION, failed(category), |fault| {
            fault
                .matches(Kind::Unique, None)
                .then(|| Error::new(Category::Closed, Phase::Body, "translated"))
        })
        .expect_err("it stays an error")
        .category()
    };
    assert_eq!(translate(unique), Category::Closed);
    assert_eq!(translate(Category::Data), Category::Data);
    assert_eq!(
        OPERATION.stats().failed(unique),
        1,
        "what happened is counted, not what it became"
    );
}

#[test]
fn an_error_on_its_way_through_several_operations_is_logged_once_and_keeps_its_origin() {
    let (error, lines) = logged(|| {
        let inner = handle(&INNER, failed(Category::Access), |_| None);
        handle(&OUTER, inner, |_| None).expect_err("it stays an error")
    });
    assert_eq!(error.operation(), Some("tests::inner"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        OUTER.stats().failed(Category::Access),
        1,
        "its call failed too"
    );
}

#[test]
fn an_origin_that_handles_nothing_did_not_log() {
    // Its own: the other tests count on theirs at the same time.
    static OPERATION: Operation = Operation::new("tests::beside").handles_errors();
    let (_, lines) = logged(|| {
        let mut error = Error::new(Category::Access, Phase::Body, "no");
        error.set_operation("tests::without_handling");
        handle(&OPERATION, Err::<(), _>(error), |_| None)
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn the_level_fits_the_category() {
    for (category, expected) in [
        (Category::Programming, Level::ERROR),
        (Category::CommitUnknown, Level::ERROR),
        (Category::Resource, Level::ERROR),
        (Category::Conflict, Level::WARN),
        (Category::Access, Level::WARN),
        (Category::ReadOnly, Level::WARN),
        (Category::Integrity(Integrity::Unique), Level::INFO),
        (Category::NotFound, Level::DEBUG),
    ] {
        assert_eq!(level(category, None), expected, "{category}");
        assert_eq!(
            level(category, Some(Outcome::Unknown)),
            Level::ERROR,
            "{category}"
        );
    }
    let ((), lines) = logged(|| {
        for category in [
            Category::Internal,
            Category::Timeout,
            Category::TooManyRows,
            Category::NotFound,
        ] {
            let _ = handle(&OUTER, failed(category), |_| None);
        }
    });
    let levels: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(levels, ["ERROR", "WARN", "INFO", "DEBUG"]);
}

#[test]
fn a_bare_driver_error_keeps_its_variant() {
    let (result, lines) =
        logged(|| handle(&OUTER, Err::<(), _>(sqlx::Error::RowNotFound), |_| None));
    assert!(matches!(result, Err(sqlx::Error::RowNotFound)));
    assert_eq!(
        lines,
        [r#"DEBUG operation="tests::outer" category="not_found" attempts=1"#]
    );
}
