//! `PostgreSQL`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::binaries::{Need, Programs};
use super::home::Home;
use super::server::{Kind, Options, Server};

/// A private `PostgreSQL` server. `max_connections` is 200; everybody is trusted, except `steadfast`, who needs the
/// password.
pub type Postgres = Server<PostgresKind>;

/// The `PostgreSQL` in [`Postgres`].
#[derive(Debug)]
pub struct PostgresKind(Programs);

// One statement a line, as `postgres --single` wants them.
const INIT: &str = "CREATE ROLE steadfast LOGIN PASSWORD 'steadfast'
CREATE DATABASE steadfast OWNER steadfast
";

const STEADFAST: &str = "all steadfast 127.0.0.1/32";

impl Kind for PostgresKind {
    const NAME: &'static str = "PostgreSQL";
    const PREFIX: &'static str = "steadfast-postgres-";
    const ACCOUNTS: &'static [&'static str] = &["postgres", "nobody"];
    const STOP: Signal = Signal::INT;
    const END: (Signal, &'static str) = (Signal::QUIT, "QUIT");
    const TAKEN: &'static [&'static str] = &["Address already in use"];

    fn find() -> io::Result<Self> {
        Programs::find(&Need::POSTGRES).map(Self)
    }

    fn initialise(&self, home: &Home, options: &Options) -> io::Result<()> {
        let data = home.data();
        let mut arguments = vec![OsString::from("-D"), data.clone().into()];
        arguments.extend(
            [
                "-A",
                "trust",
                "-U",
                "postgres",
                "-k",
                "-N",
                "--no-locale",
                "-E",
                "UTF8",
            ]
            .map(OsString::from),
        );
        home.run(&self.0.path("initdb"), &arguments, "")?;

        let access = data.join("pg_hba.conf");
        let rest = fs::read_to_string(&access)?;
        fs::write(
            &access,
            // The first line that fits decides.
            match options.identity {
                Some(_) => {
                    let certified = options
                        .clients
                        .as_ref()
                        .map_or("", |_| " clientcert=verify-ca");
                    format!(
                        "hostssl {STEADFAST} scram-sha-256{certified}\nhost {STEADFAST} reject\n{rest}"
                    )
                }
                None => format!("host {STEADFAST} scram-sha-256\n{rest}"),
            },
        )?;

        let mut arguments = vec!["--single".into(), "-D".into(), data.into()];
        arguments.extend(options.arguments("-c", "fsync=off"));
        arguments.push("postgres".into());
        home.run(&self.0.path("postgres"), &arguments, INIT)
    }

    fn command(&self, home: &Home, options: &Options, port: u16) -> (PathBuf, Vec<OsString>) {
        let mut arguments: Vec<OsString> = vec![
            "-D".into(),
            home.data().into(),
            "-p".into(),
            port.to_string().into(),
        ];
        arguments.extend(["-k".into(), home.path().into()]);
        let mut settings = vec![
            "listen_addresses=127.0.0.1",
            "max_connections=200",
            "dynamic_shared_memory_type=mmap",
        ];
        if cfg!(target_os = "linux") {
            // After a crash the server syncs its whole data folder: in one call 0.15 s, file by file 1 to 4 s.
            settings.push("recovery_init_sync_method=syncfs");
        }
        for setting in settings {
            arguments.extend(["-c".into(), setting.into()]);
        }
        if options.identity.is_some() {
            let [certificate, key] = home.identity().map(|path| path.display().to_string());
            for setting in [
                "ssl=on".to_owned(),
                format!("ssl_cert_file={certificate}"),
                format!("ssl_key_file={key}"),
            ] {
                arguments.extend(["-c".into(), setting.into()]);
            }
        }
        if options.clients.is_some() {
            let clients = home.trusted();
            arguments.extend([
                "-c".into(),
                format!("ssl_ca_file={}", clients.display()).into(),
            ]);
        }
        arguments.extend(options.arguments("-c", "fsync=off"));
        (self.0.path("postgres"), arguments)
    }

    fn is_ready(&self, home: &Home, pid: u32, port: u16) -> bool {
        let status = fs::read_to_string(home.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = status.lines().map(str::trim);
        let own = lines.next() == Some(&*pid.to_string());
        own && lines.nth(6) == Some("ready")
            && answers((Ipv4Addr::LOCALHOST, port).into()).is_ok_and(|yes| yes)
    }

    fn url(port: u16, superuser: bool, database: Option<&str>) -> String {
        if superuser {
            format!(
                "postgres://postgres@127.0.0.1:{port}/{}",
                database.unwrap_or("postgres")
            )
        } else {
            format!(
                "postgres://steadfast:steadfast@127.0.0.1:{port}/{}",
                database.unwrap_or("steadfast")
            )
        }
    }
}

/// Whether a start-up packet is answered with a request for authentication (which is "none needed").
fn answers(address: SocketAddr) -> io::Result<bool> {
    const LIMIT: Duration = Duration::from_secs(1);
    let parameters = b"user\0postgres\0database\0postgres\0\0";
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let length = u32::try_from(8 + parameters.len()).map_err(io::Error::other)?;
    stream.write_all(
        &[
            &length.to_be_bytes()[..],
            &196_608_u32.to_be_bytes(),
            parameters,
        ]
        .concat(),
    )?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    stream.write_all(b"X\0\0\0\x04")?;
    Ok(answer == *b"R")
}

impl Options {
    /// Each setting as `flag name=value`, after the one that turns fsync off if that is wanted.
    fn arguments(&self, flag: &str, fsync_off: &str) -> Vec<OsString> {
        let fsync = (!self.fsync).then(|| fsync_off.to_owned());
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        fsync
            .into_iter()
            .chain(settings)
            .flat_map(|setting| [flag.into(), setting.into()])
            .collect()
    }
}
