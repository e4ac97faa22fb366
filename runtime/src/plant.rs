//! Bugs that `cargo xtask torture --plant NAME` puts into the product, to show that its campaigns catch them. Private:
//! without the feature `__plant` there are none, and asking costs nothing.

#![cfg_attr(
    not(feature = "__plant"),
    allow(unreachable_pub, reason = "the feature makes it public")
)]

/// A bug. One at most is planted, for the whole of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Plant {
    /// A connection goes back to the pool without a rollback or proof.
    LeaseUnproven = 1,
    /// A session is committed although an error has doomed it.
    DoomIgnored,
    /// What may have been applied is tried again.
    UnknownRetried,
    /// BEGIN belongs to whoever waits for it, and is forgotten with him.
    BeginNotOwned,
    /// A dropped statement is cancelled when its connection may serve somebody else.
    CancelLate,
    /// Any answer to a control statement is taken for the one that was hoped for.
    AnswerTaken,
    /// A rollback is waited for as long as the server takes.
    RollbackUnbounded,
    /// What tells whether a connection's runtime still runs stays behind when the connection goes.
    TaskForgotten,
}

#[cfg(feature = "__plant")]
mod planted {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Plant;

    static PLANTED: AtomicU8 = AtomicU8::new(0);

    impl Plant {
        /// All of them.
        pub const ALL: [Self; 8] = [
            Self::LeaseUnproven,
            Self::DoomIgnored,
            Self::UnknownRetried,
            Self::BeginNotOwned,
            Self::CancelLate,
            Self::AnswerTaken,
            Self::RollbackUnbounded,
            Self::TaskForgotten,
        ];

        /// Its name on the command line.
        pub fn name(self) -> &'static str {
            match self {
                Self::LeaseUnproven => "lease-unproven",
                Self::DoomIgnored => "doom-ignored",
                Self::UnknownRetried => "unknown-retried",
                Self::BeginNotOwned => "begin-not-owned",
                Self::CancelLate => "cancel-late",
                Self::AnswerTaken => "answer-taken",
                Self::RollbackUnbounded => "rollback-unbounded",
                Self::TaskForgotten => "task-forgotten",
            }
        }
    }

    /// Plants a bug in this process, in the place of any other.
    pub fn plant(plant: Plant) {
        PLANTED.store(plant as u8, Ordering::Relaxed);
    }

    pub(crate) fn planted(plant: Plant) -> bool {
        PLANTED.load(Ordering::Relaxed) == plant as u8
    }
}

#[cfg(feature = "__plant")]
pub use planted::plant;
#[cfg(feature = "__plant")]
pub(crate) use planted::planted;

#[cfg(not(feature = "__plant"))]
pub(crate) const fn planted(_plant: Plant) -> bool {
    false
}
