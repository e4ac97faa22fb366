//! `cargo xtask test`: every test of the workspace, on private servers.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;

use xtask::database::{Database, ONLY};

use crate::running::{Running, chosen};
use crate::signals::Signals;
use crate::tally::Tally;
use crate::{cargo, job};

pub(crate) async fn run(
    only: &[Database],
    filters: &[String],
    mut signals: Signals,
) -> io::Result<u8> {
    let databases = chosen(only);
    let left_out: Vec<&str> = Database::ALL
        .iter()
        .filter(|database| !databases.contains(database))
        .map(|d| d.name())
        .collect();
    let say_left_out = || {
        if !left_out.is_empty() {
            println!("left out, as `--only` asks: {}", left_out.join(", "));
        }
    };
    say_left_out();
    let servers = Running::start(&databases, &mut signals).await?;

    let mut command = cargo::command(&["test", "--workspace", "--no-fail-fast", "--"]);
    command.args(filters).stdout(Stdio::piped());
    servers.announce(&mut command);
    if left_out.is_empty() {
        command.env_remove(ONLY);
    } else {
        command.env(
            ONLY,
            databases
                .iter()
                .map(|database| database.name())
                .collect::<Vec<_>>()
                .join(","),
        );
    }

    let mut tally = Tally::default();
    let ended = job::run(&mut command, &mut signals, |output| {
        tally.see(output);
        // A closed terminal must not end the run before the servers are stopped.
        let mut terminal = io::stdout();
        let _ = terminal.write_all(output).and_then(|()| terminal.flush());
    })
    .await?;
    drop(servers);
    if let Some(asked) = ended.asked {
        return Ok(asked.code());
    }

    if ended.code != 0 && tally.total.failed == 0 {
        tally.total.failed = 1;
        eprintln!(
            "error: `cargo test` failed outside any test: it did not build, or a test binary crashed"
        );
    }
    println!();
    for database in databases {
        let count = tally.of(database);
        println!(
            "{database}: {} passed, {} failed",
            count.passed, count.failed
        );
    }
    if filters.is_empty() {
        let (fail, pass) = fixtures(&cargo::root().join("ui-tests"));
        println!("ui fixtures: {fail} mistakes, {pass} that must compile");
    }
    if tally.ignored > 0 {
        println!("ignored: {}", tally.ignored);
    }
    say_left_out();
    println!(
        "{} passed, {} failed",
        tally.total.passed, tally.total.failed
    );
    Ok(u8::from(tally.total.failed > 0))
}

/// How many fixtures there are in the folders `fail` and `pass` below `folder`.
fn fixtures(folder: &Path) -> (usize, usize) {
    let mut found = (0, 0);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let inside = folder.file_name().and_then(|name| name.to_str());
        if path.is_dir() {
            let (fail, pass) = fixtures(&path);
            found = (found.0 + fail, found.1 + pass);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            match inside {
                Some("fail") => found.0 += 1,
                Some("pass") => found.1 += 1,
                _ => {}
            }
        }
    }
    found
}
