//! What the command line asks for.

use std::time::Duration;

use clap::Parser;
use steadfast::__private::Plant;
use xtask::database::Database;

use crate::campaign::{CAMPAIGNS, Campaign};
use crate::settings::Settings;

const LONGEST: u64 = 24 * 60 * 60;

/// Attacks steadfast with faults on real servers, and looks at what is left
#[derive(Debug, Parser)]
#[command(name = "cargo xtask torture", bin_name = "cargo xtask torture")]
pub(crate) struct Arguments {
    /// A campaign, or `all`
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: String,
    /// What every choice derives from; a fresh one without it
    #[arg(long, value_name = "NUMBER", value_parser = parse_seed, allow_hyphen_values = true)]
    seed: Option<u64>,
    /// How long each campaign may take
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, allow_hyphen_values = true)]
    seconds: Option<Duration>,
    /// Leaves the other databases out
    #[arg(long = "database", value_delimiter = ',', value_name = "DATABASES")]
    databases: Vec<Database>,
    /// Plants a bug in the product, which the campaign must catch
    #[arg(long, value_name = "BUG", value_parser = parse_plant)]
    pub(crate) plant: Option<Plant>,
    /// The form that runs with the tests: a few seconds
    #[arg(long)]
    short: bool,
    /// Runs nothing; prints the databases that would be attacked
    #[arg(long, hide = true)]
    pub(crate) check: bool,
}

impl Arguments {
    /// The campaigns that are asked for, in the order of the table.
    pub(crate) fn campaigns(&self) -> Vec<&'static Campaign> {
        let is_asked_for = |campaign: &&Campaign| self.name == "all" || self.name == campaign.name;
        CAMPAIGNS.iter().filter(is_asked_for).collect()
    }

    pub(crate) fn settings(&self) -> Result<Settings, String> {
        let is_known = |database: &Database| {
            self.campaigns()
                .iter()
                .any(|campaign| campaign.knows(*database))
        };
        let databases: Vec<Database> = Database::ALL
            .into_iter()
            .filter(|database| self.databases.is_empty() || self.databases.contains(database))
            .filter(is_known)
            .collect();
        if databases.is_empty() {
            return Err(format!(
                "the campaign `{}` has nothing to attack there: leave `--database` out",
                self.name
            ));
        }
        Ok(Settings {
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..)),
            seconds: self.seconds,
            short: self.short,
            databases,
        })
    }
}

fn parse_name(name: &str) -> Result<String, String> {
    if name == "all" || CAMPAIGNS.iter().any(|campaign| campaign.name == name) {
        return Ok(name.to_owned());
    }
    let known = CAMPAIGNS.iter().map(|campaign| campaign.name);
    Err(format!(
        "no campaign is called so: use {} or `all`",
        quoted(known)
    ))
}

fn parse_seed(seed: &str) -> Result<u64, String> {
    let parsed = seed.parse();
    parsed.map_err(|_| {
        format!(
            "give a whole number from 0 to {}, as a run has printed it",
            u64::MAX
        )
    })
}

fn parse_seconds(seconds: &str) -> Result<Duration, String> {
    match seconds.parse() {
        Ok(seconds @ 1..=LONGEST) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!(
            "give a whole number of seconds from 1 to {LONGEST}, which is a day"
        )),
    }
}

fn parse_plant(name: &str) -> Result<Plant, String> {
    let found = Plant::ALL.into_iter().find(|plant| plant.name() == name);
    found.ok_or_else(|| {
        let known = Plant::ALL.into_iter().map(Plant::name);
        format!("no such bug can be planted: use {}", quoted(known))
    })
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
