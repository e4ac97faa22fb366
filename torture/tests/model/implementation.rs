//! What the traces do to the implementation and learn of it, in the words of the model.

use steadfast::OperationStats;
use steadfast_tests::support::eventually;
use xtask::proxy::{Fault, Proxy, Sent};

use super::trace::End;
use super::world::Outcome;

/// A session: a new connection asks PostgreSQL who it is in a transaction too.
pub fn begins(sent: &Sent) -> bool {
    let begins = sent.runs("BEGIN") || sent.runs("START TRANSACTION");
    begins && !sent.runs("pg_stat_get_activity")
}

/// What befalls the connection at such an end.
pub async fn arm(proxy: &Proxy, end: End) {
    match end {
        End::Cut => {
            assert!(proxy.cut() > 0);
            // From here on nothing passes.
            eventually("the connections are gone", || async { proxy.cut() == 0 }).await;
        }
        End::CutBeforeCommit => proxy.on(|sent| sent.runs("COMMIT"), Fault::CutBefore),
        End::CutAnswer => proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer),
        End::SilenceAtCommit { arrives: true } => {
            proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldAnswer);
        }
        End::SilenceAtCommit { arrives: false } => {
            proxy.on(|sent| sent.runs("COMMIT"), Fault::HoldBefore);
        }
        End::CutBeforeRollback => proxy.on(|sent| sent.runs("ROLLBACK"), Fault::CutBefore),
        End::DroppedInBegin => proxy.on(begins, Fault::HoldAnswer),
        End::Returns(_) | End::Dropped | End::DroppedInStatement | End::LateInStatement => {}
    }
}

/// How the one call between them has ended.
pub fn ended(before: OperationStats, now: OperationStats) -> Outcome {
    let counts = |stats: OperationStats| {
        [
            stats.not_sent,
            stats.rolled_back,
            stats.committed,
            stats.unknown,
        ]
    };
    let ends = [
        Outcome::NotSent,
        Outcome::RolledBack,
        Outcome::Committed,
        Outcome::Unknown,
    ];
    let counted = counts(before).into_iter().zip(counts(now)).zip(ends);
    let mut more = counted.filter(|((before, now), _)| now > before);
    let Some((_, outcome)) = more.next() else {
        panic!("no end was counted: {now:?}")
    };
    assert!(
        more.next().is_none(),
        "two ends were counted: {before:?}, {now:?}"
    );
    outcome
}

impl From<steadfast::Outcome> for Outcome {
    fn from(outcome: steadfast::Outcome) -> Self {
        match outcome {
            steadfast::Outcome::NotSent => Self::NotSent,
            steadfast::Outcome::RolledBack => Self::RolledBack,
            steadfast::Outcome::Committed => Self::Committed,
            _ => Self::Unknown,
        }
    }
}
