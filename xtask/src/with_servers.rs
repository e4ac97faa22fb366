//! `cargo xtask with-servers`: any command, with private servers up.

use std::ffi::OsString;
use std::io;

use tokio::process::Command;
use xtask::database::Database;

use crate::job;
use crate::running::{Running, chosen};
use crate::signals::Signals;

pub(crate) async fn run(
    only: &[Database],
    command: &[OsString],
    mut signals: Signals,
) -> io::Result<u8> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::Error::other("no command given"));
    };
    let servers = Running::start(&chosen(only), &mut signals).await?;
    let mut command = Command::new(program);
    command.args(arguments);
    servers.announce(&mut command);
    Ok(job::run(&mut command, &mut signals, |_| ()).await?.code)
}
