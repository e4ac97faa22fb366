//! The checker itself: good histories are passed, and each anomaly is found in a history that shows it.

mod cycles;

use steadfast::Isolation;
use xtask::database::Database;

use super::anomaly::Anomaly;
use super::check::{Lists, check};
use super::guarantee::Guarantee;
use super::transaction::{Fate, Key, Step, Transaction, Value};

const READ_COMMITTED: (Database, Isolation) = (Database::Postgres, Isolation::ReadCommitted);
const SNAPSHOT: (Database, Isolation) = (Database::Postgres, Isolation::RepeatableRead);
const SERIALIZABLE: (Database, Isolation) = (Database::Postgres, Isolation::Serializable);
const STRICT: (Database, Isolation) = (Database::Sqlite, Isolation::Serializable);
const LOOSE: (Database, Isolation) = (Database::MySql, Isolation::RepeatableRead);
const ALL: [(Database, Isolation); 5] = [READ_COMMITTED, LOOSE, SNAPSHOT, SERIALIZABLE, STRICT];

fn append(key: Key, value: Value) -> Step {
    Step::Append(key, value)
}

fn read(key: Key, list: &[Value]) -> Step {
    Step::Read(key, list.to_vec())
}

/// Together with all others that are made so.
fn transaction(fate: Fate, steps: &[Step]) -> Transaction {
    Transaction {
        steps: steps.to_vec(),
        fate,
        called: 0,
        returned: (fate == Fate::Committed).then_some(100),
    }
}

fn committed(steps: &[Step]) -> Transaction {
    transaction(Fate::Committed, steps)
}

/// Between these moments.
fn at(called: u64, returned: u64, steps: &[Step]) -> Transaction {
    Transaction {
        called,
        returned: Some(returned),
        ..committed(steps)
    }
}

fn found(
    (database, level): (Database, Isolation),
    history: &[Transaction],
    lists: &[(Key, &[Value])],
) -> Vec<String> {
    let lists: Lists = lists
        .iter()
        .map(|(key, list)| (*key, list.to_vec()))
        .collect();
    let anomalies = check(history, &lists, Guarantee::of(database, level));
    anomalies.iter().map(Anomaly::to_string).collect()
}

#[track_caller]
fn assert_good(
    levels: &[(Database, Isolation)],
    history: &[Transaction],
    lists: &[(Key, &[Value])],
) {
    for &level in levels {
        let found = found(level, history, lists);
        assert!(found.is_empty(), "{level:?}: {found:?}");
    }
}

#[track_caller]
fn assert_bad(
    levels: &[(Database, Isolation)],
    history: &[Transaction],
    lists: &[(Key, &[Value])],
    anomaly: &str,
) {
    for &level in levels {
        let found = found(level, history, lists);
        assert!(
            found.iter().any(|found| found.starts_with(anomaly)),
            "{level:?}: {found:?}"
        );
    }
}

#[test]
fn a_serial_history_is_good() {
    let history = [
        at(1, 2, &[append(1, 10), append(2, 11)]),
        at(3, 4, &[read(1, &[10]), append(1, 12), read(1, &[10, 12])]),
        at(5, 6, &[read(1, &[10, 12]), read(2, &[11])]),
        transaction(Fate::Aborted, &[append(1, 13), read(1, &[10, 12, 13])]),
        transaction(Fate::Aborted, &[]),
    ];
    assert_good(&ALL, &history, &[(1, &[10, 12]), (2, &[11])]);
}

#[test]
fn what_is_in_doubt_may_be_there_or_not() {
    let history = [
        transaction(Fate::Unknown, &[append(1, 10), append(2, 11)]),
        transaction(Fate::Unknown, &[append(1, 12), append(2, 13)]),
        transaction(Fate::Unknown, &[read(1, &[10])]),
        at(200, 201, &[read(1, &[10])]),
        at(1, 2, &[read(1, &[])]),
    ];
    assert_good(&ALL, &history, &[(1, &[10]), (2, &[11])]);
}

#[test]
fn a_lost_append() {
    let history = [committed(&[append(1, 10)]), committed(&[append(1, 11)])];
    assert_bad(&ALL, &history, &[(1, &[11])], "lost append: 10 of T0");
    assert_bad(&ALL, &history[..1], &[], "lost append: 10 of T0");
}

#[test]
fn a_doubled_append() {
    for fate in [Fate::Committed, Fate::Unknown] {
        let history = [transaction(fate, &[append(1, 10)])];
        assert_bad(
            &ALL,
            &history,
            &[(1, &[10, 10])],
            "doubled append: 10 of T0",
        );
    }
}

#[test]
fn an_aborted_append_that_is_there() {
    let history = [transaction(Fate::Aborted, &[append(1, 10)])];
    assert_bad(&ALL, &history, &[(1, &[10])], "aborted append: 10 of T0");
}

#[test]
fn half_a_transaction() {
    let steps = [append(1, 10), append(2, 11)];
    let history = [transaction(Fate::Unknown, &steps)];
    assert_bad(
        &ALL,
        &history,
        &[(1, &[10])],
        "torn transaction: a part of T0",
    );
    let history = [committed(&steps)];
    assert_bad(&ALL, &history, &[(1, &[10])], "lost append: 11 of T0");
}

#[test]
fn an_append_of_nobody() {
    assert_bad(&ALL, &[], &[(1, &[10])], "10 is in list 1");
    let history = [committed(&[read(1, &[10])])];
    assert_bad(&ALL, &history, &[], "10 is in list 1");
}

#[test]
fn an_aborted_read() {
    for fate in [Fate::Aborted, Fate::Unknown] {
        let history = [
            transaction(fate, &[append(1, 10)]),
            committed(&[read(1, &[10])]),
        ];
        assert_bad(
            &ALL,
            &history,
            &[(1, &[])],
            "G1a, aborted read: T1 has read 10 of T0",
        );
    }
}

#[test]
fn an_intermediate_read() {
    let history = [
        committed(&[append(1, 10), append(1, 11)]),
        committed(&[read(1, &[10])]),
    ];
    assert_bad(
        &ALL,
        &history,
        &[(1, &[10, 11])],
        "G1b, intermediate read: T1 has read 10 of T0",
    );
}

#[test]
fn a_list_that_never_was() {
    let history = [
        committed(&[append(1, 10)]),
        committed(&[append(1, 11)]),
        committed(&[read(1, &[11])]),
    ];
    assert_bad(
        &ALL,
        &history,
        &[(1, &[10, 11])],
        "T2 has read a list 1 that never was",
    );
}

#[test]
fn an_own_append_that_is_not_seen() {
    let history = [committed(&[append(1, 10), read(1, &[])])];
    assert_bad(&ALL, &history, &[(1, &[10])], "T0 does not see its own");
}

#[test]
fn a_read_that_cannot_be_repeated() {
    let history = [
        committed(&[append(1, 10)]),
        committed(&[read(1, &[]), read(1, &[10])]),
    ];
    let lists: [(Key, &[Value]); 1] = [(1, &[10])];
    assert_bad(
        &[LOOSE, SNAPSHOT, SERIALIZABLE, STRICT],
        &history,
        &lists,
        "unrepeatable read",
    );
    assert_good(&[READ_COMMITTED], &history, &lists);
}

#[test]
fn a_read_that_comes_late() {
    let history = [at(1, 2, &[append(1, 10)]), at(3, 4, &[read(1, &[])])];
    assert_bad(
        &ALL,
        &history,
        &[(1, &[10])],
        "stale read: T0 was acknowledged before T1",
    );
    // Side by side it may see it or not.
    let history = [at(1, 3, &[append(1, 10)]), at(2, 4, &[read(1, &[])])];
    assert_good(&ALL, &history, &[(1, &[10])]);
}

#[test]
fn an_anomaly_tells_what_its_transactions_did() {
    let history = [
        committed(&[read(1, &[]), append(1, 10)]),
        committed(&[read(1, &[]), append(1, 20)]),
    ];
    let lists = Lists::from([(1, vec![10, 20])]);
    let (database, level) = STRICT;
    let anomalies = check(&history, &lists, Guarantee::of(database, level));
    let [anomaly] = &anomalies[..] else {
        panic!("{anomalies:?}");
    };
    let told = anomaly.told(&history);
    for part in [
        "T1 does not see T0 in list 1",
        "T0 {read 1: [], append 10 to 1}",
        "T1 {read 1: [], append 20 to 1}",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

/// As many as a campaign makes, in one history.
#[test]
fn long_histories_are_checked_in_time() {
    const TRANSACTIONS: i64 = 20_000;
    let (mut history, mut lists) = (Vec::new(), Lists::new());
    for value in 0..TRANSACTIONS {
        let (key, other) = (value / 40, (value + 1) / 40);
        let list: &mut Vec<Value> = lists.entry(key).or_default();
        let before = list.clone();
        list.push(value);
        let after = lists.get(&other).cloned().unwrap_or_default();
        let moment = value.unsigned_abs() * 2;
        history.push(at(
            moment,
            moment + 1,
            &[
                Step::Read(key, before),
                append(key, value),
                Step::Read(other, after),
            ],
        ));
    }
    let (database, level) = STRICT;
    let began = std::time::Instant::now();
    assert_eq!(check(&history, &lists, Guarantee::of(database, level)), []);
    // Two that have missed each other, far apart: all between them is one component.
    history[0].steps.push(Step::Read(TRANSACTIONS, Vec::new()));
    history[0].steps.push(append(TRANSACTIONS + 1, -1));
    history[19_999].steps.push(append(TRANSACTIONS, -2));
    history[19_999]
        .steps
        .push(Step::Read(TRANSACTIONS + 1, Vec::new()));
    lists.insert(TRANSACTIONS, vec![-2]);
    lists.insert(TRANSACTIONS + 1, vec![-1]);
    assert!(!check(&history, &lists, Guarantee::of(database, level)).is_empty());
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}
