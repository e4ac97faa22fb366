use super::*;
use crate::error::{Error, Integrity};

const UNIQUE: Category = Category::Integrity(Integrity::Unique);
const LONG: Duration = Duration::MAX;

fn plain() -> RetryPolicy {
    RetryPolicy::fixed().base(Duration::from_millis(10))
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn again(wait: u64) -> Decision {
    Decision::Again(millis(wait))
}

fn fails(retrying: &mut Retrying, category: Category, retry: Retry, outcome: Outcome) -> Decision {
    let fault = Fault::of_category(category, Some(outcome));
    let mut failure = retrying.note_fault(Some(&fault), Phase::Body, true);
    failure.known = Some((category, retry));
    retrying.decide(&failure, Duration::ZERO, LONG)
}

#[test]
fn max_counts_the_first_attempt() {
    let mut retrying = Retrying::new(plain().max(3));
    for _ in 0..2 {
        assert_eq!(
            fails(
                &mut retrying,
                Category::Conflict,
                Retry::Yes,
                Outcome::RolledBack
            ),
            again(10)
        );
    }
    let last = fails(
        &mut retrying,
        Category::Conflict,
        Retry::Yes,
        Outcome::RolledBack,
    );
    assert_eq!(last, Decision::GiveUp(Reason::Exhausted));
}

#[test]
fn what_may_have_been_applied_is_never_repeated() {
    let policy = Category::ALL.into_iter().fold(plain(), RetryPolicy::also);
    for category in Category::ALL {
        for retry in [Retry::Yes, Retry::Once, Retry::Never] {
            for outcome in [Outcome::Unknown, Outcome::Committed] {
                let decision = fails(&mut Retrying::new(policy), category, retry, outcome);
                assert_eq!(
                    decision,
                    Decision::GiveUp(Reason::Applied),
                    "{category}, {retry:?}, {outcome}"
                );
            }
        }
    }
}

#[test]
fn an_error_of_ours_in_doubt_is_not_repeated_whatever_the_policy() {
    let mut retrying = Retrying::new(
        plain()
            .also(Category::CommitUnknown)
            .also(Category::Connection),
    );
    let mut error =
        Error::new(Category::Connection, Phase::Commit, "gone").with_outcome(Outcome::Unknown);
    let failure = retrying.note(&mut error, true);
    assert_eq!(retrying.pause_after(&failure, None), None);
}

#[test]
fn once_means_once_for_the_call() {
    let mut retrying = Retrying::new(plain());
    assert_eq!(
        fails(
            &mut retrying,
            Category::Conflict,
            Retry::Once,
            Outcome::NotSent
        ),
        again(10)
    );
    assert_eq!(
        fails(
            &mut retrying,
            Category::Conflict,
            Retry::Yes,
            Outcome::NotSent
        ),
        again(10)
    );
    let second = fails(
        &mut retrying,
        Category::Conflict,
        Retry::Once,
        Outcome::NotSent,
    );
    assert_eq!(second, Decision::GiveUp(Reason::OnceUsed));
}

#[test]
fn a_policy_is_widened_only_to_what_was_named() {
    let mut retrying = Retrying::new(plain().also(UNIQUE));
    assert_eq!(
        fails(&mut retrying, UNIQUE, Retry::Never, Outcome::RolledBack),
        again(10)
    );
    let other = fails(
        &mut retrying,
        Category::Data,
        Retry::Never,
        Outcome::RolledBack,
    );
    assert_eq!(other, Decision::GiveUp(Reason::NotRetryable));
}

#[test]
fn none_gives_up_at_once() {
    let mut retrying = Retrying::new(RetryPolicy::none());
    let decision = fails(
        &mut retrying,
        Category::Conflict,
        Retry::Yes,
        Outcome::RolledBack,
    );
    assert_eq!(decision, Decision::GiveUp(Reason::Exhausted));
}

#[test]
fn a_lost_connection_waits_as_the_pool_does() {
    let mut retrying = Retrying::new(RetryPolicy::immediate());
    let decision = fails(
        &mut retrying,
        Category::Connection,
        Retry::Yes,
        Outcome::NotSent,
    );
    let Decision::Again(wait) = decision else {
        panic!("{decision:?}")
    };
    assert!((millis(100)..=millis(300)).contains(&wait), "{wait:?}");
}

#[test]
fn within_and_the_deadline_bound_the_start_of_the_next_attempt() {
    let decide = |elapsed, left| {
        let mut retrying = Retrying::new(plain().within(millis(50)));
        let fault = Fault::of_category(Category::Conflict, None);
        let failure = retrying.note_fault(Some(&fault), Phase::Body, true);
        retrying.decide(&failure, elapsed, left)
    };
    let out_of_time = Decision::GiveUp(Reason::OutOfTime);
    assert_eq!(decide(millis(40), LONG), again(10));
    assert_eq!(decide(millis(41), LONG), out_of_time);
    assert_eq!(decide(LONG, LONG), out_of_time);
    assert_eq!(decide(millis(1), millis(11)), again(10));
    assert_eq!(decide(millis(1), millis(10)), out_of_time);
}

#[test]
fn a_deadline_that_has_passed_ends_the_call() {
    let mut retrying = Retrying::new(RetryPolicy::immediate());
    let failure = retrying.note(
        &mut Error::new(Category::Conflict, Phase::Body, "they met"),
        true,
    );
    assert_eq!(retrying.pause_after(&failure, Some(Instant::now())), None);
    assert_eq!(
        retrying.pause_after(&failure, Some(Instant::now() + millis(5000))),
        Some(Duration::ZERO)
    );
}

#[test]
fn the_last_error_holds_those_of_all_attempts() {
    let mut retrying = Retrying::new(plain());
    let mut error = Error::new(Category::Conflict, Phase::Commit, "they met");
    let _ = retrying.note(&mut error, true);
    retrying.give_up(&mut error);
    assert!(error.attempts().is_empty(), "one attempt is no history");
    let mut last = Error::new(Category::Data, Phase::Body, "a value does not fit");
    let _ = retrying.note(&mut last, true);
    retrying.give_up(&mut last);
    let history: Vec<_> = last
        .attempts()
        .iter()
        .map(|attempt| (attempt.number(), attempt.category(), attempt.phase()))
        .collect();
    assert_eq!(
        history,
        [
            (1, Category::Conflict, Phase::Commit),
            (2, Category::Data, Phase::Body)
        ]
    );
}

#[test]
fn an_error_of_no_database_is_neither_repeated_nor_recorded() {
    let mut retrying = Retrying::new(Category::ALL.into_iter().fold(plain(), RetryPolicy::also));
    let mut error: Box<dyn std::error::Error + Send + Sync> = "out of stock".into();
    let failure = retrying.note(&mut error, true);
    assert_eq!(retrying.pause_after(&failure, None), None);
    assert!(retrying.errors.is_empty());
}

#[test]
fn without_a_session_doubt_is_not_widened_away() {
    let retrying = || Retrying::new(Category::ALL.into_iter().fold(plain(), RetryPolicy::also));
    let lost = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());

    let mut alone = retrying();
    let failure = alone.note(&mut lost(), false);
    assert_eq!(
        alone.decide(&failure, Duration::ZERO, LONG),
        Decision::GiveUp(Reason::Applied)
    );

    let mut vouched = retrying();
    let failure = vouched.note(&mut lost(), true);
    assert!(matches!(
        vouched.decide(&failure, Duration::ZERO, LONG),
        Decision::Again(_)
    ));
}
