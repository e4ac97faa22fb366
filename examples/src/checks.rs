//! What has to be true after a run, each with what was found.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::bank::{ACCOUNTS, OPENING_CENTS};
use crate::chaos::memos_dropped;
use crate::style::{money, thousands};
use crate::witness::{Books, Witness};
use crate::{Args, Bank, Branch, Fate, Tally};

/// One thing that has to be true.
#[derive(Debug)]
pub struct Check {
    pub(crate) promise: String,
    pub(crate) found: String,
    pub(crate) holds: bool,
}

/// Something that a branch may still hold after the last call, and how much of it.
#[derive(Clone, Debug)]
pub struct Leftover {
    /// What has to be true, such as "no slot held".
    pub promise: &'static str,
    /// How many there are.
    pub count: usize,
}

/// How long what was dropped may take to be cleaned up behind the last caller.
const PATIENCE: Duration = Duration::from_secs(2);

/// Faults without which a run would have shown nothing.
pub(crate) fn faults(args: &Args, bank: &Bank, tally: &Tally, conflicts: u64) -> Vec<Check> {
    let count = |fate| tally.fates.get(&fate).copied().unwrap_or_default();
    let mut faults = vec![
        ("calls that something was done to", tally.struck),
        ("calls dropped", count(Fate::Dropped)),
        ("calls that panicked", count(Fate::Panicked)),
        ("calls that failed on purpose", count(Fate::Failed)),
        ("nested calls dropped", memos_dropped()),
    ];
    if args.chaos == 0 {
        faults.clear();
    }
    if bank.engine.is_server() {
        faults.push(("conflicts reported by the server", conflicts));
    }
    let fired = |(promise, count): (&str, u64)| Check {
        promise: promise.to_owned(),
        found: thousands(count),
        holds: count > 0,
    };
    faults.into_iter().map(fired).collect()
}

/// Asks the branch and the database.
pub(crate) async fn verify<B: Branch>(
    branch: &B,
    bank: &Bank,
    tally: &Tally,
) -> anyhow::Result<Vec<Check>> {
    let mut witness = Witness::call(bank).await?;
    let deadline = Instant::now() + PATIENCE;
    let (leftovers, open) = loop {
        let leftovers = branch.leftovers();
        let open = witness.open_transactions().await?;
        if (open == 0 && leftovers.iter().all(|left| left.count == 0)) || Instant::now() > deadline
        {
            break (leftovers, open);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let books = witness.read().await?;
    let mut checks = money_checks(&books);
    checks.extend(journal_checks(&books, tally));
    checks.extend(
        leftovers
            .into_iter()
            .map(|left| none(left.promise, left.count)),
    );
    checks.push(none(
        if bank.engine.is_server() {
            "no open transaction on the server"
        } else {
            "no open transaction, no lock"
        },
        usize::try_from(open)?,
    ));
    for (fate, promise) in [
        (Fate::Bug, "no panic but the planned ones"),
        (Fate::Stuck, "every call was answered"),
    ] {
        if let Some(count) = tally.fates.get(&fate) {
            checks.push(none(promise, usize::try_from(*count)?));
        }
    }
    Ok(checks)
}

fn money_checks(books: &Books) -> Vec<Check> {
    let sum: i64 = books.accounts.values().sum();
    let opened = ACCOUNTS * OPENING_CENTS;
    let negative = books.accounts.values().filter(|cents| **cents < 0).count();
    let mut told = HashMap::new();
    for entry in &books.journal {
        *told.entry(entry.debtor).or_insert(OPENING_CENTS) -= entry.cents;
        *told.entry(entry.creditor).or_insert(OPENING_CENTS) += entry.cents;
    }
    let differs = books
        .accounts
        .iter()
        .filter(|(id, cents)| told.get(id).unwrap_or(&OPENING_CENTS) != *cents)
        .count();
    vec![
        Check {
            promise: "money conserved".into(),
            found: if sum == opened {
                money(sum)
            } else {
                format!("{} instead of {}", money(sum), money(opened))
            },
            holds: sum == opened && i64::try_from(books.accounts.len()) == Ok(ACCOUNTS),
        },
        none("no negative balance", negative),
        Check {
            promise: "every transfer whole or not at all".into(),
            found: if differs == 0 {
                "the journal explains every balance".into()
            } else {
                format!("{differs} of {ACCOUNTS} balances are not what the journal says")
            },
            holds: differs == 0,
        },
    ]
}

fn journal_checks(books: &Books, tally: &Tally) -> Vec<Check> {
    let mut rows: HashMap<i64, usize> = HashMap::new();
    for entry in &books.journal {
        *rows.entry(entry.id).or_default() += 1;
    }
    let missing = tally
        .acknowledged
        .iter()
        .filter(|id| !rows.contains_key(id))
        .count();
    let repeated = rows.values().filter(|count| **count > 1).count();
    let refused = tally
        .refused
        .iter()
        .filter(|id| rows.contains_key(id))
        .count();
    let orphans = books
        .memos
        .iter()
        .filter(|id| !rows.contains_key(id))
        .count();
    let written: HashSet<_> = books.incidents.iter().collect();
    let lost = tally
        .incidents
        .iter()
        .filter(|id| !written.contains(id))
        .count();
    let acknowledged = thousands(tally.acknowledged.len());
    vec![
        Check {
            promise: "every acknowledged transfer there, once".into(),
            found: if missing + repeated == 0 {
                acknowledged
            } else {
                format!("of {acknowledged}: {missing} missing, {repeated} there twice")
            },
            holds: missing + repeated == 0,
        },
        none("none there that was refused", refused),
        none("no memo without its transfer", orphans),
        Check {
            promise: "the next user's write is kept".into(),
            found: if lost == 0 {
                format!("{} incidents", thousands(tally.incidents.len()))
            } else {
                format!("{lost} of {} lost", thousands(tally.incidents.len()))
            },
            holds: lost == 0,
        },
    ]
}

fn none(promise: &str, count: usize) -> Check {
    Check {
        promise: promise.to_owned(),
        found: thousands(count),
        holds: count == 0,
    }
}
