//! What the server may do, and the network: answer, refuse, be silent, be gone.

use super::world::{
    Answer, Caller, Cancel, Flight, LOSSES, Lease, Request, Rules, Stage, Transaction, World,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server has done what it works on, or refuses it.
    Serve(Answer),
    /// The first row of many is there.
    Yield,
    /// The connection is lost; what was sent may have arrived.
    Lose,
    /// The server sees that its client is gone.
    Notice,
    /// A cancel stops whatever runs.
    Cancel,
    /// A COMMIT that was sent on a closed connection is applied.
    CommitAstray,
    /// Somebody else takes the connection out of the pool, and sends a statement.
    NextTakes,
}

impl Event {
    pub const ALL: [Self; 8] = [
        Self::Serve(Answer::Done),
        Self::Serve(Answer::Refused),
        Self::Yield,
        Self::Lose,
        Self::Notice,
        Self::Cancel,
        Self::CommitAstray,
        Self::NextTakes,
    ];
}

impl World {
    /// What comes of it; `None` where it cannot be.
    pub fn happen(mut self, event: Event, rules: Rules) -> Option<Self> {
        match event {
            Event::Serve(answer) => {
                let request = self.wire.running?;
                if answer == Answer::Refused {
                    if self.errors == rules.errors || request == Request::Next {
                        return None;
                    }
                    self.errors += 1;
                }
                self.serve(request, answer, rules);
            }
            Event::Yield => {
                let is_first = self.stage == Stage::InStatement(Flight::Pending);
                let is_running = self.wire.running == Some(Request::Statement);
                if !is_first || !is_running || !self.wire.is_up || !self.is_waited_for() {
                    return None;
                }
                self.stage = Stage::InStatement(Flight::Yielded);
                self.caller = Caller::InBody { waits: false };
            }
            Event::Lose => {
                if self.losses == LOSSES || !self.wire.is_up || self.lease != Lease::Held {
                    return None;
                }
                self.losses += 1;
                self.wire.is_up = false;
            }
            Event::Notice => {
                let holds = self.wire.transaction != Transaction::None;
                if self.wire.is_up || !self.wire.is_quiet() || !holds {
                    return None;
                }
                self.undo_work();
            }
            Event::Cancel => {
                if self.wire.cancel != Cancel::Underway {
                    return None;
                }
                self.wire.cancel = Cancel::Answered;
                match self.wire.running {
                    Some(Request::Next) => self.is_next_hit = true,
                    Some(request @ (Request::Statement | Request::Rollback)) => {
                        self.serve(request, Answer::Refused, rules);
                    }
                    _ => {}
                }
            }
            Event::CommitAstray => {
                if !self.is_commit_astray {
                    return None;
                }
                self.is_commit_astray = false;
                self.applied += 1;
            }
            Event::NextTakes => {
                if self.lease != Lease::Pooled || !self.is_done() {
                    return None;
                }
                self.lease = Lease::Next;
                self.wire.send(Request::Next);
            }
        }
        Some(self)
    }

    fn is_waited_for(&self) -> bool {
        self.caller == Caller::InBody { waits: true }
    }

    fn serve(&mut self, request: Request, answer: Answer, rules: Rules) {
        let wire = &mut self.wire;
        let answer = match (request, answer) {
            (Request::Begin, Answer::Done) => {
                wire.transaction = Transaction::Open;
                answer
            }
            (Request::Statement, _) => {
                let failed = wire.transaction == Transaction::Failed || answer == Answer::Refused;
                if failed && rules.errors_doom {
                    wire.transaction = Transaction::Failed;
                }
                wire.has_work |= !failed;
                if failed { Answer::Refused } else { answer }
            }
            (Request::Commit, Answer::Done) => {
                // What PostgreSQL answers to the COMMIT of a failed transaction is no error.
                if wire.transaction == Transaction::Open {
                    self.applied += 1;
                    wire.has_work = false;
                }
                self.undo_work();
                answer
            }
            (Request::Commit, Answer::Refused) | (Request::Rollback, Answer::Done) => {
                self.undo_work();
                answer
            }
            // An error that was meant for something else stands for the answer, and nothing was undone.
            (Request::Rollback | Request::Begin, Answer::Refused) | (Request::Next, _) => answer,
        };
        let wire = &mut self.wire;
        wire.running = wire.behind.take();
        // That of a statement with something behind it is read past.
        if wire.is_quiet() && wire.is_up {
            wire.answer = Some(answer);
        }
    }

    /// The server's transaction is over, and what is left in it undone.
    pub fn undo_work(&mut self) {
        self.wire.transaction = Transaction::None;
        self.has_lost |= std::mem::take(&mut self.wire.has_work);
    }
}
