//! Who uses a connection of plain sqlx next, behind a call that was dropped or blown up: the controls of `cancel` and
//! `panic` count what it meets.

use tokio::time::error::Elapsed;

use crate::report::Report;

/// What became of its write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heir {
    Served,
    Refused,
    /// It waits still for the connection.
    Waits,
}

impl Heir {
    pub(crate) fn of<T>(answer: &Result<sqlx::Result<T>, Elapsed>) -> Self {
        match answer {
            Ok(Ok(_)) => Self::Served,
            Ok(Err(_)) => Self::Refused,
            Err(_) => Self::Waits,
        }
    }

    /// Whether what it wrote is there, and a transaction open that nobody ends, is asked behind its answer.
    pub(crate) fn count(self, report: &Report, is_there: bool, has_open: bool) {
        match self {
            Self::Served => report.count_plain("acknowledged writes lost", u64::from(!is_there)),
            Self::Refused => report.count_plain("refused", 1),
            Self::Waits => report.count_plain("slots held", 1),
        }
        report.count_plain("transactions left open", u64::from(has_open));
    }
}
