//! What one call does and suffers, step by step, and what the model says of it.

use super::caller::Act;
use super::server::Event;
use super::world::{
    Answer, Caller, Cancel, Flight, Outcome, Over, Request, Rules, Rung, Stage, Told, World,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Insert,
    /// A row that is there already.
    Duplicate,
    /// A stream that is dropped behind its first row.
    Peek,
    /// A statement that does not end, dropped while it runs.
    Slow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Returns(Over),
    Dropped,
    DroppedInStatement,
    LateInStatement,
    /// The connection is lost behind the last statement.
    Cut,
    /// COMMIT does not reach the server.
    CutBeforeCommit,
    /// The answer to COMMIT does not reach us.
    CutAnswer,
}

#[derive(Clone, Debug)]
pub struct Trace {
    pub pieces: Vec<Piece>,
    pub end: End,
}

/// What came of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Whether each piece was answered well; `None` where it was dropped.
    pub answers: Vec<Option<bool>>,
    pub told: Option<Told>,
    pub outcome: Outcome,
    /// Whether the work is there; `None` where no row would tell.
    pub is_applied: Option<bool>,
}

impl Trace {
    pub fn with_error() -> Self {
        let pieces = vec![Piece::Insert, Piece::Duplicate];
        Self {
            pieces,
            end: End::Returns(Over::Ok),
        }
    }

    pub fn draw(has_wire: bool, chance: &mut fastrand::Rng) -> Self {
        let pieces = (0..chance.usize(0..10)).map(|_| match chance.u8(..20) {
            0..16 => Piece::Insert,
            16 => Piece::Duplicate,
            17 => Piece::Slow,
            _ => Piece::Peek,
        });
        let mut pieces: Vec<Piece> = pieces.collect();
        let end = match chance.u8(..if has_wire { 16 } else { 11 }) {
            0..4 => End::Returns(Over::Ok),
            4..6 => End::Returns(Over::Err),
            6 => End::Returns(Over::Panicked),
            7 => End::Returns(Over::Late),
            8 => End::Dropped,
            9 => End::DroppedInStatement,
            10 => End::LateInStatement,
            11 => End::Cut,
            12..14 => End::CutBeforeCommit,
            _ => End::CutAnswer,
        };
        // What had arrived of a stream, and was not read, may be lost with the connection or not.
        if end == End::Cut && pieces.last() == Some(&Piece::Peek) {
            pieces.push(Piece::Insert);
        }
        Self { pieces, end }
    }

    /// Goes through the model with a server that answers at once, where it answers.
    pub fn play(&self, rules: Rules) -> Played {
        let mut player = Player {
            world: World::BEGINNING,
            rules,
            served: None,
        };
        let answers: Vec<_> = self
            .pieces
            .iter()
            .map(|piece| player.piece(*piece))
            .collect();
        player.end(self.end);
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
            .any(|(piece, answer)| *piece == Piece::Insert && *answer == Some(true));
        let is_applied = has_rows.then_some(player.world.applied > 0);
        Played {
            answers,
            told,
            outcome,
            is_applied,
        }
    }
}

struct Player {
    world: World,
    rules: Rules,
    /// What the last statement that reached the server was answered.
    served: Option<Answer>,
}

/// What becomes of what the server works on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Answers(Answer),
    /// It answers all but statements, which end when they are cancelled.
    Sleeps,
    /// What was sent has not arrived.
    IsUnreachable,
    LosesCommit,
    LosesAnswerToCommit,
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

    /// Lets happen what happens of itself, until somebody has to do something.
    fn settle(&mut self, server: Server) {
        while let Some(next) = self.next(server) {
            self.world = next;
        }
    }

    fn next(&mut self, server: Server) -> Option<World> {
        let world = self.world;
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
            // A grace that passes: nothing else has a limit so short.
            Server::Sleeps | Server::LosesCommit | Server::LosesAnswerToCommit if is_statement => {
                match world.stage {
                    Stage::RollingBack(Rung::Grace) | Stage::Recovering(Rung::Grace) => {
                        world.time_out(self.rules)
                    }
                    _ => None,
                }
            }
            Server::LosesCommit if is_commit => happen(Event::Lose),
            Server::LosesAnswerToCommit if is_commit => {
                let lost = happen(Event::Lose)?;
                lost.happen(Event::Serve(Answer::Done), self.rules)
            }
            Server::Answers(answer) if is_statement => {
                let next = happen(Event::Serve(answer))?;
                self.served = next.wire.answer;
                Some(next)
            }
            _ => happen(Event::Serve(Answer::Done)),
        }
    }
}
