//! Transactions that each come before the other.

use super::*;

#[test]
fn g0_writes_that_cross() {
    let history = [
        committed(&[append(1, 10), append(2, 11)]),
        committed(&[append(1, 20), append(2, 21)]),
    ];
    assert_bad(&ALL, &history, &[(1, &[10, 20]), (2, &[21, 11])], "G0, ");
    assert_good(&ALL, &history, &[(1, &[10, 20]), (2, &[11, 21])]);
}

#[test]
fn g0_against_the_order_in_time() {
    let history = [at(1, 2, &[append(1, 10)]), at(3, 4, &[append(1, 20)])];
    assert_bad(&ALL, &history, &[(1, &[20, 10])], "G0, ");
}

#[test]
fn g1c_each_has_read_the_other() {
    let history = [
        committed(&[append(1, 10), read(2, &[20])]),
        committed(&[append(2, 20), read(1, &[10])]),
    ];
    assert_bad(&ALL, &history, &[(1, &[10]), (2, &[20])], "G1c, ");
}

#[test]
fn g_single_a_lost_update() {
    let history = [
        committed(&[read(1, &[]), append(1, 10)]),
        committed(&[read(1, &[]), append(1, 20)]),
    ];
    let lists: [(Key, &[Value]); 1] = [(1, &[10, 20])];
    assert_bad(
        &[SNAPSHOT, SERIALIZABLE, STRICT],
        &history,
        &lists,
        "G-single, ",
    );
    assert_good(&[READ_COMMITTED, LOOSE], &history, &lists);
}

#[test]
fn g_single_half_of_another() {
    let history = [
        committed(&[append(1, 10), append(2, 11)]),
        committed(&[read(1, &[10]), read(2, &[])]),
    ];
    let lists: [(Key, &[Value]); 2] = [(1, &[10]), (2, &[11])];
    assert_bad(
        &[SNAPSHOT, SERIALIZABLE, STRICT],
        &history,
        &lists,
        "G-single, ",
    );
    assert_good(&[READ_COMMITTED, LOOSE], &history, &lists);
}

#[test]
fn g_nonadjacent_two_readers_that_disagree() {
    let history = [
        committed(&[append(1, 10)]),
        committed(&[append(2, 20)]),
        committed(&[read(1, &[10]), read(2, &[])]),
        committed(&[read(2, &[20]), read(1, &[])]),
    ];
    let lists: [(Key, &[Value]); 2] = [(1, &[10]), (2, &[20])];
    assert_bad(
        &[SNAPSHOT, SERIALIZABLE, STRICT],
        &history,
        &lists,
        "G-nonadjacent, ",
    );
    assert_good(&[READ_COMMITTED, LOOSE], &history, &lists);
}

#[test]
fn g2_write_skew() {
    let history = [
        committed(&[read(1, &[]), append(2, 20)]),
        committed(&[read(2, &[]), append(1, 10)]),
    ];
    let lists: [(Key, &[Value]); 2] = [(1, &[10]), (2, &[20])];
    assert_bad(&[SERIALIZABLE, STRICT], &history, &lists, "G2, ");
    assert_good(&[READ_COMMITTED, LOOSE, SNAPSHOT], &history, &lists);
}

/// Like some serial order, T2 T1 T0 of all: but T0 was over before T2 began.
#[test]
fn an_order_that_is_not_that_of_time() {
    let history = [
        at(1, 10, &[append(1, 10)]),
        at(2, 40, &[read(1, &[]), append(2, 20)]),
        at(20, 30, &[read(2, &[]), append(3, 30)]),
    ];
    let lists: [(Key, &[Value]); 3] = [(1, &[10]), (2, &[20]), (3, &[30])];
    assert_bad(&[STRICT], &history, &lists, "G2, ");
    assert_good(
        &[READ_COMMITTED, LOOSE, SNAPSHOT, SERIALIZABLE],
        &history,
        &lists,
    );
}
