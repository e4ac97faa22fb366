//! What is dropped, how, and over which wire.

use std::fmt;

/// A way to do work on a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Retry,
    Nested,
    Session,
    Begin,
    Stream,
    Hooks,
    Autocommit,
    Lease,
    Pool,
}

impl Form {
    pub(super) const ALL: [Self; 10] = [
        Self::Plain,
        Self::Retry,
        Self::Nested,
        Self::Session,
        Self::Begin,
        Self::Stream,
        Self::Hooks,
        Self::Autocommit,
        Self::Lease,
        Self::Pool,
    ];

    /// How many rows it leaves once it has ended well.
    pub(super) fn rows(self) -> usize {
        if self == Self::Nested { 3 } else { 2 }
    }

    /// Whether some of its first rows may stay without the rest.
    pub(super) fn may_leave_a_part(self) -> bool {
        matches!(self, Self::Autocommit | Self::Pool)
    }

    /// How many bytes at a time its wires pass: one for those that everything else is made of.
    fn trickles(self) -> &'static [usize] {
        match self {
            Self::Plain | Self::Retry | Self::Nested | Self::Begin => &[1],
            _ => &[8, 64],
        }
    }

    fn cuts(self) -> &'static [Cut] {
        match self {
            Self::Plain | Self::Retry => &[Cut::Drop, Cut::Timeout, Cut::Select, Cut::Abort],
            _ => &[Cut::Drop],
        }
    }
}

/// How a call comes to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Right behind a poll.
    Drop,
    /// By `tokio::time::timeout`, after so many milliseconds.
    Timeout,
    /// By `tokio::select!`, whose other branch is ready after so many polls.
    Select,
    /// By `abort` of its task, after so many polls.
    Abort,
}

/// What one call is like at one point after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) form: Form,
    pub(super) cut: Cut,
    /// How many bytes at a time the wire passes; all without a proxy.
    pub(super) trickle: Option<usize>,
    /// Each call has a connection to itself, on which no statement is prepared yet.
    pub(super) is_fresh: bool,
    /// The points are these: the first, and each so many further on.
    pub(super) first: usize,
    pub(super) stride: usize,
}

impl Line {
    /// All lines of a database that has a wire, or of one that has none. With a `stride` one line of several stands for
    /// them; without it each is split, so that it takes no longer than others.
    pub(super) fn all(
        has_wire: bool,
        stride: Option<usize>,
        chance: &mut fastrand::Rng,
    ) -> Vec<Self> {
        let mut lines = Vec::new();
        for form in Form::ALL {
            let straight: &[Option<usize>] = &[None];
            let trickles: Vec<Option<usize>> = form.trickles().iter().copied().map(Some).collect();
            let wires = straight.iter().chain(trickles.iter().filter(|_| has_wire));
            for &trickle in wires {
                for &cut in form.cuts() {
                    for is_fresh in [false, true] {
                        // What takes less than a millisecond no timer cuts; and there are more polls byte by byte.
                        let is_quick = trickle.is_none();
                        let parts = if trickle == Some(1) { 4 } else { 1 };
                        let (firsts, stride) = match stride {
                            Some(stride) if !is_quick => {
                                (chance.usize(1..=stride)..=0, stride * parts)
                            }
                            Some(_) => (1..=0, 2),
                            None => (1..=parts, parts),
                        };
                        let firsts = (*firsts.start())..=(*firsts.end()).max(*firsts.start());
                        lines.extend(firsts.map(|first| Self {
                            form,
                            cut,
                            trickle,
                            is_fresh,
                            first,
                            stride,
                        }));
                    }
                }
            }
        }
        chance.shuffle(&mut lines);
        lines
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.form)?;
        if self.is_fresh {
            formatter.write_str(" on a new connection")?;
        }
        match self.trickle {
            Some(bytes) => write!(formatter, ", {bytes} bytes at a time, {:?}", self.cut),
            None => write!(formatter, ", straight, {:?}", self.cut),
        }
    }
}
