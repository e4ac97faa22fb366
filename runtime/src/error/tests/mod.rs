//! What errors say and keep on their way through other error types.

#[cfg(feature = "sqlite")]
mod constraints;
mod wrapped;

use std::error::Error as StdError;

use super::*;

type Boxed = Box<dyn StdError + Send + Sync>;

fn lost() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))
}

fn unknown() -> Error {
    let error = Error::from_driver(lost(), Phase::Commit);
    assert_eq!(error.outcome(), Outcome::Unknown);
    error
}

#[derive(Debug, thiserror::Error)]
enum Transparent {
    #[error(transparent)]
    Db(#[from] Error),
    #[error(transparent)]
    Driver(#[from] sqlx::Error),
}

#[derive(Debug, thiserror::Error)]
#[error("no such tenant")]
struct Domain;

#[test]
fn one_thin_pointer_that_threads_can_share() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Error>>(), size_of::<usize>());
}

#[test]
fn a_lost_connection_is_in_doubt_at_commit_and_where_no_session_has_told() {
    for (phase, outcome, retryable) in [
        (Phase::Acquire, Outcome::NotSent, true),
        (Phase::Begin, Outcome::NotSent, true),
        (Phase::Body, Outcome::Unknown, false),
        (Phase::Commit, Outcome::Unknown, false),
        (Phase::Rollback, Outcome::NotSent, true),
    ] {
        let error = Error::from_driver(lost(), phase);
        assert_eq!(error.category(), Category::Connection);
        assert_eq!(error.outcome(), outcome, "{phase}");
        assert_eq!(error.is_retryable(), retryable, "{phase}");
        assert_eq!(
            error.node_ref().is_unjudged,
            phase == Phase::Body,
            "{phase}"
        );
    }
    let told = Error::from(lost()).with_outcome(Outcome::NotSent);
    assert!(told.is_retryable() && !told.node_ref().is_unjudged);
}

#[test]
fn what_is_committed_or_in_doubt_is_never_retryable() {
    for (outcome, retryable) in [
        (Outcome::NotSent, true),
        (Outcome::RolledBack, true),
        (Outcome::Committed, false),
        (Outcome::Unknown, false),
    ] {
        let error =
            Error::new(Category::Conflict, Phase::Commit, "lost a race").with_outcome(outcome);
        assert_eq!(error.is_retryable(), retryable, "{outcome}");
        assert_eq!(error.retry() != Some(Retry::Never), retryable, "{outcome}");
    }
}

#[test]
fn errors_of_the_driver_are_judged() {
    #[rustfmt::skip]
    let judged = [
        (lost(), Category::Connection, Retry::Yes, Ends::Connection),
        (sqlx::Error::Tls("no".into()), Category::Connection, Retry::Yes, Ends::Connection),
        (sqlx::Error::WorkerCrashed, Category::Connection, Retry::Yes, Ends::Connection),
        (sqlx::Error::Protocol("out of step".into()), Category::Connection, Retry::Once, Ends::Connection),
        (sqlx::Error::PoolTimedOut, Category::Capacity, Retry::Yes, Ends::Nothing),
        (sqlx::Error::PoolClosed, Category::Closed, Retry::Never, Ends::Nothing),
        (sqlx::Error::RowNotFound, Category::NotFound, Retry::Never, Ends::Nothing),
        (sqlx::Error::Decode("no".into()), Category::Programming, Retry::Never, Ends::Nothing),
        (sqlx::Error::Encode("no".into()), Category::Programming, Retry::Never, Ends::Nothing),
        (sqlx::Error::ColumnNotFound("a".into()), Category::Programming, Retry::Never, Ends::Nothing),
        (sqlx::Error::Configuration("no".into()), Category::Programming, Retry::Never, Ends::Nothing),
        (sqlx::Error::BeginFailed, Category::Internal, Retry::Never, Ends::Connection),
        (sqlx::Error::AnyDriverError("no".into()), Category::Internal, Retry::Never, Ends::Nothing),
    ];
    for (error, category, retry, ends) in judged {
        let verdict = verdict(&error);
        assert_eq!(
            (verdict.category, verdict.retry, verdict.ends),
            (category, retry, ends),
            "{error}"
        );
        assert_eq!(verdict.at_commit, AtCommit::Unknown, "{error}");
    }
}

#[test]
fn an_error_of_ours_comes_out_of_sqlx_as_it_went_in() {
    let travelled = sqlx::Error::from(unknown());
    assert!(matches!(travelled, sqlx::Error::AnyDriverError(_)));
    assert_eq!(Classify::category(&travelled), Some(Category::Connection));
    assert_eq!(Classify::outcome(&travelled), Some(Outcome::Unknown));
    assert_eq!(Summary::of(&travelled).category(), Category::Connection);
    assert_eq!(verdict(&travelled).retry, Retry::Never);

    let back = Error::from(travelled);
    assert_eq!(
        (back.phase(), back.outcome()),
        (Phase::Commit, Outcome::Unknown)
    );
    assert!(matches!(back.as_sqlx(), Some(sqlx::Error::Io(_))));
}

#[test]
fn a_plain_error_of_the_driver_keeps_its_variant() {
    let plain = Error::from(sqlx::Error::RowNotFound);
    assert!(matches!(sqlx::Error::from(plain), sqlx::Error::RowNotFound));

    let mut told = Error::from(sqlx::Error::RowNotFound);
    told.set_operation("bank::transfer");
    assert!(matches!(
        sqlx::Error::from(told),
        sqlx::Error::AnyDriverError(_)
    ));

    let acquired = Error::from_driver(lost(), Phase::Acquire);
    assert!(matches!(
        sqlx::Error::from(acquired),
        sqlx::Error::AnyDriverError(_)
    ));
}

#[test]
fn the_first_source_bears_the_truth_and_the_second_is_the_cause() {
    let error = unknown();
    let node = error.source().expect("the node");
    assert_eq!(
        node.to_string(),
        "category connection, phase commit, outcome unknown"
    );
    assert_eq!(
        Fault::find(node).and_then(|fault| fault.outcome()),
        Some(Outcome::Unknown)
    );
    let cause = node.source().expect("the cause");
    assert!(cause.downcast_ref::<sqlx::Error>().is_some());
}

struct ByHand(Option<Outcome>);

impl Classify for ByHand {
    fn category(&self) -> Option<Category> {
        Some(Category::Conflict)
    }

    fn outcome(&self) -> Option<Outcome> {
        self.0
    }
}

#[test]
fn an_implementation_by_hand_is_followed() {
    assert_eq!(ByHand(None).retry(), Some(Retry::Yes));
    assert_eq!(ByHand(Some(Outcome::RolledBack)).retry(), Some(Retry::Yes));
    assert_eq!(ByHand(Some(Outcome::Unknown)).retry(), Some(Retry::Never));
    assert!(
        ByHand(None)
            .fault()
            .is_some_and(|fault| fault.matches(Kind::Retryable, None))
    );
    assert!(
        ByHand(None)
            .fault()
            .is_some_and(|fault| !fault.matches(Kind::Conflict, Some("x")))
    );
}

#[test]
fn a_doomed_session_repeats_its_first_error() {
    let first = Summary::of(&lost());
    let doomed = Error::doomed(&first, Phase::Commit).with_outcome(Outcome::RolledBack);
    assert_eq!(doomed.category(), Category::Connection);
    assert!(doomed.is_retryable());
    let said = doomed.to_string();
    assert!(
        said.starts_with("the session can only be rolled back because of an earlier error: `"),
        "{said}"
    );
    assert!(said.contains(first.message()), "{said}");

    let fatal = Error::new(Category::Timeout, Phase::Body, "the deadline of 5 s passed");
    let doomed = Error::doomed(&Summary::of_error(&fatal), Phase::Body);
    assert_eq!(doomed.category(), Category::Timeout);
    assert!(!doomed.is_retryable());
    assert!(doomed.to_string().contains("`the deadline of 5 s passed`"));

    let again = Summary::of_error(&doomed);
    assert_eq!(again.message(), "the deadline of 5 s passed");
}

#[test]
fn display_says_what_happened_where_and_what_to_do() {
    let mut error = Error::from_driver(sqlx::Error::RowNotFound, Phase::Body);
    assert_eq!(
        error.to_string(),
        "a row was required and none was found: no rows returned by a query that expected to return at least one row; \
         use `fetch_optional` where a row may be missing"
    );
    error.set_operation("bank::transfer");
    assert!(error.to_string().ends_with(" (in `bank::transfer`)"));

    let mut doubtful = unknown();
    let first = AttemptError::of_fault(
        1,
        &Fault::of_error(&doubtful),
        Phase::Commit,
        Outcome::Unknown,
    );
    assert_eq!(
        (first.number(), first.phase(), first.outcome()),
        (1, Phase::Commit, Outcome::Unknown)
    );
    assert_eq!(
        (first.category(), first.code()),
        (Category::Connection, None)
    );
    doubtful.set_attempts(vec![first.clone(), first]);
    doubtful.set_operation("bank::transfer");
    let said = doubtful.to_string();
    assert!(
        said.starts_with("connection to the database lost or refused at commit: "),
        "{said}"
    );
    assert!(
        said.contains("; whether the work was committed is unknown"),
        "{said}"
    );
    assert!(
        said.ends_with(" (in `bank::transfer`, after 2 attempts)"),
        "{said}"
    );
    assert_eq!(doubtful.attempts().len(), 2);

    let mut there = Error::new(Category::Conflict, Phase::Body, "deadlock");
    there.set_outcome(Outcome::Committed);
    assert_eq!(
        there.to_string(),
        "deadlock; its work, or a part of it, is committed, so look before it is repeated"
    );

    let ours = Error::new(
        Category::Capacity,
        Phase::Acquire,
        "no connection was free within 5 s",
    )
    .with_help("raise the limit");
    assert_eq!(
        ours.to_string(),
        "no connection was free within 5 s; raise the limit"
    );
}

#[test]
fn what_ours_is_caused_by_is_kept() {
    let error = Error::new(Category::Timeout, Phase::Commit, "no answer to COMMIT")
        .with_outcome(Outcome::Unknown)
        .with_source(lost());
    assert_eq!(error.category(), Category::Timeout);
    assert!(matches!(error.as_sqlx(), Some(sqlx::Error::Io(_))));

    let other =
        Error::new(Category::Internal, Phase::Body, "the runtime is gone").with_source(Domain);
    assert!(other.as_sqlx().is_none());
    let cause = other
        .source()
        .and_then(StdError::source)
        .expect("the cause");
    assert!(cause.downcast_ref::<Domain>().is_some());

    let changed = Error::from(sqlx::Error::RowNotFound).with_category(Category::Capacity);
    assert!(changed.is_retryable());
    assert_eq!(Summary::of_error(&changed).category(), Category::Capacity);
}
