//! What one call does and suffers, step by step.

use super::world::{Outcome, Over, Told};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Insert,
    /// A row that is there already.
    Duplicate,
    /// A stream that is dropped behind its first row.
    Peek,
    /// A statement that does not end, dropped while it runs.
    Slow,
    /// The first, dropped while BEGIN runs ahead of it.
    LeftInBegin,
    /// The same, and then the connection is lost.
    CutInBegin,
    /// The first: a row, ahead of which the connection is lost before BEGIN reaches the server. One that had served before
    /// may have gone while nobody had it, and BEGIN is sent again on another.
    LostInBegin,
}

impl Piece {
    /// Whether it leaves a row where it is answered well.
    pub fn inserts(self) -> bool {
        matches!(self, Self::Insert | Self::LostInBegin)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Returns(Over),
    Dropped,
    /// At the first statement: there is none ahead of it.
    DroppedInBegin,
    DroppedInStatement,
    LateInStatement,
    /// The connection is lost behind the last statement.
    Cut,
    /// COMMIT does not reach the server.
    CutBeforeCommit,
    /// The answer to COMMIT does not reach us.
    CutAnswer,
    /// COMMIT is not answered for as long as we wait; it has come to the server, or never does.
    SilenceAtCommit {
        arrives: bool,
    },
    /// The body fails, and ROLLBACK does not reach the server.
    CutBeforeRollback,
}

#[derive(Clone, Debug)]
pub struct Trace {
    /// Of each attempt.
    pub pieces: Vec<Piece>,
    /// Of an attempt that another may follow.
    pub first: Option<End>,
    /// Of the last.
    pub end: End,
    /// Whether its connection has served nobody before.
    pub is_cold: bool,
}

/// What came of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Whether each piece was answered well; `None` where it was dropped.
    pub answers: Vec<Option<bool>>,
    pub told: Option<Told>,
    pub outcome: Outcome,
    pub attempts: u64,
    /// Whether the work is there; `None` where no row would tell.
    pub is_applied: Option<bool>,
}

impl Trace {
    /// One that tells databases apart, and what chance might leave out.
    pub fn given(has_wire: bool) -> Vec<Self> {
        let of = |pieces: &[Piece], first, end| Self {
            pieces: pieces.to_vec(),
            first,
            end,
            is_cold: false,
        };
        let ok = End::Returns(Over::Ok);
        let failed = Some(End::Returns(Over::Err));
        let mut given = vec![
            of(&[Piece::Insert, Piece::Duplicate], None, ok),
            of(&[Piece::Insert], failed, ok),
            of(&[Piece::Insert, Piece::Slow], failed, End::Dropped),
        ];
        if has_wire {
            let insert = &[Piece::Insert];
            let silence = |arrives| End::SilenceAtCommit { arrives };
            let cold = |pieces, end| Self {
                is_cold: true,
                ..of(pieces, None, end)
            };
            given.extend([
                of(&[], None, End::DroppedInBegin),
                of(&[], failed, End::DroppedInBegin),
                of(&[Piece::LeftInBegin, Piece::Insert], None, ok),
                of(&[Piece::LeftInBegin], failed, ok),
                of(&[Piece::CutInBegin], None, ok),
                of(&[Piece::CutInBegin], None, End::Returns(Over::Err)),
                of(&[Piece::CutInBegin], None, End::Dropped),
                of(&[Piece::CutInBegin, Piece::Insert], None, ok),
                of(&[Piece::LostInBegin, Piece::Insert], None, ok),
                of(&[Piece::LostInBegin], None, End::Returns(Over::Err)),
                of(&[Piece::LostInBegin], None, End::Dropped),
                cold(&[Piece::LostInBegin], ok),
                cold(&[Piece::LostInBegin], End::Returns(Over::Err)),
                cold(&[Piece::LostInBegin, Piece::Insert], ok),
                cold(&[Piece::LeftInBegin, Piece::Insert], ok),
                cold(&[Piece::CutInBegin], ok),
                cold(&[Piece::CutInBegin, Piece::Insert, Piece::Insert], ok),
                of(insert, None, silence(true)),
                of(insert, None, silence(false)),
                of(insert, failed, silence(false)),
                of(insert, Some(silence(true)), ok),
                of(insert, Some(End::CutAnswer), ok),
                of(insert, Some(End::CutBeforeCommit), ok),
                of(insert, Some(End::Cut), ok),
                of(insert, None, End::CutBeforeRollback),
                of(insert, Some(End::CutBeforeRollback), ok),
            ]);
        }
        given
    }

    /// How this attempt ends.
    pub fn end(&self, attempt: u32) -> End {
        match self.first {
            Some(first) if attempt == 1 => first,
            _ => self.end,
        }
    }

    /// Whether some attempt ends like this.
    fn has(&self, is_such: impl Fn(End) -> bool) -> bool {
        self.first.is_some_and(&is_such) || is_such(self.end)
    }

    pub fn is_silent(&self) -> bool {
        self.has(|end| matches!(end, End::SilenceAtCommit { .. }))
    }

    /// Whether it leaves a pool behind whose connections are lost.
    pub fn is_cut(&self) -> bool {
        self.has(|end| {
            matches!(
                end,
                End::Cut | End::CutBeforeCommit | End::CutAnswer | End::CutBeforeRollback
            )
        })
    }

    pub fn has_deadline(&self) -> bool {
        matches!(self.end, End::Returns(Over::Late) | End::LateInStatement)
    }

    pub fn draw(has_wire: bool, chance: &mut fastrand::Rng) -> Self {
        let pieces = (0..chance.usize(0..10)).map(|_| match chance.u8(..20) {
            0..16 => Piece::Insert,
            16 => Piece::Duplicate,
            17 => Piece::Slow,
            _ => Piece::Peek,
        });
        let mut pieces: Vec<Piece> = pieces.collect();
        let end = match chance.u8(..if has_wire { 18 } else { 11 }) {
            0..4 => End::Returns(Over::Ok),
            4..6 => End::Returns(Over::Err),
            6 => End::Returns(Over::Panicked),
            7 => End::Returns(Over::Late),
            8 => End::Dropped,
            9 => End::DroppedInStatement,
            10 => End::LateInStatement,
            11 => End::Cut,
            12..14 => End::CutBeforeCommit,
            14..16 => End::CutAnswer,
            16 => End::DroppedInBegin,
            _ => End::SilenceAtCommit {
                arrives: chance.bool(),
            },
        };
        // In a second attempt nobody outside the body could tell where it is.
        let is_watched = matches!(
            end,
            End::Returns(Over::Late) | End::DroppedInStatement | End::LateInStatement
        );
        let first = (!is_watched && chance.u8(..4) == 0).then_some(End::Returns(Over::Err));
        // One connection is lost in a call at the most.
        let loses_none = first.is_none() && matches!(end, End::Returns(_) | End::Dropped);
        match chance.u8(..8) {
            0 if has_wire => pieces.insert(0, Piece::LeftInBegin),
            1 if has_wire && loses_none => pieces.insert(0, Piece::LostInBegin),
            _ => {}
        }
        if end == End::DroppedInBegin {
            pieces.clear();
        }
        // What had arrived, and was not read, may be lost with the connection or not.
        let is_unread = matches!(pieces.last(), Some(Piece::Peek | Piece::LeftInBegin));
        if end == End::Cut && is_unread {
            pieces.push(Piece::Insert);
        }
        Self {
            pieces,
            first,
            end,
            is_cold: chance.u8(..6) == 0,
        }
    }
}
