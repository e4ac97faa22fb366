//! One private server: started, stopped, killed, paused and restarted at will.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::authority::{Authority, Identity};
use super::home::{Home, tail};
use super::port;
use super::process::{children, crash, freeze, signal, thaw, wait};

// Generous: recovery after a crash on a machine that is busy with other things.
const START: Duration = Duration::from_mins(1);
const STOP: Duration = Duration::from_mins(1);
const STEP: Duration = Duration::from_millis(10);

/// What differs between the kinds of server. Not for use outside this module.
pub trait Kind: Debug + Send + Sync + Sized + 'static {
    /// For messages.
    const NAME: &'static str;
    /// Begins the name of the temporary folder.
    const PREFIX: &'static str;
    /// As whom it runs when this process is root; the first that exists.
    const ACCOUNTS: &'static [&'static str];
    /// Ends it in good order, without waiting for its clients.
    const STOP: Signal;
    /// Ends it at once, without leaving anything behind in the system.
    const END: (Signal, &'static str);
    /// What the log says when the port is taken.
    const TAKEN: &'static [&'static str];

    /// Finds the programs, or installs them.
    ///
    /// # Errors
    ///
    /// Programs that are missing and cannot be installed.
    fn find() -> io::Result<Self>;
    /// Fills the data folder.
    ///
    /// # Errors
    ///
    /// A program that fails; the message holds the end of its output.
    fn initialise(&self, home: &Home, options: &Options) -> io::Result<()>;
    /// The program of the server, and its arguments.
    fn command(&self, home: &Home, options: &Options, port: u16) -> (PathBuf, Vec<OsString>);
    /// Whether process `pid` serves `port` now; a stranger that has the port must not do.
    fn is_ready(&self, home: &Home, pid: u32, port: u16) -> bool;
    /// Whom to connect as: one who may do everything, or an ordinary user.
    fn url(port: u16, superuser: bool, database: Option<&str>) -> String;
}

/// Settings of a server that is yet to be started.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) fsync: bool,
    pub(super) settings: Vec<(String, String)>,
    pub(super) identity: Option<Identity>,
    /// The certificate of whoever has certified its clients.
    pub(super) clients: Option<PathBuf>,
}

/// Settings of a server that is yet to be started; from [`Server::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct Builder<K> {
    options: Options,
    kind: PhantomData<K>,
}

impl<K: Kind> Builder<K> {
    /// Whether a commit is on disk before it is answered: on by default. Without it a kill of the processes still loses
    /// nothing, only a power cut would.
    pub fn fsync(mut self, on: bool) -> Self {
        self.options.fsync = on;
        self
    }

    /// A setting of the server itself, by its own name: `setting("deadlock_timeout", "100ms")`.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.settings.push((name.into(), value.into()));
        self
    }

    /// Serves TLS beside plain connections, and proves with this who it is. `steadfast` gets in by TLS alone then.
    pub fn tls(mut self, identity: &Identity) -> Self {
        self.options.identity = Some(identity.clone());
        self
    }

    /// With [`tls`](Self::tls): trusts the clients that this authority has certified. PostgreSQL lets `steadfast` in with
    /// such a certificate alone then; on MariaDB that is an option of the user.
    pub fn clients_of(mut self, authority: &Authority) -> Self {
        self.options.clients = Some(authority.certificate());
        self
    }

    /// Finds or installs the programs, makes the data folder and starts the server; answers when it takes connections.
    ///
    /// # Errors
    ///
    /// Programs that are missing and cannot be installed (the message says what to install), or a server that does not
    /// start (the message holds the end of its log).
    pub fn start(self) -> io::Result<Server<K>> {
        let kind = K::find()?;
        let home = Home::create(K::PREFIX, K::ACCOUNTS, K::END.1)?;
        let mut server = Server {
            kind,
            home,
            options: self.options,
            port: 0,
            child: Mutex::new(None),
        };
        if let Some(identity) = &server.options.identity {
            server.home.keep(identity)?;
        }
        if let Some(clients) = &server.options.clients {
            server.home.trust(&fs::read_to_string(clients)?)?;
        }
        server.kind.initialise(&server.home, &server.options)?;
        for _ in 0..20 {
            server.port = port::free();
            if server.launch(&mut server.lock())? {
                return Ok(server);
            }
        }
        Err(io::Error::other(format!(
            "{}: 20 ports in a row were taken between choosing and starting",
            K::NAME
        )))
    }
}

/// A running private server, as [`Postgres`](super::Postgres) or [`MariaDb`](super::MariaDb). It ends with this value,
/// or with the process.
#[derive(Debug)]
pub struct Server<K: Kind> {
    kind: K,
    home: Home,
    options: Options,
    port: u16,
    child: Mutex<Option<Child>>,
}

impl<K: Kind> Server<K> {
    /// A server with default settings.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// Finds the programs, or installs them (Debian, as root).
    ///
    /// # Errors
    ///
    /// Programs that are missing and cannot be installed; the message says what to install.
    pub fn find() -> io::Result<()> {
        K::find().map(drop)
    }

    /// For a server with other settings.
    pub fn builder() -> Builder<K> {
        Builder {
            options: Options {
                fsync: true,
                settings: Vec::new(),
                identity: None,
                clients: None,
            },
            kind: PhantomData,
        }
    }

    /// Where to connect as the superuser, without a password; the database is there and empty.
    pub fn url(&self) -> String {
        K::url(self.port, true, None)
    }

    /// The same for another database, which the caller has to create.
    pub fn url_of(&self, database: &str) -> String {
        K::url(self.port, true, Some(database))
    }

    /// The same as `steadfast`, an ordinary user whose password (`steadfast`) is checked and who owns the database of
    /// that name.
    pub fn user_url(&self) -> String {
        K::url(self.port, false, None)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Gives it another identity than [`Builder::tls`] has. It takes it as soon as it is told to, by
    /// `SELECT pg_reload_conf()` or `FLUSH SSL`; open connections stay as they are.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written to.
    pub fn renew(&self, identity: &Identity) -> io::Result<()> {
        self.home.keep(identity)
    }

    /// The server's process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(Child::id)
    }

    /// What the server has logged since it was made.
    pub fn log(&self) -> String {
        self.home.log_since(0)
    }

    /// Ends the server in good order: clients are thrown out, what is committed is on disk. Nothing happens if it does
    /// not run.
    ///
    /// # Errors
    ///
    /// A server that is still there after a minute; it has been killed then.
    pub fn stop(&self) -> io::Result<()> {
        self.end(&mut self.lock())
    }

    /// `kill -9` of the server and all its children at one moment: clients see only the end of their connections.
    /// Nothing happens if it does not run.
    ///
    /// # Errors
    ///
    /// A process that cannot be killed.
    pub fn kill(&self) -> io::Result<()> {
        let mut running = self.lock();
        if let Some(mut child) = running.take() {
            crash(&mut child)?;
            self.home.watcher().forget();
        }
        Ok(())
    }

    /// Starts the server again on the same port and data; one that runs is stopped first.
    ///
    /// # Errors
    ///
    /// A server that does not start; the message holds the end of its log.
    pub fn restart(&self) -> io::Result<()> {
        let mut running = self.lock();
        self.end(&mut running)?;
        let end = Instant::now() + START;
        while !self.launch(&mut running)? {
            if Instant::now() >= end {
                return Err(io::Error::other(format!(
                    "{}: port {} is taken by somebody else",
                    K::NAME,
                    self.port
                )));
            }
            std::thread::sleep(STEP * 10);
        }
        Ok(())
    }

    /// Stops the server and all its children where they stand (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    ///
    /// A server that does not run.
    pub fn pause(&self) -> io::Result<()> {
        freeze(self.running()?).map(drop)
    }

    /// Ends [`pause`](Self::pause), and [`pause_process`](Self::pause_process) too.
    ///
    /// # Errors
    ///
    /// A server that does not run.
    pub fn resume(&self) -> io::Result<()> {
        thaw(self.running()?)
    }

    /// Stops one process of the server: a backend by the id that `pg_backend_pid()` gives, or the server's own, which
    /// leaves open sessions working and answers no new connection.
    ///
    /// # Errors
    ///
    /// A process that is not one of this server's.
    pub fn pause_process(&self, pid: u32) -> io::Result<()> {
        signal(self.own(pid)?, Signal::STOP)
    }

    /// Lets one process of the server run again.
    ///
    /// # Errors
    ///
    /// A process that is not one of this server's.
    pub fn resume_process(&self, pid: u32) -> io::Result<()> {
        signal(self.own(pid)?, Signal::CONT)
    }

    /// `kill -9` of one backend. `PostgreSQL` then throws out all its clients and recovers by itself.
    ///
    /// # Errors
    ///
    /// A process that is not a child of this server.
    pub fn kill_process(&self, pid: u32) -> io::Result<()> {
        if Some(pid) == self.pid() {
            return Err(io::Error::other("this is the server itself: use `kill`"));
        }
        signal(self.own(pid)?, Signal::KILL)
    }

    fn own(&self, pid: u32) -> io::Result<u32> {
        let server = self.running()?;
        if pid == server || children(server).contains(&pid) {
            Ok(pid)
        } else {
            Err(io::Error::other(format!(
                "process {pid} is not one of this server's"
            )))
        }
    }

    fn running(&self) -> io::Result<u32> {
        self.pid().ok_or_else(|| {
            io::Error::other(format!("{} does not run: `restart` it first", K::NAME))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, running: &mut Option<Child>) -> io::Result<()> {
        let Some(mut child) = running.take() else {
            return Ok(());
        };
        thaw(child.id())?;
        signal(child.id(), K::STOP)?;
        let ended = wait(&mut child, STOP)?;
        if ended.is_none() {
            crash(&mut child)?;
        }
        self.home.watcher().forget();
        match ended {
            Some(_) => Ok(()),
            None => Err(io::Error::other(format!(
                "{} did not stop within {STOP:?}\n{}",
                K::NAME,
                tail(&self.log())
            ))),
        }
    }

    /// `false`: the port was taken.
    fn launch(&self, running: &mut Option<Child>) -> io::Result<bool> {
        let logged = fs::metadata(self.home.log()).map_or(0, |metadata| metadata.len());
        let mut child = {
            let (program, arguments) = self.kind.command(&self.home, &self.options, self.port);
            self.home.start(&program, &arguments)?
        };
        // Its end of input.
        drop(child.stdin.take());
        let end = Instant::now() + START;
        loop {
            let gone = child.try_wait()?;
            if gone.is_none() && Instant::now() < end {
                if self.kind.is_ready(&self.home, child.id(), self.port) {
                    *running = Some(child);
                    return Ok(true);
                }
                std::thread::sleep(STEP);
                continue;
            }
            crash(&mut child)?;
            self.home.watcher().forget();
            let log = self.home.log_since(logged);
            if gone.is_some() && K::TAKEN.iter().any(|text| log.contains(text)) {
                return Ok(false);
            }
            let what = gone.map_or_else(
                || format!("was not ready within {START:?}"),
                |status| format!("ended: {status}"),
            );
            return Err(io::Error::other(format!(
                "{} {what}\n{}",
                K::NAME,
                tail(&log)
            )));
        }
    }
}

impl<K: Kind> Drop for Server<K> {
    fn drop(&mut self) {
        let running = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut child) = running.take() {
            // Whatever fails here, the watcher, dropped next, tries again by its own means.
            let _ = thaw(child.id());
            let _ = signal(child.id(), K::END.0);
            if !matches!(wait(&mut child, Duration::from_secs(5)), Ok(Some(_))) {
                let _ = crash(&mut child);
            }
            self.home.watcher().forget();
        }
    }
}
