//! The temporary folder of one server: data, log and socket.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::Account;

// A Unix socket's path has room for 107 bytes; the socket's own name takes up to 20 of them.
const LONGEST: usize = 85;

/// The folder, and the account that owns it.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    account: Option<Account>,
}

impl Home {
    pub(super) fn create(prefix: &str, accounts: &[&str]) -> io::Result<Self> {
        let account = Account::choose(accounts)?;
        let parent = [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")]
            .into_iter()
            .filter_map(|parent| parent.canonicalize().ok())
            .find(|parent| suits(parent, account))
            .ok_or_else(|| {
                io::Error::other("no temporary folder that a server's user can reach: set TMPDIR to one with a short path")
            })?;
        // The watcher removes it, also where this process is killed before it can.
        let path = tempfile::Builder::new()
            .prefix(prefix)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?
            .keep();
        if let Some(Account { uid, gid }) = account {
            std::os::unix::fs::chown(&path, Some(uid), Some(gid))?;
        }
        Ok(Self { path, account })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the database keeps its files.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// What the log says from byte `from` on.
    pub(super) fn log_since(&self, from: u64) -> String {
        let bytes = fs::read(self.log()).unwrap_or_default();
        let from = usize::try_from(from).unwrap_or(0).min(bytes.len());
        String::from_utf8_lossy(&bytes[from..]).into_owned()
    }

    /// A command that runs in this folder, as its owner, and writes into the log. The caller's environment stays out: `PGDATA` or a
    /// locale in it would change what the server does and says.
    pub(super) fn command(&self, program: &Path) -> io::Result<Command> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.path)
            .env("LC_ALL", "C")
            .current_dir(&self.path)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(account) = self.account {
            account.apply(&mut command);
        }
        Ok(command)
    }

    /// Runs `command` to its end; the error holds the end of the log.
    pub(super) fn run(&self, mut command: Command) -> io::Result<()> {
        let status = command
            .status()
            .map_err(|error| self.failure(&command, &error.to_string()))?;
        if status.success() {
            Ok(())
        } else {
            Err(self.failure(&command, &status.to_string()))
        }
    }

    fn failure(&self, command: &Command, what: &str) -> io::Error {
        let program = command.get_program().display();
        io::Error::other(format!(
            "`{program}` failed: {what}\n{}",
            tail(&self.log_since(0))
        ))
    }
}

/// The last lines of a log, for an error.
pub(super) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn suits(parent: &Path, account: Option<Account>) -> bool {
    let reachable = account.is_none()
        || parent.ancestors().all(|folder| {
            fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
        });
    parent.as_os_str().len() + "/steadfast-postgres-XXXXXX".len() <= LONGEST && reachable
}
