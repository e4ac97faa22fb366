//! `cargo xtask coverage`: how many lines of `runtime` its tests run, counted by cargo-tarpaulin.

use std::io::{self, Write};
use std::process::Stdio;

use xtask::database::Database;

use crate::running::Running;
use crate::signals::Signals;
use crate::{cargo, job};

/// Of a hundred lines, so many must be run.
const ENOUGH: f64 = 90.0;

/// The packages whose tests count: the product's own, and those that use it as its users do.
const PACKAGES: [&str; 2] = ["steadfast", "steadfast-tests"];

const INSTALL: &str = "cargo-tarpaulin is missing: `cargo install --locked cargo-tarpaulin`";

pub(crate) async fn run(mut signals: Signals) -> io::Result<u8> {
    if !is_installed(&mut signals).await? {
        return Err(io::Error::other(INSTALL));
    }
    let servers = Running::start(&Database::ALL, &mut signals).await?;
    // Its LLVM engine needs no tools of LLVM's, and slows nothing down. A folder of its own keeps what the other commands
    // have built.
    let mut command = cargo::command(&[
        "tarpaulin",
        "--engine",
        "llvm",
        "--skip-clean",
        "--target-dir",
        "target/coverage",
        "--all-features",
        "--include-files",
        "runtime/src/*",
        "--exclude-files",
        "runtime/src/**/tests.rs",
        "runtime/src/**/tests/*",
        "--timeout",
        "900",
        "--out",
        "Stdout",
    ]);
    for package in PACKAGES {
        command.args(["--packages", package]);
    }
    servers.announce(command.stdout(Stdio::piped()));
    let mut said = Vec::new();
    let ended = job::run(&mut command, &mut signals, |output| {
        said.extend_from_slice(output);
        let mut terminal = io::stdout();
        let _ = terminal.write_all(output).and_then(|()| terminal.flush());
    })
    .await?;
    if ended.asked.is_some() || ended.code != 0 {
        return Ok(ended.code);
    }
    match covered(&String::from_utf8_lossy(&said)) {
        Some(covered) if covered >= ENOUGH => Ok(0),
        Some(covered) => {
            eprintln!("error: {covered} % of the lines of `runtime` were run, of {ENOUGH} %");
            Ok(1)
        }
        None => Err(io::Error::other(
            "cargo-tarpaulin has not said how many lines were run",
        )),
    }
}

async fn is_installed(signals: &mut Signals) -> io::Result<bool> {
    let mut command = cargo::command(&["tarpaulin", "--version"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(job::run(&mut command, signals, |_| ()).await?.code == 0)
}

/// The percentage in tarpaulin's last line: `93.21% coverage, 5808/6174 lines covered`.
fn covered(said: &str) -> Option<f64> {
    let line = said.lines().rfind(|line| line.contains("% coverage, "))?;
    line.split_once('%')?.0.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells() {
        let said = "|| runtime/src/lib.rs: 1/2\n|| \n93.21% coverage, 5808/6174 lines covered, +0.10% change in coverage\n";
        assert_eq!(covered(said), Some(93.21));
        assert_eq!(covered("nothing"), None);
    }
}
