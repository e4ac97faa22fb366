//! `cargo xtask examples`: every example runs and ends well.

use std::fs;
use std::io;

use xtask::database::Database;

use crate::running::Running;
use crate::signals::Signals;
use crate::{cargo, job};

// These do the main job and take a database and a size; enough for each kind of fault to happen, few enough for a
// minute.
const LARGE: [&str; 2] = ["quickstart", "plain_sqlx"];
// These take a database alone.
const ANYWHERE: [&str; 1] = ["existing_helpers"];
const SIZE: [&str; 8] = [
    "--transfers",
    "2000",
    "--tasks",
    "32",
    "--chaos",
    "20",
    "--seed",
    "1",
];

pub(crate) async fn run(mut signals: Signals) -> io::Result<u8> {
    let servers = Running::start(&Database::ALL, &mut signals).await?;
    let mut failed = Vec::new();
    for example in names()? {
        let large = LARGE.contains(&&*example);
        let anywhere = large || ANYWHERE.contains(&&*example);
        for database in if anywhere {
            &Database::ALL[..]
        } else {
            &[Database::Sqlite]
        } {
            let mut command = cargo::command(&["run", "--quiet", "--example", &example, "--"]);
            servers.announce(&mut command);
            if large {
                command.args(SIZE);
            }
            if let Some(url) = servers.url(*database) {
                command.args(["--url", &url]);
            }
            println!("\n── {example} on {database}");
            let ended = job::run(&mut command, &mut signals, |_| ()).await?;
            if let Some(asked) = ended.asked {
                return Ok(asked.code());
            }
            if ended.code != 0 {
                failed.push(format!("{example} on {database} (code {})", ended.code));
            }
        }
    }
    if failed.is_empty() {
        println!("\nall examples ended well");
        return Ok(0);
    }
    eprintln!("error: these examples failed: {}", failed.join(", "));
    Ok(1)
}

/// The files of the folder `examples`, in order.
fn names() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(cargo::root().join("examples"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(
                path.file_stem()
                    .and_then(|stem| stem.to_str())
                    .map(str::to_owned),
            );
        }
    }
    names.sort();
    let missing: Vec<&str> = LARGE
        .into_iter()
        .chain(ANYWHERE)
        .filter(|large| !names.iter().any(|name| name == large))
        .collect();
    if missing.is_empty() {
        Ok(names)
    } else {
        Err(io::Error::other(format!(
            "examples are missing: {}",
            missing.join(", ")
        )))
    }
}
