//! What the model says of a trace.

use super::caller::Act;
use super::server::Event;
use super::trace::{End, Piece, Played, Trace};
use super::world::{Answer, Caller, Cancel, Flight, Over, Request, Rules, Rung, Stage, World};

impl Trace {
    /// Goes through the model with a server that answers at once, where it answers.
    pub fn play(&self, rules: Rules) -> Played {
        let mut player = Player {
            world: World::on(!self.is_cold),
            rules,
            served: None,
            may_repeat: self.first.is_some(),
        };
        let answers = loop {
            let attempt = player.world.attempt;
            let answers = self.pieces.iter().map(|piece| player.piece(*piece));
            let answers: Vec<_> = answers.collect();
            player.end(self.end(attempt.into()));
            if player.world.attempt == attempt {
                break answers;
            }
        };
        let Stage::Done(outcome) = player.world.stage else {
            panic!("{self:?} does not end in the model: {:?}", player.world);
        };
        let told = match player.world.caller {
            Caller::Told(told) => Some(told),
            _ => None,
        };
        let inserts = self.pieces.iter().zip(&answers);
        let has_rows = inserts
            .into_iter()
            .any(|(piece, answer)| piece.inserts() && *answer == Some(true));
        let is_applied = has_rows.then_some(player.world.applied > 0);
        Played {
            answers,
            told,
            outcome,
            attempts: player.world.attempt.into(),
            is_applied,
        }
    }
}

struct Player {
    world: World,
    rules: Rules,
    /// What the last statement that reached the server was answered.
    served: Option<Answer>,
    /// What the body fails with may pass.
    may_repeat: bool,
}

/// What becomes of what the server works on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Answers(Answer),
    /// It answers all but statements, which end when they are cancelled.
    Sleeps,
    /// What was sent has not arrived.
    IsUnreachable,
    /// The first.
    LosesBegin,
    LosesCommit,
    LosesAnswerToCommit,
    /// It says nothing to COMMIT.
    IsSilentAtCommit,
    LosesRollback,
}

impl Player {
    fn piece(&mut self, piece: Piece) -> Option<bool> {
        self.served = None;
        match piece {
            Piece::Insert => self.statement(Server::Answers(Answer::Done)),
            Piece::Duplicate => self.statement(Server::Answers(Answer::Refused)),
            Piece::Peek => {
                self.begin_statement(Server::Sleeps);
                let yielded = self.world.happen(Event::Yield, self.rules);
                let is_answered = yielded.is_some();
                if let Some(yielded) = yielded {
                    self.world = yielded;
                    self.act(Act::DropStatement);
                    self.settle(Server::Answers(Answer::Done));
                }
                return Some(is_answered);
            }
            Piece::Slow => {
                self.begin_statement(Server::Sleeps);
                if self.is_in_statement() {
                    self.act(Act::DropStatement);
                    return None;
                }
            }
            Piece::LostInBegin => {
                self.begin_statement(Server::LosesBegin);
                self.settle(Server::Answers(Answer::Done));
            }
            Piece::LeftInBegin | Piece::CutInBegin => {
                self.begin_statement(Server::IsUnreachable);
                self.act(Act::DropStatement);
                if piece == Piece::CutInBegin {
                    self.happen(Event::Lose);
                }
                return None;
            }
        }
        Some(self.served == Some(Answer::Done))
    }

    fn statement(&mut self, server: Server) {
        // What is left of an earlier one ends as it does, and not as this one.
        self.begin_statement(Server::Sleeps);
        if self.is_in_statement() {
            self.settle(server);
        }
    }

    fn is_in_statement(&self) -> bool {
        self.world.stage == Stage::InStatement(Flight::Pending)
    }

    fn begin_statement(&mut self, server: Server) {
        self.act(Act::Statement);
        self.settle(server);
    }

    fn end(&mut self, end: End) {
        let answers = Server::Answers(Answer::Done);
        match end {
            End::Returns(over) => self.finish(Act::Return(over), Server::Sleeps),
            End::Dropped => self.finish(Act::Drop, Server::Sleeps),
            End::DroppedInBegin => {
                self.begin_statement(Server::IsUnreachable);
                self.finish(Act::Drop, Server::Sleeps);
            }
            End::DroppedInStatement => {
                self.begin_statement(Server::Sleeps);
                self.finish(Act::Drop, Server::Sleeps);
            }
            End::LateInStatement => {
                self.begin_statement(Server::Sleeps);
                self.finish(Act::Return(Over::Late), Server::Sleeps);
            }
            End::Cut => {
                let lost = self.world.happen(Event::Lose, self.rules);
                let server = if lost.is_some() {
                    Server::IsUnreachable
                } else {
                    answers
                };
                self.world = lost.unwrap_or(self.world);
                self.finish(Act::Return(Over::Ok), server);
            }
            End::CutBeforeCommit => self.finish(Act::Return(Over::Ok), Server::LosesCommit),
            End::CutAnswer => self.finish(Act::Return(Over::Ok), Server::LosesAnswerToCommit),
            End::SilenceAtCommit { arrives } => {
                self.finish(Act::Return(Over::Ok), Server::IsSilentAtCommit);
                if arrives && self.world.is_commit_astray {
                    self.happen(Event::CommitAstray);
                }
            }
            End::CutBeforeRollback => self.finish(Act::Return(Over::Err), Server::LosesRollback),
        }
    }

    fn finish(&mut self, act: Act, server: Server) {
        self.act(act);
        self.settle(server);
    }

    fn act(&mut self, act: Act) {
        let next = self.world.act(act, self.rules);
        self.world = next.unwrap_or_else(|| panic!("{act:?} cannot be in {:?}", self.world));
    }

    fn happen(&mut self, event: Event) {
        let next = self.world.happen(event, self.rules);
        self.world = next.unwrap_or_else(|| panic!("{event:?} cannot be in {:?}", self.world));
    }

    /// Lets happen what happens of itself, until somebody has to do something.
    fn settle(&mut self, server: Server) {
        while let Some(next) = self.next(server) {
            self.world = next;
        }
    }

    fn next(&mut self, server: Server) -> Option<World> {
        let world = self.world;
        if self.may_repeat
            && let Some(next) = world.retry(self.rules)
        {
            return Some(next);
        }
        if let Some(next) = world.go_on(self.rules) {
            return Some(next);
        }
        let happen = |event| world.happen(event, self.rules);
        if world.wire.cancel == Cancel::Underway {
            return happen(Event::Cancel);
        }
        let request = world.wire.running?;
        let is_statement = request == Request::Statement;
        let is_commit = request == Request::Commit;
        match server {
            Server::IsUnreachable => None,
            Server::Answers(answer) if is_statement => {
                let next = happen(Event::Serve(answer))?;
                self.served = next.wire.answer;
                Some(next)
            }
            // A grace that passes: nothing else has a limit so short.
            _ if is_statement => match world.stage {
                Stage::RollingBack(Rung::Grace) | Stage::Recovering(Rung::Grace) => {
                    world.time_out(self.rules)
                }
                _ => None,
            },
            Server::LosesBegin if request == Request::Begin && world.losses == 0 => {
                happen(Event::Lose)
            }
            Server::LosesRollback if request == Request::Rollback => happen(Event::Lose),
            Server::IsSilentAtCommit if is_commit => world.time_out(self.rules),
            Server::LosesCommit if is_commit => happen(Event::Lose),
            Server::LosesAnswerToCommit if is_commit => {
                let lost = happen(Event::Lose)?;
                lost.happen(Event::Serve(Answer::Done), self.rules)
            }
            _ => happen(Event::Serve(Answer::Done)),
        }
    }
}
