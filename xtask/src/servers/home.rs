//! The temporary folder of one server: data, log and socket. It goes with this value, and with this process.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::account::Account;
use super::authority::Identity;
use super::watcher::Watcher;

// A Unix socket's path has room for 107 bytes; the socket's own name takes up to 20 of them.
const LONGEST: usize = 85;

const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";
const CLIENTS: &str = "clients.crt";

// Held while a folder is made that no watcher removes yet.
static MAKING: Mutex<()> = Mutex::new(());

/// As long as it is held no folder is made: whoever exits meanwhile leaves none behind.
pub fn making_none() -> MutexGuard<'static, ()> {
    MAKING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder, and the account that owns it.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    account: Option<Account>,
    watcher: Mutex<Watcher>,
}

impl Home {
    /// `end` is the signal that ends the server at once.
    pub(super) fn create(prefix: &str, accounts: &[&str], end: &str) -> io::Result<Self> {
        let account = Account::choose(accounts)?;
        let parent = [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")]
            .into_iter()
            .filter_map(|parent| parent.canonicalize().ok())
            .find(|parent| suits(parent, account))
            .ok_or_else(|| {
                io::Error::other("no temporary folder that a server's user can reach: set TMPDIR to one with a short path")
            })?;
        // The watcher removes it.
        let making = making_none();
        let path = tempfile::Builder::new()
            .prefix(prefix)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?
            .keep();
        let watcher = Mutex::new(Watcher::start(&path, end)?);
        drop(making);
        let home = Self {
            path,
            account,
            watcher,
        };
        home.give(&home.path)?;
        Ok(home)
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

    /// A new file that the server can read.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.path.join(name);
        fs::write(&path, text)?;
        self.give(&path)
    }

    /// What a server proves with who it is, readable to nobody else: servers insist on that.
    pub(super) fn keep(&self, identity: &Identity) -> io::Result<()> {
        self.write(CERTIFICATE, &identity.certificate)?;
        // Not readable to others for a moment either.
        let _ = fs::remove_file(self.path.join(KEY));
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path.join(KEY))?;
        self.write(KEY, &identity.key)
    }

    /// Where the certificate is that was kept, and its key.
    pub(super) fn identity(&self) -> [PathBuf; 2] {
        [CERTIFICATE, KEY].map(|name| self.path.join(name))
    }

    /// Who may certify clients.
    pub(super) fn trust(&self, certificate: &str) -> io::Result<()> {
        self.write(CLIENTS, certificate)
    }

    /// Where that is written.
    pub(super) fn trusted(&self) -> PathBuf {
        self.path.join(CLIENTS)
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        self.account.map_or(Ok(()), |Account { uid, gid }| {
            std::os::unix::fs::chown(path, Some(uid), Some(gid))
        })
    }

    /// Starts a program as a direct child, in this folder, as its owner; it writes into the log and reads what the
    /// caller gives it. The caller's environment stays out: `PGDATA` or a locale in it would change what the server
    /// does and says.
    ///
    /// The shell in front waits for a word from us, which comes when the watcher knows the process. Should we die
    /// before, the shell reads the end of its input and the program never runs.
    pub(super) fn start(&self, program: &Path, arguments: &[OsString]) -> io::Result<Child> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", r#"read -r _ && exec "$@""#, "server"])
            .arg(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.path)
            .env("LC_ALL", "C")
            // A MariaDB that starts removes what it finds of temporary tables in the folder that all share.
            .env("TMPDIR", &self.path)
            .current_dir(&self.path)
            // Out of reach of Ctrl-C, which goes to the whole group of the terminal.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(account) = self.account {
            account.apply(&mut command);
        }
        let mut child = command.spawn()?;
        self.watcher().watch(child.id())?;
        if let Some(gate) = &mut child.stdin {
            // A shell that is gone already shows when it is waited for.
            let _ = gate.write_all(b"go\n");
        }
        Ok(child)
    }

    /// Runs a program to its end, with `input` to read; the error holds the end of the log.
    pub(super) fn run(
        &self,
        program: &Path,
        arguments: &[OsString],
        input: &str,
    ) -> io::Result<()> {
        let mut child = self.start(program, arguments)?;
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input.as_bytes());
        }
        let status = child.wait()?;
        self.watcher().forget();
        if status.success() {
            return Ok(());
        }
        let log = self.log_since(0);
        Err(io::Error::other(format!(
            "`{}` failed: {status}\n{}",
            program.display(),
            tail(&log)
        )))
    }

    /// Who ends the server if this process cannot.
    pub(super) fn watcher(&self) -> MutexGuard<'_, Watcher> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last lines of a log, for an error.
pub(super) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(80)..].join("\n")
}

fn suits(parent: &Path, account: Option<Account>) -> bool {
    let reachable = account.is_none()
        || parent.ancestors().all(|folder| {
            fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
        });
    parent.as_os_str().len() + "/steadfast-postgres-XXXXXX".len() <= LONGEST && reachable
}
