use std::future::Future;
use std::ops::ControlFlow;
use std::time::Instant;

use super::*;
use crate::error::{Error, Phase};
use crate::isolation::Isolation;

const SECOND: Duration = Duration::from_secs(1);

static LISTED: Operation = Operation::new("tests::listed")
    .options(
        Options::new()
            .isolation(Isolation::Serializable)
            .read_only()
            .timeout(1500),
    )
    .retry(RetryPolicy::fixed().max(3).base(Duration::from_millis(1)))
    .handles_errors();

inventory::submit! { Registered(&LISTED) }

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(future)
}

fn conflict() -> Error {
    Error::new(Category::Conflict, Phase::Body, "two of them met")
}

#[test]
fn a_submitted_operation_is_listed_as_it_was_written() {
    let listed: Vec<_> = operations()
        .filter(|operation| operation.name() == "tests::listed")
        .collect();
    let [operation] = listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!(operation.policy().map(RetryPolicy::max_attempts), Some(3));
    assert!(operation.does_handle_errors());
    let options = operation.session_options();
    assert_eq!(options.begin().isolation, Some(Isolation::Serializable));
    assert_eq!(
        (options.begin().access, options.time_limit()),
        (
            crate::backend::Access::Read,
            Some(Duration::from_millis(1500))
        )
    );
    assert_eq!(
        format!("{operation:?}"),
        r#"Operation { name: "tests::listed", policy: fixed, max 3, base 1 ms, .. }"#
    );
}

#[test]
fn every_ended_call_counts_once() {
    let operation = Operation::new("tests::counted");
    for _ in 0..7 {
        operation.record_started();
    }
    let ends = [
        (Outcome::Committed, false),
        (Outcome::Committed, true),
        (Outcome::RolledBack, false),
        (Outcome::RolledBack, true),
        (Outcome::NotSent, false),
        (Outcome::Unknown, false),
    ];
    for (outcome, nested) in ends {
        operation.record_ended(outcome, nested, None, false, false, SECOND);
    }
    let stats = operation.stats();
    assert_eq!((stats.committed, stats.kept, stats.rolled_back), (1, 1, 2));
    assert_eq!((stats.not_sent, stats.unknown), (1, 1));
    assert_eq!((stats.started, stats.ended(), stats.in_flight()), (7, 6, 1));
    assert_eq!(
        (stats.total_duration, stats.longest_duration),
        (6 * SECOND, SECOND)
    );
}

#[test]
fn failures_and_retries_count_by_category() {
    let operation = Operation::new("tests::failed");
    operation.record_retried(Category::Conflict);
    operation.record_retried(Category::Conflict);
    operation.record_retried(Category::Connection);
    operation.record_ended(
        Outcome::RolledBack,
        false,
        Some(Category::Data),
        false,
        false,
        SECOND,
    );
    let stats = operation.stats();
    assert_eq!(
        (stats.retried, stats.retried_after(Category::Conflict)),
        (3, 2)
    );
    assert_eq!(
        stats.retries().collect::<Vec<_>>(),
        [(Category::Conflict, 2), (Category::Connection, 1)]
    );
    assert_eq!(stats.failures().collect::<Vec<_>>(), [(Category::Data, 1)]);
    assert_eq!(
        (
            stats.failed(Category::Data),
            stats.failed(Category::Conflict)
        ),
        (1, 0)
    );
    let shown = format!("{stats:?}");
    assert!(
        shown.contains(r#"retried: {"conflict": 2, "connection": 1}, failed: {"data": 1}"#),
        "{shown}"
    );
}

#[test]
fn a_failure_that_goes_on_to_handle_is_counted_there() {
    let operation = Operation::new("tests::handled").handles_errors();
    operation.record_ended(
        Outcome::RolledBack,
        false,
        Some(Category::Data),
        false,
        false,
        SECOND,
    );
    assert_eq!(operation.stats().failed(Category::Data), 0);
    operation.record_ended(
        Outcome::RolledBack,
        false,
        Some(Category::Timeout),
        true,
        false,
        SECOND,
    );
    assert_eq!(
        (
            operation.stats().failed(Category::Timeout),
            operation.stats().cancelled
        ),
        (1, 1)
    );
}

#[test]
fn retry_alone_repeats_until_it_succeeds() {
    static OPERATION: Operation = Operation::new("tests::retrying")
        .retry(RetryPolicy::fixed().base(Duration::from_millis(5)));
    let began = Instant::now();
    let mut runs = 0;
    let result = run(async {
        let mut retrying = OPERATION.retrying();
        loop {
            runs += 1;
            let result = if runs < 3 { Err(conflict()) } else { Ok(runs) };
            if let ControlFlow::Break(result) = retrying.finish(result).await {
                break result;
            }
        }
    });
    assert_eq!(result.expect("the third run succeeds"), 3);
    assert!(
        began.elapsed() >= Duration::from_millis(10),
        "both waits were kept"
    );
    let stats = OPERATION.stats();
    assert_eq!((stats.started, stats.not_sent, stats.retried), (1, 1, 2));
    assert_eq!((stats.in_flight(), stats.cancelled), (0, 0));
}

#[test]
fn retry_alone_answers_the_last_error_with_all_attempts() {
    static OPERATION: Operation = Operation::new("tests::exhausted");
    let error = run(async {
        let mut retrying = OPERATION.retrying_with(RetryPolicy::immediate().max(3));
        loop {
            if let ControlFlow::Break(result) = retrying.finish(Err::<(), _>(conflict())).await {
                break result.expect_err("every run fails");
            }
        }
    });
    assert_eq!(
        error
            .attempts()
            .iter()
            .map(crate::error::AttemptError::number)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let stats = OPERATION.stats();
    assert_eq!((stats.retried, stats.failed(Category::Conflict)), (2, 1));
}

#[test]
fn retry_alone_does_not_repeat_what_may_have_been_applied() {
    static OPERATION: Operation = Operation::new("tests::in_doubt").retry(RetryPolicy::immediate());
    let finish = |error| {
        run(async {
            OPERATION
                .retrying()
                .finish(Err::<(), sqlx::Error>(error))
                .await
        })
    };
    let lost = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    assert!(
        finish(sqlx::Error::Io(lost)).is_break(),
        "the statement may have been run"
    );
    assert!(
        finish(sqlx::Error::RowNotFound).is_break(),
        "it will not be found next time"
    );
    assert!(
        finish(sqlx::Error::PoolTimedOut).is_continue(),
        "nothing was sent"
    );
}

#[test]
fn a_call_that_is_dropped_or_panics_is_counted_as_such() {
    static OPERATION: Operation = Operation::new("tests::dropped").retry(RetryPolicy::immediate());
    drop(OPERATION.retrying());
    let panicked = std::panic::catch_unwind(|| {
        let _retrying = OPERATION.retrying();
        panic!("on purpose");
    });
    assert!(panicked.is_err());
    let stats = OPERATION.stats();
    assert_eq!(
        (
            stats.started,
            stats.cancelled,
            stats.panicked,
            stats.in_flight()
        ),
        (2, 1, 1, 0)
    );
}
