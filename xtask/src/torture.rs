//! `cargo xtask torture`: the campaigns of the package `torture`, on private servers.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;

use xtask::database::Database;

use crate::running::Running;
use crate::signals::Signals;
use crate::{cargo, job};

/// Nothing was attacked: the arguments make no sense, or a server does not start.
const REFUSED: u8 = 2;

pub(crate) async fn run(arguments: &[OsString], mut signals: Signals) -> io::Result<u8> {
    // The program knows its campaigns. It is asked ahead of the servers, and says which it needs.
    let mut check = campaigns(arguments);
    check.arg("--check").stdout(Stdio::piped());
    let mut said = Vec::new();
    let ended = job::run(&mut check, &mut signals, |output| {
        said.extend_from_slice(output);
    })
    .await?;
    let said = String::from_utf8_lossy(&said);
    let databases: Option<Vec<Database>> = said.lines().map(|line| line.parse().ok()).collect();
    let databases = match (ended, databases) {
        (ended, _) if ended.asked.is_some() || ended.code != 0 => return Ok(ended.code),
        (_, Some(databases)) if !databases.is_empty() => databases,
        _ => {
            // It was asked for help.
            print!("{said}");
            return Ok(0);
        }
    };
    let servers = match Running::start(&databases, &mut signals).await {
        Ok(servers) => servers,
        Err(error) => {
            eprintln!("error: a server does not start: {error}");
            return Ok(REFUSED);
        }
    };
    let mut command = campaigns(arguments);
    servers.announce(&mut command);
    Ok(job::run(&mut command, &mut signals, |_| ()).await?.code)
}

fn campaigns(arguments: &[OsString]) -> tokio::process::Command {
    let mut command = cargo::command(&["run", "--quiet", "--package", "steadfast-torture", "--"]);
    command.args(arguments);
    command
}
