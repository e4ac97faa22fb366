//! `MariaDB`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::binaries::{Need, Programs};
use super::home::Home;
use super::server::{Kind, Options, Server};

/// A private `MariaDB` server. `max_connections` is 200; `root` needs no password, `steadfast` does.
pub type MariaDb = Server<MariaDbKind>;

/// The `MariaDB` in [`MariaDb`].
#[derive(Debug)]
pub struct MariaDbKind(Programs);

// Run at every start, so that neither a client nor a first start of another kind is needed.
const INIT: &str = "CREATE DATABASE IF NOT EXISTS steadfast;
CREATE USER IF NOT EXISTS 'steadfast'@'%' IDENTIFIED BY 'steadfast';
GRANT ALL ON steadfast.* TO 'steadfast'@'%';
";

const TLS_ALONE: &str = "ALTER USER 'steadfast'@'%' REQUIRE SSL;\n";

impl Kind for MariaDbKind {
    const NAME: &'static str = "MariaDB";
    const PREFIX: &'static str = "steadfast-mariadb-";
    const ACCOUNTS: &'static [&'static str] = &["mysql", "nobody"];
    const STOP: Signal = Signal::TERM;
    const END: (Signal, &'static str) = (Signal::KILL, "KILL");
    const TAKEN: &'static [&'static str] = &[
        "Address already in use",
        "Can't start server: Bind on TCP/IP port",
    ];

    fn find() -> io::Result<Self> {
        Programs::find(&Need::MARIADB).map(Self)
    }

    fn initialise(&self, home: &Home, options: &Options) -> io::Result<()> {
        let mut script = INIT.to_owned();
        if options.identity.is_some() {
            script.push_str(TLS_ALONE);
        }
        home.write("init.sql", &script)?;
        let mut arguments = vec!["--no-defaults".into(), option("datadir", home.data())];
        arguments.extend(
            ["--auth-root-authentication-method=normal", "--skip-test-db"].map(OsString::from),
        );
        home.run(&self.0.path("mariadb-install-db"), &arguments, "")
    }

    fn command(&self, home: &Home, options: &Options, port: u16) -> (PathBuf, Vec<OsString>) {
        let mut arguments: Vec<OsString> = vec![
            "--no-defaults".into(),
            option("datadir", home.data()),
            option("socket", home.path().join("s")),
            option("pid-file", home.path().join("pid")),
            option("tmpdir", home.path()),
            option("init-file", home.path().join("init.sql")),
            format!("--port={port}").into(),
        ];
        // No look-up of names, which also turns off the list of hosts that are refused after too many broken
        // handshakes.
        for setting in [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=200",
            "--character-set-server=utf8mb4",
            // Killed with io_uring at work and started again at once, MariaDB 10.11.19 broke its own data on a busy
            // machine (3 times in some 700 kills, by plain SQL alone); without it not once in 1,600.
            "--innodb-use-native-aio=0",
        ] {
            arguments.push(setting.into());
        }
        if !options.fsync {
            arguments.push("--debug-no-sync".into());
        }
        if options.identity.is_some() {
            let [certificate, key] = home.identity();
            arguments.extend([option("ssl-cert", certificate), option("ssl-key", key)]);
        }
        if options.clients.is_some() {
            arguments.push(option("ssl-ca", home.trusted()));
        }
        arguments.extend(
            options
                .settings
                .iter()
                .map(|(name, value)| format!("--{name}={value}").into()),
        );
        (self.0.path("mariadbd"), arguments)
    }

    fn is_ready(&self, home: &Home, pid: u32, port: u16) -> bool {
        let written = fs::read_to_string(home.path().join("pid")).unwrap_or_default();
        written.trim() == pid.to_string() && greets(port).is_ok_and(|yes| yes)
    }

    fn url(port: u16, superuser: bool, database: Option<&str>) -> String {
        let user = if superuser {
            "root"
        } else {
            "steadfast:steadfast"
        };
        format!(
            "mysql://{user}@127.0.0.1:{port}/{}",
            database.unwrap_or("steadfast")
        )
    }
}

fn option(name: &str, path: impl Into<PathBuf>) -> OsString {
    let mut option = OsString::from(format!("--{name}="));
    option.push(path.into());
    option
}

/// Whether a connection is greeted with version 10 of the protocol, and not with an error.
fn greets(port: u16) -> io::Result<bool> {
    const LIMIT: Duration = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting)?;
    Ok(greeting[4] == 10)
}
