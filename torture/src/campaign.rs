//! What a campaign is, and which there are.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use xtask::database::Database;

use crate::bank;
use crate::cancel;
use crate::commit;
use crate::hang;
use crate::history;
use crate::leak;
use crate::panic;
use crate::poison;
use crate::private::NoServer;
use crate::report::{Report, Verdict};
use crate::settings::Settings;

/// All campaigns, in the order in which `all` runs them.
pub(crate) const CAMPAIGNS: &[Campaign] = &[
    cancel::CAMPAIGN,
    panic::CAMPAIGN,
    commit::CAMPAIGN,
    poison::CAMPAIGN,
    hang::CAMPAIGN,
    bank::CAMPAIGN,
    history::CAMPAIGN,
    leak::CAMPAIGN,
];

/// One kind of fault, on the databases that can have it.
pub(crate) struct Campaign {
    pub(crate) name: &'static str,
    /// What happens on each of them, one after the other.
    pub(crate) databases: &'static [Part],
}

/// The attacks of a campaign whose `attack` stands in a module for each of these databases.
macro_rules! attacks {
    ($($database:ident: $module:ident),+) => {
        &[$((xtask::database::Database::$database, |front| Box::pin($module::attack(front)))),+]
    };
}
pub(crate) use attacks;

/// What happens on one database.
pub(crate) type Part = (Database, Attack);

/// What a campaign does on one database.
pub(crate) type Attack = fn(Front) -> BoxFuture<'static, ()>;

/// One database under attack by one campaign. A clone is the same front.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    pub(crate) database: Database,
    pub(crate) settings: Settings,
    pub(crate) report: Arc<Report>,
    pub(crate) began: Instant,
}

impl Campaign {
    pub(crate) fn knows(&self, database: Database) -> bool {
        self.databases.iter().any(|(known, _)| *known == database)
    }

    /// Runs it and prints what came of it.
    pub(crate) async fn run(&self, settings: &Settings) -> Verdict {
        let report = Arc::new(Report::new(self.name));
        let began = Instant::now();
        for (database, attack) in self.databases {
            if !settings.databases.contains(database) {
                continue;
            }
            let front = Front {
                database: *database,
                settings: settings.clone(),
                report: Arc::clone(&report),
                began: Instant::now(),
            };
            // In a task of its own, as its lanes: the figures of the rest are worth having.
            front.watch(attack(front.clone())).await;
            report.settle(*database, settings.short);
        }
        report.greatest("seconds", began.elapsed().as_secs());
        report.conclude()
    }
}

impl Front {
    /// Whether there is nothing more to be shown: the time that the command line gives each database of a campaign is
    /// over, or enough was found.
    pub(crate) fn is_over(&self) -> bool {
        let share = u32::try_from(self.settings.databases.len()).unwrap_or(1);
        let seconds = self.settings.seconds;
        seconds.is_some_and(|seconds| self.began.elapsed() >= seconds / share)
            || self.report.is_settled(self.settings.short)
    }

    pub(crate) fn violation(&self, what: impl fmt::Display) {
        self.report.violation(self.database, what);
    }

    /// Runs a part of the campaign. One that panics has shown nothing, which is a violation too.
    pub(crate) async fn watch(&self, part: impl Future<Output = ()> + Send) {
        if let Err(payload) = AssertUnwindSafe(part).catch_unwind().await {
            if payload.is::<NoServer>() {
                return self.report.miss_server(self.database);
            }
            let text = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied());
            self.violation(format_args!(
                "the campaign panicked: {}",
                text.unwrap_or("no text")
            ));
        }
    }
}
