//! What becomes of work on its way.

/// Of the work of one call: what its body does, or what befalls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    Straight,
    /// The last part in a nested call.
    Nested,
    /// A nested call that works and fails is forgiven.
    Undone,
    /// A statement that fails in any case, and whatever else fails behind it, is ignored.
    Swallows,
    /// The last part in a call that joins the session and fails, and nobody looks.
    Joined,
    /// A statement that takes longer than a poll is dropped, and nobody looks what became of it.
    Hasty,
    Fails,
    Panics,
    /// The call is dropped.
    Dropped,
    /// The call has a deadline that it hardly keeps.
    Late,
}

impl Course {
    /// How often a call is polled that may be dropped `after` so many polls.
    pub(crate) fn polls(self, after: usize) -> usize {
        if self == Self::Dropped {
            after
        } else {
            usize::MAX
        }
    }
}
