//! Private database servers: real ones, each in a temporary folder and on a free loopback port of its own.
//!
//! [`Postgres`] and [`MariaDb`] are started from the installed binaries as direct children of this process. They end with their
//! value, and also when this process ends without running a destructor, `kill -9` included: a watcher process holds the
//! other end of a pipe.
//!
//! Every method blocks (a start takes about a second, the rest milliseconds), so that it works in a test, in `Drop` and
//! in a plain thread alike.

mod account;
mod authority;
mod binaries;
mod home;
mod mariadb;
mod port;
mod postgres;
mod process;
mod server;
mod watcher;

pub use authority::{Authority, Identity};
pub use binaries::{Programs, install_openssl};
pub use home::making_none;
pub use mariadb::{MariaDb, MariaDbKind};
pub use postgres::{Postgres, PostgresKind};
pub use server::{Builder, Kind, Server};
