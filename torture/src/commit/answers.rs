//! Loses exactly the answer to COMMIT, or COMMIT itself: from here both look the same.

use crate::campaign::{Part, attacks};

pub(super) const PARTS: &[Part] = attacks!(Postgres: postgres, MySql: mysql);

/// Proxies side by side, with a pool each: what takes long is to connect anew.
const LANES: u64 = 4;
/// Answers that each of them loses: every way as often, half of them applied.
const TURNS: u64 = 72;
const TURNS_IN_SHORT: u64 = 3;

each_server! {
    use super::{LANES, TURNS, TURNS_IN_SHORT};
    use crate::campaign::Front;
    use crate::commit::entries::{Entries as _, Expected, Way, fresh, open};
    use futures_util::future::join_all;
    use xtask::proxy::{Fault, Proxy, Sent};

    /// The question to the ledger, and not the commit.
    fn asks(sent: &Sent) -> bool {
        sent.runs("steadfast_ledger") && !sent.runs("COMMIT")
    }

    pub(super) async fn attack(front: Front) {
        let front = &front;
        let turns = if front.settings.short { TURNS_IN_SHORT } else { TURNS };
        let all = LANES * turns;
        let (lost, applied, cut, verified) = if front.settings.is_limited() {
            (4, 1, 1, 1)
        } else {
            (all, all / 2, all / 3, all / 3 * 2)
        };
        front.report.expect("answers lost", lost);
        front.report.expect("of them applied", applied);
        front.report.expect("questions cut", cut);
        front.report.expect("verified", verified);
        let place = Place::new().await;
        place.set_up().await;
        join_all((0..LANES).map(|lane| lose_in_lane(front, &place, lane, turns))).await;
        control(front, &place).await;
        place.has_open(0).await;
        let doubled = place.count("(SELECT id FROM entries WHERE id > 0 GROUP BY id HAVING count(*) > 1) AS doubled").await;
        if doubled > 0 {
            front.violation(format_args!("{doubled} entries are applied more than once in the end"));
        }
    }

    async fn lose_in_lane(front: &Front, place: &Place, lane: u64, turns: u64) {
        let proxy = Proxy::before(&place.url).expect("a proxy");
        let pool = open(Pool::builder().primary(proxy.url()).max_connections(1), None).await;
        let mut chance = front.settings.chance(("commit", "answers", NAME, lane));
        for turn in 0..turns {
            if front.is_over() {
                break;
            }
            let is_applied = (turn + lane).is_multiple_of(2);
            let loss = if is_applied { Fault::CutAnswer } else { Fault::CutBefore };
            let (way, question) = match turn % 3 {
                0 => (Way::Blind, None),
                1 => (Way::Verified, Some(if chance.bool() { Fault::CutAnswer } else { Fault::CutBefore })),
                _ => (Way::Verified, None),
            };
            let before = proxy.fired();
            proxy.on(|sent| sent.runs("COMMIT"), loss);
            if let Some(question) = question {
                proxy.on(asks, question);
            }
            let mut told = place.enter(&pool, way, None).await;
            let expected = 1 + u64::from(question.is_some());
            let fired = proxy.fired() - before;
            assert!(fired == expected && proxy.disarm() == 0, "{fired} of {expected} faults have struck: {told:?}");
            told.resolve(front, &pool).await;
            let there = place.there(told.id).await;
            front.report.count("answers lost", 1);
            front.report.count("of them applied", u64::from(told.attempts == 1 && there == 1));
            front.report.count("questions cut", u64::from(question.is_some()));
            let expected = Expected { is_applied: Some(is_applied), may_answer: false, has_ledger: true };
            told.judge(front, format_args!("{loss:?} at COMMIT, {question:?} at the question"), there, expected);
            assert_quiet(&pool);
        }
    }

    /// What plain sqlx says, and what becomes of the work where that is believed.
    async fn control(front: &Front, place: &Place) {
        front.report.expect_plain("applied twice by a second attempt", 1);
        let proxy = Proxy::before(&place.url).expect("a proxy");
        let pool = sqlx::pool::PoolOptions::<Db>::new().max_connections(1).connect(&proxy.url()).await.expect("a pool");
        for loss in [Fault::CutAnswer, Fault::CutBefore] {
            let id = -fresh();
            proxy.on(|sent| sent.runs("COMMIT"), loss);
            let answer = place.enter_plainly(&pool, id).await;
            assert_eq!(proxy.disarm(), 0, "it has struck: {answer:?}");
            front.report.count_plain("answers lost", 1);
            front.report.count_plain("called an I/O error", u64::from(matches!(answer, Err(sqlx::Error::Io(_)))));
            place.enter_plainly(&pool, id).await.expect("the second attempt is let through");
            let there = place.there(id).await;
            front.report.count_plain("applied twice by a second attempt", u64::from(there == 2));
            assert_eq!(there == 2, loss == Fault::CutAnswer, "an answer that is lost tells nothing of the work: {there}");
        }
    }
}
