//! What is dropped, how, and over which wire.

use std::fmt;

/// A way to do work on a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
            Self::Plain | Self::Retry | Self::Nested | Self::Begin => &[1, 8],
            _ => &[8, 64],
        }
    }

    fn cuts(self) -> &'static [Cut] {
        match self {
            Self::Plain | Self::Retry => &Cut::ALL,
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

impl Cut {
    pub(super) const ALL: [Self; 4] = [Self::Drop, Self::Timeout, Self::Select, Self::Abort];

    /// What calls that ended so are counted as.
    pub(super) fn figure(self) -> &'static str {
        match self {
            Self::Drop => "dropped behind a poll",
            Self::Timeout => "timed out",
            Self::Select => "left by select",
            Self::Abort => "aborted",
        }
    }
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
    /// Those that take every point of every form; straight, and where the database has a wire through a proxy as well.
    pub(super) fn all(has_wire: bool) -> Vec<Self> {
        let mut lines = Vec::new();
        for form in Form::ALL {
            let trickles = form.trickles().iter().copied().map(Some);
            for trickle in [None].into_iter().chain(trickles.filter(|_| has_wire)) {
                for &cut in form.cuts() {
                    for is_fresh in [false, true] {
                        // Byte by byte there are so many points that several share them.
                        let stride = if trickle == Some(1) { 4 } else { 1 };
                        lines.extend((1..=stride).map(|first| Self {
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
        lines
    }

    /// Those that take some points of every form and cut, which ones is left to chance.
    pub(super) fn some(has_wire: bool, chance: &mut fastrand::Rng) -> Vec<Self> {
        let mut lines = Vec::new();
        for form in Form::ALL {
            for &cut in form.cuts() {
                let straight = Self {
                    form,
                    cut,
                    trickle: None,
                    is_fresh: chance.bool(),
                    first: 1,
                    stride: 1,
                };
                lines.push(straight);
                if has_wire {
                    let trickles = if cut == Cut::Drop {
                        form.trickles()
                    } else {
                        &[8]
                    };
                    let trickle = chance.choice(trickles).copied();
                    let stride = if trickle == Some(1) { 48 } else { 6 };
                    lines.push(Self {
                        trickle,
                        is_fresh: chance.bool(),
                        first: chance.usize(1..=stride),
                        stride,
                        ..straight
                    });
                }
            }
        }
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
