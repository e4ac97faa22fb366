//! Servers of a campaign's own, to stop, to kill and to start again.

use std::io;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sqlx::{Connection as _, MySql, Postgres};
use steadfast_tests::support::eventually;
use tokio::task::spawn_blocking;
use xtask::servers::{Kind, MariaDbKind, PostgresKind, Server};

/// What a part of a campaign panics with where there is no server to attack.
#[derive(Debug)]
pub(crate) struct NoServer;

/// A server that is being started. Where that fails the part ends, and nothing was shown.
pub(crate) async fn started<S>(starting: impl Future<Output = S>) -> S {
    // Whoever starts it has said why.
    let started = AssertUnwindSafe(starting).catch_unwind().await;
    started.unwrap_or_else(|_payload| resume_unwind(Box::new(NoServer)))
}

/// The kind of server that a driver talks to.
pub(crate) trait Served: sqlx::Database {
    type Kind: Kind;
}

impl Served for Postgres {
    type Kind = PostgresKind;
}

impl Served for MySql {
    type Kind = MariaDbKind;
}

/// A server that nobody else uses. What it does takes a while, and blocks no runtime.
#[derive(Debug)]
pub(crate) struct Private<DB: Served>(Arc<Server<DB::Kind>>);

impl<DB: Served> Private<DB> {
    pub(crate) async fn start(settings: &'static [(&'static str, &'static str)]) -> Self {
        let start = move || {
            // A kill of its processes loses nothing by that; only a power cut would.
            let builder = Server::builder().fsync(false);
            let set = |builder: xtask::servers::Builder<_>, &(name, value): &(&str, &str)| {
                builder.setting(name, value)
            };
            settings.iter().fold(builder, set).start()
        };
        let server = async {
            let server = spawn_blocking(start).await.expect("no panic");
            server.expect("a private server starts")
        };
        Self(Arc::new(started(server).await))
    }

    /// As the superuser, without a password.
    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    /// `kill -9` of all of it, and a new start on the same data.
    pub(crate) async fn kill_and_restart(&self) {
        self.kill().await;
        self.restart().await;
    }

    /// `kill -9` of all of it.
    pub(crate) async fn kill(&self) {
        self.order(Server::kill).await;
    }

    /// It takes connections again when this answers.
    pub(crate) async fn restart(&self) {
        self.order(Server::restart).await;
    }

    /// Stops all of it where it stands.
    pub(crate) async fn pause(&self) {
        self.order(Server::pause).await;
    }

    /// Ends that, and what was done to single processes.
    pub(crate) async fn resume(&self) {
        self.order(Server::resume).await;
    }

    /// `kill -9` of one backend, by the number that PostgreSQL gives it.
    pub(crate) async fn kill_process(&self, pid: i64) {
        self.order(move |server| server.kill_process(process(pid)))
            .await;
    }

    /// The same with several, which are gone when this answers: until it has seen that one has died, PostgreSQL lets
    /// the others go on.
    pub(crate) async fn kill_processes(&self, pids: Vec<i64>) {
        self.order(move |server| {
            for pid in pids.into_iter().map(process) {
                while server.kill_process(pid).is_ok() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            Ok(())
        })
        .await;
    }

    /// Stops these backends where they stand.
    pub(crate) async fn pause_processes(&self, pids: Vec<i64>) {
        let pause = move |server: &Server<_>| {
            let mut pids = pids.into_iter().map(process);
            pids.try_for_each(|pid| server.pause_process(pid))
        };
        self.order(pause).await;
    }

    /// Waits until it takes connections. Whoever was connected when it threw out its clients is not any more.
    pub(crate) async fn comes_back(&self) {
        let url = self.url();
        let is_back = || async { DB::Connection::connect(&url).await.is_ok() };
        eventually("the server takes connections", is_back).await;
    }

    /// Ends it, which may take a while too.
    pub(crate) async fn end(self) {
        spawn_blocking(move || drop(self)).await.expect("no panic");
    }

    async fn order(
        &self,
        order: impl FnOnce(&Server<DB::Kind>) -> io::Result<()> + Send + 'static,
    ) {
        let server = Arc::clone(&self.0);
        let obeyed = spawn_blocking(move || order(&server)).await;
        obeyed.expect("no panic").expect("the server obeys");
    }
}

fn process(pid: i64) -> u32 {
    u32::try_from(pid).expect("a process id")
}
