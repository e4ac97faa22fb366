//! `cargo xtask setup`: finds or installs what the other commands need.

use std::io;

use xtask::servers::{Authority, MariaDb, Postgres, install_openssl};

use crate::signals::Signals;

pub(crate) async fn run(mut signals: Signals) -> io::Result<u8> {
    let installing = tokio::task::spawn_blocking(|| {
        Postgres::find()?;
        MariaDb::find()?;
        Authority::find()?;
        install_openssl()
    });
    tokio::select! {
        installed = installing => installed.map_err(io::Error::other)?.map(|()| 0),
        asked = signals.next() => std::process::exit(asked.code().into()),
    }
}
