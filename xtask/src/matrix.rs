//! `cargo xtask matrix`: steadfast with every choice of features that matters.

use std::fs;
use std::io;
use std::process::Stdio;
use std::time::Instant;

use xtask::database::Database;
use xtask::servers::install_openssl;

use crate::signals::Signals;
use crate::{cargo, job};

pub(crate) async fn run(mut signals: Signals) -> io::Result<u8> {
    install_openssl()?;
    let features = features(&fs::read_to_string(
        cargo::root().join("runtime/Cargo.toml"),
    )?);
    let mut failed = Vec::new();
    for choice in choices(&features) {
        let start = Instant::now();
        // Clippy's flags reach the workspace only; RUSTFLAGS would have every dependency built once more.
        let mut command = cargo::command(&[
            "clippy",
            "--quiet",
            "--package",
            "steadfast",
            "--lib",
            "--features",
            &choice,
        ]);
        let ended = job::run(command.args(["--", "-D", "warnings"]), &mut signals, |_| ()).await?;
        if let Some(asked) = ended.asked {
            return Ok(asked.code());
        }
        let verdict = if ended.code == 0 { "ok" } else { "FAILED" };
        println!(
            "{choice}: {verdict} ({:.1} s)",
            start.elapsed().as_secs_f64()
        );
        if ended.code != 0 {
            failed.push(choice);
        }
    }
    for choice in ["", "anyhow"] {
        let shown = if choice.is_empty() {
            "no database"
        } else {
            "no database, but `anyhow`"
        };
        if names_the_databases(choice).await? {
            println!("{shown}: refused, with their names");
        } else {
            println!(
                "{shown}: FAILED: must be a compile error that names postgres, mysql and sqlite"
            );
            failed.push(shown.to_owned());
        }
    }
    if failed.is_empty() {
        return Ok(0);
    }
    eprintln!(
        "error: these choices of features failed: {}",
        failed.join("; ")
    );
    Ok(1)
}

/// Whether the build without a database fails, for the right reason.
async fn names_the_databases(features: &str) -> io::Result<bool> {
    let mut command = cargo::command(&[
        "check",
        "--quiet",
        "--package",
        "steadfast",
        "--lib",
        "--features",
        features,
    ]);
    let output = command.stdin(Stdio::null()).output().await?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let first = errors.lines().find(|line| line.starts_with("error"));
    Ok(!output.status.success()
        && first.is_some_and(|line| {
            Database::ALL
                .iter()
                .all(|database| line.contains(database.name()))
        }))
}

/// Each database alone, each with every other feature, all together.
fn choices(features: &[String]) -> Vec<String> {
    let is_database = |feature: &&String| {
        Database::ALL
            .iter()
            .any(|database| database.name() == *feature)
    };
    let mut choices: Vec<String> = Vec::new();
    for database in features.iter().filter(is_database) {
        choices.push(database.clone());
        let others = features.iter().filter(|feature| !is_database(feature));
        choices.extend(others.map(|other| format!("{database},{other}")));
    }
    choices.push(features.join(","));
    choices
}

/// The keys of the section `[features]`, without `default` and what is private.
fn features(manifest: &str) -> Vec<String> {
    let section = manifest
        .lines()
        .skip_while(|line| line.trim() != "[features]")
        .skip(1);
    section
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned()))
        .filter(|feature| feature != "default" && !feature.starts_with("__"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "
[package]
name = \"steadfast\"

[features]
default = []
# The databases = none.
postgres = [\"sqlx/postgres\"]
sqlite = [
    \"sqlx/sqlite\",
]
anyhow = [\"dep:anyhow\"]
__private = []

[dependencies]
sqlx = \"0.9\"
";

    #[test]
    fn every_database_meets_every_other_feature() {
        let expected = [
            "postgres",
            "postgres,anyhow",
            "sqlite",
            "sqlite,anyhow",
            "postgres,sqlite,anyhow",
        ];
        assert_eq!(choices(&features(MANIFEST)), expected);
    }
}
