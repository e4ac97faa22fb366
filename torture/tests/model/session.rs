//! What the session does of itself, whoever drives it: its owner, or the reaper. DESIGN §4, a line for a line.

use steadfast::__private::Plant;

use super::world::{
    ATTEMPTS, Answer, Caller, Cancel, Flaw, Flight, Lease, Outcome, Over, Request, Rules, Rung,
    Stage, Told, Transaction, Wire, World,
};

impl World {
    /// The next step that needs nothing but what is there; `None` where the session has to wait.
    pub fn go_on(mut self, rules: Rules) -> Option<Self> {
        match self.stage {
            Stage::Done(outcome) => return self.tell(outcome, rules),
            Stage::Unopened if self.is_over() => self.end(Outcome::NotSent),
            Stage::Unopened => return None,
            Stage::Opening if self.forgets_begin(rules) => {
                self.lease = if self.wire.is_proven {
                    Lease::Pooled
                } else {
                    Lease::Closed
                };
                self.end(Outcome::NotSent);
            }
            Stage::Opening => {
                let answer = self.read()?;
                self.opened(answer, rules);
            }
            Stage::Active if self.is_over() => self.close_session(rules),
            Stage::Active if self.is_due => self.send_due(),
            Stage::Active => return None,
            Stage::InStatement(Flight::Left { pending }) => self.settle(pending, rules)?,
            Stage::InStatement(_) => match self.read()? {
                Ok(answer) => {
                    self.stage = Stage::Active;
                    self.is_doomed |= answer == Answer::Refused && rules.errors_doom;
                    self.fail_statement();
                }
                Err(Lost) if rules.flawed(Flaw::Reopens) => self.reopen(),
                Err(Lost) => {
                    self.stage = Stage::Active;
                    self.is_doomed = true;
                    self.fail_statement();
                }
            },
            Stage::Recovering(rung) => {
                if rung == Rung::Cancelling && self.wire.cancel == Cancel::Underway {
                    return None;
                }
                let answer = self.read()?;
                self.wire.cancel = Cancel::None;
                self.stage = Stage::Active;
                self.is_doomed |= match answer {
                    Ok(answer) => answer == Answer::Refused && rules.errors_doom,
                    Err(Lost) => true,
                };
                self.send_due();
            }
            Stage::Committing => match self.read()? {
                Ok(answer) if answer == Answer::Done || rules.planted(Plant::AnswerTaken) => {
                    self.give_back();
                    self.end(Outcome::Committed);
                }
                Ok(_) => self.undo(Outcome::RolledBack, rules),
                Err(Lost) => self.undo(Outcome::Unknown, rules),
            },
            Stage::RollingBack(rung) => self.climb(rung, rules)?,
        }
        Some(self)
    }

    /// A limit passes: whatever the session waits for comes too late. `None` where it waits for nothing that has one.
    pub fn time_out(mut self, rules: Rules) -> Option<Self> {
        match self.stage {
            Stage::Opening => {
                self.close();
                self.opened(Err(Lost), rules);
            }
            Stage::Recovering(Rung::Grace) => {
                self.wire.cancel = Cancel::Underway;
                self.stage = Stage::Recovering(Rung::Cancelling);
            }
            Stage::Recovering(_) => {
                self.close();
                self.stage = Stage::Active;
                self.is_doomed = true;
                self.fail_statement();
            }
            Stage::Committing => {
                self.close();
                self.end(Outcome::Unknown);
            }
            Stage::RollingBack(Rung::Grace) => {
                self.wire.cancel = Cancel::Underway;
                self.stage = Stage::RollingBack(Rung::Cancelling);
            }
            Stage::RollingBack(_) if rules.planted(Plant::RollbackUnbounded) => return None,
            Stage::RollingBack(_) => {
                self.close();
                self.end(self.fate.unwrap_or(Outcome::NotSent));
            }
            Stage::Unopened | Stage::Active | Stage::InStatement(_) | Stage::Done(_) => {
                return None;
            }
        }
        Some(self)
    }

    /// Another attempt, where the one that failed may be repeated.
    pub fn retry(mut self, rules: Rules) -> Option<Self> {
        let Stage::Done(outcome) = self.stage else {
            return None;
        };
        let is_undone = matches!(outcome, Outcome::NotSent | Outcome::RolledBack);
        let has_failed = match self.caller {
            Caller::Waits(Over::Err) => true,
            Caller::Waits(Over::Ok) => outcome != Outcome::Committed && self.statements > 0,
            _ => false,
        };
        if !has_failed || self.attempt == ATTEMPTS {
            return None;
        }
        if !is_undone && !rules.planted(Plant::UnknownRetried) {
            return None;
        }
        self.attempt += 1;
        self.caller = Caller::InBody { waits: false };
        self.stage = Stage::Unopened;
        self.statements = 0;
        self.has_sent = false;
        self.has_lost = false;
        self.is_doomed = false;
        self.fate = None;
        self.ends = 0;
        Some(self)
    }

    fn tell(mut self, outcome: Outcome, rules: Rules) -> Option<Self> {
        let Caller::Waits(over) = self.caller else {
            return None;
        };
        if outcome == Outcome::RolledBack && rules.flawed(Flaw::TellsNobody) {
            return None;
        }
        self.caller = Caller::Told(match over {
            Over::Panicked => Told::Panicked,
            Over::Ok if outcome == Outcome::Committed || self.statements == 0 => Told::Ok,
            Over::Ok if rules.flawed(Flaw::TellsTheBody) => Told::Ok,
            Over::Ok | Over::Err | Over::Late => Told::Err(outcome),
        });
        Some(self)
    }

    /// Reads what is there to be read. `None` where nothing is there yet.
    fn read(&mut self) -> Option<Result<Answer, Lost>> {
        if let Some(answer) = self.wire.answer.take() {
            return Some(Ok(answer));
        }
        (!self.wire.is_up).then_some(Err(Lost))
    }

    fn send_due(&mut self) {
        if self.is_over() || !std::mem::take(&mut self.is_due) {
            return;
        }
        if self.is_doomed {
            return self.fail_statement();
        }
        self.wire.send(Request::Statement);
        self.has_sent = true;
        self.stage = Stage::InStatement(Flight::Pending);
    }

    /// The statement that the body waits for has come to its end, or never will.
    fn fail_statement(&mut self) {
        self.is_due = false;
        if let Caller::InBody { waits } = &mut self.caller {
            *waits = false;
        }
    }

    /// Makes the wire quiet for what comes next: another statement, or COMMIT. A rollback does that by itself.
    fn settle(&mut self, pending: bool, rules: Rules) -> Option<()> {
        let goes_on = self.is_due || self.wants_commit();
        if self.is_over() && (self.is_doomed || !goes_on) {
            self.roll_back(rules);
        } else if self.is_doomed && self.is_due {
            self.fail_statement();
        } else if goes_on {
            debug_assert!(!pending, "it has doomed the session");
            self.stage = Stage::Recovering(Rung::Grace);
        } else {
            return None;
        }
        Some(())
    }

    fn close_session(&mut self, rules: Rules) {
        let ignores_doom = rules.planted(Plant::DoomIgnored);
        if self.wants_commit() && (!self.is_doomed || ignores_doom) && self.lease == Lease::Held {
            self.committed_in_doom |= self.is_doomed;
            self.wire.send(Request::Commit);
            self.stage = Stage::Committing;
        } else {
            self.roll_back(rules);
        }
    }

    fn roll_back(&mut self, rules: Rules) {
        if self.lease == Lease::Closed {
            return self.end(self.fate.unwrap_or(Outcome::NotSent));
        }
        if rules.planted(Plant::LeaseUnproven) {
            self.give_back();
            return self.end(self.fate.unwrap_or(Outcome::RolledBack));
        }
        let is_in_flight = matches!(self.stage, Stage::InStatement(_));
        self.wire.send(Request::Rollback);
        self.stage = Stage::RollingBack(if is_in_flight {
            Rung::Grace
        } else {
            Rung::Plain
        });
    }

    /// Behind a COMMIT that has failed.
    fn undo(&mut self, fate: Outcome, rules: Rules) {
        if rules.flawed(Flaw::EndsEarly) {
            self.end(fate);
        }
        self.fate = Some(fate);
        self.wire.send(Request::Rollback);
        self.stage = Stage::RollingBack(Rung::Plain);
    }

    fn climb(&mut self, rung: Rung, rules: Rules) -> Option<()> {
        if rung == Rung::Cancelling {
            // A cancel whose answer is there can hit nobody later.
            if self.wire.cancel != Cancel::Answered {
                return None;
            }
            let _ = self.read()?;
            self.wire.cancel = Cancel::None;
            self.wire.send(Request::Rollback);
            self.stage = Stage::RollingBack(Rung::Proof);
            return Some(());
        }
        match self.read()? {
            Ok(answer) if answer == Answer::Done || rules.planted(Plant::AnswerTaken) => {
                self.give_back();
                if rung == Rung::Grace && rules.planted(Plant::CancelLate) {
                    self.wire.cancel = Cancel::Underway;
                }
                self.end(self.fate.unwrap_or(Outcome::RolledBack));
            }
            _ => {
                self.close();
                self.end(self.fate.unwrap_or(Outcome::NotSent));
            }
        }
        Some(())
    }

    fn forgets_begin(&self, rules: Rules) -> bool {
        self.is_over() && !self.wants_commit() && rules.planted(Plant::BeginNotOwned)
    }

    fn opened(&mut self, answer: Result<Answer, Lost>, rules: Rules) {
        let is_left = std::mem::take(&mut self.is_begin_left);
        // The server may have gone while the connection was idle. Nothing was begun, so nothing is repeated. Nor is
        // anything of whoever waits by now, if it was another's BEGIN.
        let begins_again = self.is_due && !self.is_over() && (is_left || self.wire.was_idle);
        match answer {
            Ok(answer) => {
                self.stage = Stage::Active;
                if answer == Answer::Refused {
                    self.is_doomed = true;
                    self.fail_statement();
                }
                self.send_due();
            }
            Err(Lost) if begins_again => {
                self.close();
                self.begin(rules);
            }
            Err(Lost) => self.reopen(),
        }
    }

    /// Nothing was begun, and it is as if nothing had been asked: the next statement opens on another connection.
    fn reopen(&mut self) {
        if self.lease == Lease::Held {
            self.close();
        }
        self.stage = Stage::Unopened;
        self.statements = 0;
        self.fail_statement();
    }

    fn give_back(&mut self) {
        self.wire.is_proven = true;
        self.wire.was_idle = true;
        self.lease = Lease::Pooled;
    }

    /// Our end is gone, and the server's ends sooner or later.
    fn close(&mut self) {
        let may_commit = self.wire.running == Some(Request::Commit)
            && self.wire.transaction == Transaction::Open;
        if may_commit {
            self.is_commit_astray = true;
        } else {
            self.undo_work();
        }
        self.lease = Lease::Closed;
        self.wire = Wire {
            is_up: false,
            ..Wire::NEW
        };
    }

    pub fn begin(&mut self, rules: Rules) {
        if self.lease == Lease::Closed {
            self.wire = Wire::NEW;
        }
        self.lease = Lease::Held;
        self.wire.is_proven = rules.planted(Plant::BeginNotOwned);
        self.wire.send(Request::Begin);
        self.stage = Stage::Opening;
    }

    fn end(&mut self, outcome: Outcome) {
        self.ends += 1;
        self.stage = Stage::Done(outcome);
    }
}

/// The connection is gone, and the answer with it.
struct Lost;
