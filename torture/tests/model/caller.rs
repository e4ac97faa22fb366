//! What the caller may do: whatever it likes, whenever its code runs or is dropped.

use super::world::{Caller, Flight, Outcome, Over, Rules, Stage, Told, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A statement is asked for.
    Statement,
    /// The future of a statement, or a stream, is dropped, and the body goes on.
    DropStatement,
    Return(Over),
    /// The call is dropped.
    Drop,
    /// What the caller waits for beyond the deadline comes to nothing.
    StopWaiting,
}

impl Act {
    pub const ALL: [Self; 8] = [
        Self::Statement,
        Self::DropStatement,
        Self::Return(Over::Ok),
        Self::Return(Over::Err),
        Self::Return(Over::Panicked),
        Self::Return(Over::Late),
        Self::Drop,
        Self::StopWaiting,
    ];
}

impl World {
    /// What comes of it; `None` where it cannot be.
    pub fn act(mut self, act: Act, rules: Rules) -> Option<Self> {
        match (act, self.caller) {
            (Act::Statement, Caller::InBody { waits: false }) if !self.holds_stream() => {
                if self.statements == rules.statements {
                    return None;
                }
                self.statements += 1;
                self.ask(rules);
            }
            (Act::DropStatement, Caller::InBody { waits }) if waits || self.holds_stream() => {
                self.leave_statement();
                self.caller = Caller::InBody { waits: false };
            }
            (Act::Return(Over::Late), Caller::InBody { .. }) => {
                self.leave_statement();
                self.caller = Caller::Waits(Over::Late);
            }
            // A body that waits returns nothing.
            (Act::Return(over), Caller::InBody { waits: false }) => {
                self.leave_statement();
                self.caller = Caller::Waits(over);
            }
            (Act::Drop, Caller::InBody { .. } | Caller::Waits(_)) => {
                self.leave_statement();
                self.caller = Caller::Gone;
            }
            (Act::StopWaiting, Caller::Waits(Over::Ok | Over::Late)) if !self.is_done() => {
                let by_now = match self.stage {
                    Stage::Committing => Outcome::Unknown,
                    Stage::RollingBack(_) => self.fate.unwrap_or(Outcome::NotSent),
                    _ => Outcome::NotSent,
                };
                self.caller = Caller::Told(Told::Err(by_now));
            }
            _ => return None,
        }
        Some(self)
    }

    fn holds_stream(&self) -> bool {
        self.stage == Stage::InStatement(Flight::Yielded)
    }

    fn ask(&mut self, rules: Rules) {
        self.caller = Caller::InBody { waits: true };
        self.is_due = true;
        if self.stage == Stage::Unopened {
            self.begin(rules);
        }
    }

    /// The future of a statement goes, and the statement stays where it is.
    fn leave_statement(&mut self) {
        self.is_due = false;
        self.is_begin_left |= self.stage == Stage::Opening;
        if let Stage::InStatement(flight @ (Flight::Pending | Flight::Yielded)) = self.stage {
            let pending = flight == Flight::Pending;
            // Nobody knows how far it has come.
            self.is_doomed |= pending;
            self.stage = Stage::InStatement(Flight::Left { pending });
        }
    }
}
