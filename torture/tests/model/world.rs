//! What there is: one call of two attempts at most, its session, one connection with its server's end, and whoever gets
//! the connection next.

use steadfast::__private::Plant;

pub const ATTEMPTS: u8 = 2;
/// So many connections are lost: one in each attempt.
pub const LOSSES: u8 = 2;

/// What is wrong with a session, where none of the bugs that can be planted in the product is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A statement that is lost with its connection leaves a session that opens another, as a lost BEGIN does.
    Reopens,
    /// It has its outcome ahead of the rollback that may decide it.
    EndsEarly,
    /// What a body returns is what its caller is told.
    TellsTheBody,
    /// Whoever waits for a rollback is told nothing.
    TellsNobody,
}

/// What differs between databases, how much may happen, and what is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// So many statements are tried in an attempt, but for those whose BEGIN was lost.
    pub statements: u8,
    /// So many of the server's answers are errors.
    pub errors: u8,
    /// An error leaves the rest of the transaction refused: PostgreSQL.
    pub errors_doom: bool,
    pub plant: Option<Plant>,
    pub flaw: Option<Flaw>,
}

impl Rules {
    pub fn planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    pub fn flawed(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    NotSent,
    RolledBack,
    Committed,
    Unknown,
}

/// Who has asked for all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The body runs; whether it waits for a statement.
    InBody { waits: bool },
    /// The body is over, and its end is waited for.
    Waits(Over),
    /// It was dropped.
    Gone,
    /// It has its answer.
    Told(Told),
}

/// How a body came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Over {
    Ok,
    Err,
    Panicked,
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Told {
    Ok,
    Err(Outcome),
    Panicked,
}

/// How far the session is: the states of `runtime/src/shield/life/state.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Unopened,
    Opening,
    Active,
    InStatement(Flight),
    Recovering(Rung),
    Committing,
    RollingBack(Rung),
    Done(Outcome),
}

/// The statement in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flight {
    Pending,
    /// It has answered a row, and there are more.
    Yielded,
    /// It was dropped, pending or not.
    Left {
        pending: bool,
    },
}

/// The ladder of the reaper, and of a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rung {
    /// Nothing was in flight.
    Plain,
    /// What was in flight may still answer by itself.
    Grace,
    /// A cancel is on its way.
    Cancelling,
    /// Whatever the cancel has hit: once more.
    Proof,
}

/// Where the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lease {
    /// In the pool, free for anybody.
    Pooled,
    Held,
    Closed,
    /// The next user has it.
    Next,
}

/// Both ends of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wire {
    pub is_up: bool,
    /// It had been in the pool before it was taken: its server may have gone meanwhile.
    pub was_idle: bool,
    /// The mark that is taken away before BEGIN and given back by a proof: without it the connection is closed.
    pub is_proven: bool,
    /// The server's end.
    pub transaction: Transaction,
    /// Whether a statement was done in it.
    pub has_work: bool,
    /// What the server works on, and what is sent behind it.
    pub running: Option<Request>,
    pub behind: Option<Request>,
    /// To the last of these, not read yet.
    pub answer: Option<Answer>,
    pub cancel: Cancel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transaction {
    None,
    Open,
    /// An error has left it refused.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    Begin,
    Statement,
    Commit,
    Rollback,
    /// The next user's.
    Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Done,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cancel {
    None,
    Underway,
    Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub caller: Caller,
    pub stage: Stage,
    pub lease: Lease,
    pub wire: Wire,
    pub attempt: u8,
    pub statements: u8,
    /// A statement waits for BEGIN, or for the rest of another.
    pub is_due: bool,
    /// The statement that BEGIN was sent for has been dropped.
    pub is_begin_left: bool,
    pub is_doomed: bool,
    /// What is known of the work ahead of the rollback.
    pub fate: Option<Outcome>,
    /// A COMMIT that went out on a connection which is closed by now.
    pub is_commit_astray: bool,
    pub errors: u8,
    pub losses: u8,

    // What nobody in the model sees, and its properties are about.
    /// How often the server has applied the call's work.
    pub applied: u8,
    /// Whether a statement of this attempt was sent, and whether one that was done has been undone.
    pub has_sent: bool,
    pub has_lost: bool,
    pub committed_in_doom: bool,
    pub is_next_hit: bool,
    /// How often the session of this attempt has come to an end.
    pub ends: u8,
}

impl Wire {
    pub const NEW: Self = Self {
        is_up: true,
        was_idle: false,
        is_proven: true,
        transaction: Transaction::None,
        has_work: false,
        running: None,
        behind: None,
        answer: None,
        cancel: Cancel::None,
    };

    /// Behind what is there already, whose answer nobody waits for any more.
    pub fn send(&mut self, request: Request) {
        self.answer = None;
        if self.running.is_none() {
            self.running = Some(request);
        } else {
            self.behind = Some(request);
        }
    }

    pub fn is_quiet(&self) -> bool {
        self.running.is_none() && self.behind.is_none()
    }
}

impl World {
    /// On a new connection, and on one that has served before.
    pub const BEGINNINGS: [Self; 2] = [Self::on(false), Self::on(true)];

    pub const fn on(was_idle: bool) -> Self {
        Self {
            caller: Caller::InBody { waits: false },
            stage: Stage::Unopened,
            lease: Lease::Pooled,
            wire: Wire {
                was_idle,
                ..Wire::NEW
            },
            attempt: 1,
            statements: 0,
            is_due: false,
            is_begin_left: false,
            is_doomed: false,
            fate: None,
            is_commit_astray: false,
            errors: 0,
            losses: 0,
            applied: 0,
            has_sent: false,
            has_lost: false,
            committed_in_doom: false,
            is_next_hit: false,
            ends: 0,
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_))
    }

    /// Whether the session is to be committed once nothing is in the way.
    pub fn wants_commit(&self) -> bool {
        self.caller == Caller::Waits(Over::Ok)
    }

    /// Whether nothing but its end is left for the session.
    pub fn is_over(&self) -> bool {
        !matches!(self.caller, Caller::InBody { .. })
    }
}
