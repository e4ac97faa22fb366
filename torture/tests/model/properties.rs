//! What must be true in every world. Safety: nothing bad has happened. Liveness: what has to happen will, whatever
//! everybody else does or fails to do.

use super::world::{Caller, Lease, Outcome, Rules, Stage, Told, Transaction, World};

/// More than any session needs from anywhere to its end.
const LONGEST: usize = 12;

#[derive(Clone, Copy)]
pub struct Property {
    pub name: &'static str,
    pub holds: fn(&World, Rules) -> bool,
}

pub const SAFETY: &[Property] = &[
    Property {
        name: "no lease returns unproven",
        holds: returned_is_clean,
    },
    Property {
        name: "no commit follows doom",
        holds: |world, _| !world.committed_in_doom,
    },
    Property {
        name: "a session has one end",
        holds: |world, _| world.ends == u8::from(world.is_done()),
    },
    Property {
        name: "no work is done twice",
        holds: |world, _| world.applied <= 1,
    },
    Property {
        name: "the outcome is true",
        holds: outcome_is_true,
    },
    Property {
        name: "the caller is told the truth",
        holds: told_is_true,
    },
    Property {
        name: "no cancel hits anybody else",
        holds: |world, _| !world.is_next_hit,
    },
];

/// Of every session whose owner has let go of it, or waits for its end, with a server that is silent from here on: what
/// it does of itself and what its limits do leads there, in whatever order they pass.
pub const LIVENESS: &[Property] = &[
    Property {
        name: "every session ends",
        holds: |world, rules| comes_to(world, rules, World::is_done),
    },
    Property {
        name: "every slot comes back",
        holds: |world, rules| comes_to(world, rules, |world| world.lease != Lease::Held),
    },
    Property {
        name: "every caller is told",
        holds: |world, rules| {
            comes_to(world, rules, |world| {
                matches!(world.caller, Caller::Told(_) | Caller::Gone)
            })
        },
    },
];

/// Nothing of the former user is on a connection that anybody may take.
fn returned_is_clean(world: &World, _: Rules) -> bool {
    let wire = &world.wire;
    world.lease != Lease::Pooled
        || wire.transaction == Transaction::None && wire.is_quiet() && wire.answer.is_none()
}

fn is_true(outcome: Outcome, applied: u8) -> bool {
    match outcome {
        Outcome::NotSent | Outcome::RolledBack => applied == 0,
        Outcome::Committed => applied == 1,
        Outcome::Unknown => true,
    }
}

/// All that was done is there, and once.
fn is_whole(world: &World) -> bool {
    is_true(Outcome::Committed, world.applied) && !world.has_lost
}

fn outcome_is_true(world: &World, _: Rules) -> bool {
    match world.stage {
        Stage::Done(Outcome::Committed) => is_whole(world),
        Stage::Done(outcome) => is_true(outcome, world.applied),
        _ => true,
    }
}

fn told_is_true(world: &World, _: Rules) -> bool {
    match world.caller {
        Caller::Told(Told::Ok) => is_whole(world) || !world.has_sent,
        Caller::Told(Told::Err(outcome)) => is_true(outcome, world.applied),
        Caller::Told(Told::Panicked) => is_true(Outcome::RolledBack, world.applied),
        _ => true,
    }
}

fn comes_to(world: &World, rules: Rules, rest: fn(&World) -> bool) -> bool {
    !world.is_over() || ends_in(world, rules, rest, LONGEST)
}

/// Whether every way of so many steps at the most comes to a stand there.
fn ends_in(world: &World, rules: Rules, rest: fn(&World) -> bool, steps: usize) -> bool {
    let mut own = world.own_steps(rules).peekable();
    if own.peek().is_none() {
        return rest(world);
    }
    steps > 0 && own.all(|(_, next)| ends_in(&next, rules, rest, steps - 1))
}
