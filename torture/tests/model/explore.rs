//! Goes to every world that can be reached, breadth first, so that the first that breaks a property is one of those with
//! the shortest way to it.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use super::caller::Act;
use super::properties::Property;
use super::server::Event;
use super::world::{Rules, World};

/// What leads from one world to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Caller(Act),
    Server(Event),
    Session,
    TimeOut,
    Retry,
}

/// What was found in one way through all worlds.
pub struct Explored {
    pub worlds: usize,
    pub steps: usize,
    /// The name of a property that does not hold, and a way to where it does not.
    pub broken: Option<(&'static str, Way)>,
}

pub struct Way(Vec<(Step, World)>);

impl World {
    /// Those steps that nobody but the session can keep from happening.
    pub fn own_steps(self, rules: Rules) -> impl Iterator<Item = (Step, World)> {
        let session = self.go_on(rules).map(|next| (Step::Session, next));
        let late = self.time_out(rules).map(|next| (Step::TimeOut, next));
        session.into_iter().chain(late)
    }

    /// All that may happen next.
    pub fn steps(self, rules: Rules) -> impl Iterator<Item = (Step, World)> {
        let caller = Act::ALL.into_iter();
        let caller = caller.filter_map(move |act| Some((Step::Caller(act), self.act(act, rules)?)));
        let server = Event::ALL.into_iter();
        let server =
            server.filter_map(move |event| Some((Step::Server(event), self.happen(event, rules)?)));
        let retry = self.retry(rules).map(|next| (Step::Retry, next));
        self.own_steps(rules)
            .chain(caller)
            .chain(server)
            .chain(retry)
    }
}

/// Goes everywhere, or to the first place where one of the properties is broken.
pub fn explore(rules: Rules, properties: &[Property]) -> Explored {
    let beginnings = World::BEGINNINGS.map(|world| (world, None));
    let mut from: HashMap<World, Option<(Step, World)>> = HashMap::from(beginnings);
    let mut next = VecDeque::from(World::BEGINNINGS);
    let mut steps = 0;
    while let Some(world) = next.pop_front() {
        if let Some(property) = properties
            .iter()
            .find(|property| !(property.holds)(&world, rules))
        {
            return Explored {
                worlds: from.len(),
                steps,
                broken: Some((property.name, Way::to(world, &from))),
            };
        }
        for (step, reached) in world.steps(rules) {
            steps += 1;
            from.entry(reached).or_insert_with(|| {
                next.push_back(reached);
                Some((step, world))
            });
        }
    }
    Explored {
        worlds: from.len(),
        steps,
        broken: None,
    }
}

impl Way {
    fn to(mut world: World, from: &HashMap<World, Option<(Step, World)>>) -> Self {
        let mut steps = Vec::new();
        while let Some((step, before)) = from[&world] {
            steps.push((step, world));
            world = before;
        }
        steps.reverse();
        Self(steps)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, world) in &self.0 {
            writeln!(
                formatter,
                "  {:28} {:?}, {:?}, connection {:?}, on the server {:?}{}",
                format!("{step:?}"),
                world.caller,
                world.stage,
                world.lease,
                world.wire.transaction,
                if world.is_doomed { ", doomed" } else { "" },
            )?;
        }
        Ok(())
    }
}
