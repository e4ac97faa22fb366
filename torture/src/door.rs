//! The ways into a pool.

/// Of those that work on rows which others use too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Once,
    Retried,
    /// Retried, and a lost answer to COMMIT is looked up.
    Verified,
    ByHand,
    /// One statement, in autocommit.
    Pool,
}
