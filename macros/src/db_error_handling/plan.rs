//! What `#[db_error_handling]` is going to do with a function.

use syn::{Expr, LitStr};

use super::args::Args;
use crate::diagnostics::Mistakes;
use crate::options::Arm;

pub(crate) struct Plan {
    /// In the order in which they are tried.
    pub(crate) arms: Vec<Translation>,
}

pub(crate) struct Translation {
    /// A variant of `__private::Kind`.
    pub(crate) kind: &'static str,
    pub(crate) constraint: Option<LitStr>,
    pub(crate) error: Expr,
}

pub(crate) fn decide(args: Args, mistakes: &Mistakes) -> Plan {
    for (place, arm) in args.arms.iter().enumerate() {
        if let Some(earlier) = args.arms[..place]
            .iter()
            .find(|earlier| covers(earlier, arm))
        {
            unreachable(earlier, arm, mistakes);
        }
    }
    let arms = args.arms.into_iter().map(|arm| Translation {
        kind: arm.word.kind,
        constraint: arm.constraint,
        error: arm.error,
    });
    Plan {
        arms: arms.collect(),
    }
}

/// Whether everything that `arm` could translate was taken by `earlier`.
fn covers(earlier: &Arm, arm: &Arm) -> bool {
    let constraint = match (&earlier.constraint, &arm.constraint) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(earlier), Some(arm)) => earlier.value() == arm.value(),
    };
    constraint && earlier.word.covers(arm.word)
}

fn unreachable(earlier: &Arm, arm: &Arm, mistakes: &Mistakes) {
    let (shown, by) = (shown(arm), shown(earlier));
    if shown == by {
        mistakes.push(&arm.at, format!("the arm `{shown}` is given twice"));
        return;
    }
    mistakes.push_with_help(
        &arm.at,
        format!("the arm `{shown}` is never reached: `{by}` above it takes all of these"),
        format!("move `{shown}` above `{by}`"),
    );
}

fn shown(arm: &Arm) -> String {
    match &arm.constraint {
        Some(constraint) => format!("{}(\"{}\")", arm.at, constraint.value()),
        None => arm.at.to_string(),
    }
}
