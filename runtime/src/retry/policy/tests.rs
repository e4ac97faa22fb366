use super::*;
use crate::error::Integrity;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn the_defaults_are_those_of_the_docs() {
    let shown = [
        (
            RetryPolicy::exponential(),
            "exponential, max 5, base 10 ms, cap 1 s, factor 2, full jitter",
        ),
        (RetryPolicy::fixed(), "fixed, max 5, base 1 s"),
        (RetryPolicy::immediate(), "immediate, max 5"),
        (RetryPolicy::none(), "none"),
    ];
    for (policy, line) in shown {
        assert_eq!(policy.to_string(), line);
    }
    assert_eq!(RetryPolicy::default(), RetryPolicy::exponential());
    assert_eq!(RetryPolicy::none().max_attempts(), 1);
}

#[test]
fn a_line_shows_all_that_was_chosen() {
    const POLICY: RetryPolicy = RetryPolicy::exponential()
        .max(7)
        .base(Duration::from_micros(1500))
        .cap(millis(2500))
        .factor(3)
        .jitter(Jitter::Equal)
        .within(Duration::from_secs(10))
        .also(Category::Timeout)
        .on(&[Kind::Unique]);
    assert_eq!(
        POLICY.to_string(),
        "exponential, max 7, base 1500 us, cap 2500 ms, factor 3, equal jitter, within 10 s, also on unique, timeout"
    );
    let fixed = RetryPolicy::fixed()
        .jitter(Jitter::Full)
        .base(Duration::from_nanos(5))
        .to_string();
    assert_eq!(fixed, "fixed, max 5, base 5 ns, full jitter");
    let plain = RetryPolicy::exponential().jitter(Jitter::None).to_string();
    assert!(plain.ends_with(", no jitter"), "{plain}");
}

#[test]
fn base_and_cap_may_be_set_in_either_order() {
    let first = RetryPolicy::exponential()
        .base(millis(2000))
        .cap(millis(3000));
    assert_eq!(
        first,
        RetryPolicy::exponential()
            .cap(millis(3000))
            .base(millis(2000))
    );
    assert_eq!(first.longest_wait(), millis(3000));
}

#[test]
fn what_was_not_set_gives_way_to_what_was() {
    assert_eq!(
        RetryPolicy::exponential().base(millis(4000)).longest_wait(),
        millis(4000)
    );
    assert_eq!(
        RetryPolicy::exponential().cap(millis(5)).base_wait(),
        millis(5)
    );
    assert_eq!(RetryPolicy::fixed().cap(millis(5)).base_wait(), millis(5));
}

#[test]
fn a_group_widens_to_all_of_its_categories() {
    const POLICY: RetryPolicy = RetryPolicy::exponential().on(&[Kind::Integrity, Kind::Timeout]);
    let widened: Vec<_> = Category::ALL
        .into_iter()
        .filter(|&category| POLICY.is_widened_to(category))
        .collect();
    assert_eq!(widened.len(), 6);
    assert!(POLICY.is_widened_to(Category::Integrity(Integrity::Exclusion)));
    assert!(POLICY.is_widened_to(Category::Timeout));
    assert!(!POLICY.is_widened_to(Category::Conflict));
}

#[test]
#[should_panic = "cannot be `0`; use `1` to run once"]
fn no_attempts_at_all_are_refused() {
    let _ = RetryPolicy::exponential().max(0);
}

#[test]
#[should_panic = "`base` cannot exceed `cap`"]
fn a_base_beyond_the_cap_is_refused() {
    let _ = RetryPolicy::exponential().cap(millis(5)).base(millis(6));
}

#[test]
#[should_panic = "`base` cannot exceed `cap`"]
fn a_cap_below_the_base_is_refused() {
    let _ = RetryPolicy::fixed().base(millis(6)).cap(millis(5));
}

#[test]
#[should_panic = "use `fixed` for equal waits"]
fn a_factor_of_nothing_is_refused() {
    let _ = RetryPolicy::exponential().factor(0);
}

#[test]
#[should_panic = "`none` makes one attempt"]
fn none_takes_no_max() {
    let _ = RetryPolicy::none().max(2);
}
