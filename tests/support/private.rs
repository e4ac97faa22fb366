//! Servers of a test's own, to kill, to fill and to start again.

use xtask::servers::{MariaDb, Postgres};

/// A private server of the kind that a driver talks to.
pub trait Private: sqlx::Database {
    type Server: Send + Sync + 'static;
    fn launch(settings: &[(&str, &str)], fsync: bool) -> std::io::Result<Self::Server>;
    fn url(server: &Self::Server) -> String;
    fn user_url(server: &Self::Server) -> String;
    fn kill(server: &Self::Server) -> std::io::Result<()>;
    fn restart(server: &Self::Server) -> std::io::Result<()>;
    fn pause(server: &Self::Server) -> std::io::Result<()>;
    fn resume(server: &Self::Server) -> std::io::Result<()>;
}

macro_rules! private {
    ($driver:ty, $server:ty) => {
        impl Private for $driver {
            type Server = $server;
            fn launch(settings: &[(&str, &str)], fsync: bool) -> std::io::Result<$server> {
                let mut builder = <$server>::builder().fsync(fsync);
                for (name, value) in settings {
                    builder = builder.setting(*name, *value);
                }
                builder.start()
            }
            fn url(server: &$server) -> String {
                server.url()
            }
            fn user_url(server: &$server) -> String {
                server.user_url()
            }
            fn kill(server: &$server) -> std::io::Result<()> {
                server.kill()
            }
            fn restart(server: &$server) -> std::io::Result<()> {
                server.restart()
            }
            fn pause(server: &$server) -> std::io::Result<()> {
                server.pause()
            }
            fn resume(server: &$server) -> std::io::Result<()> {
                server.resume()
            }
        }
    };
}

private!(sqlx::Postgres, Postgres);
private!(sqlx::MySql, MariaDb);

pub struct Server<DB: Private>(DB::Server);

impl<DB: Private> Server<DB> {
    /// As the superuser, without a password.
    pub fn url(&self) -> String {
        DB::url(&self.0)
    }

    /// As `steadfast`, whose password is `steadfast`.
    pub fn user_url(&self) -> String {
        DB::user_url(&self.0)
    }

    /// `kill -9`; blocks.
    pub fn kill(&self) -> std::io::Result<()> {
        DB::kill(&self.0)
    }

    /// Blocks until it takes connections again.
    pub fn restart(&self) -> std::io::Result<()> {
        DB::restart(&self.0)
    }

    /// Stops it where it stands: connections stay open and nothing answers.
    pub fn pause(&self) -> std::io::Result<()> {
        DB::pause(&self.0)
    }

    /// Ends that.
    pub fn resume(&self) -> std::io::Result<()> {
        DB::resume(&self.0)
    }
}

impl Server<sqlx::Postgres> {
    /// `kill -9` of one backend; the server then throws out all its clients and recovers.
    pub fn kill_backend(&self, pid: u32) -> std::io::Result<()> {
        self.0.kill_process(pid)
    }
}

pub async fn start<DB: Private>() -> Server<DB> {
    start_with(&[]).await
}

/// One that answers a COMMIT when it is on disk.
pub async fn start_durable<DB: Private>() -> Server<DB> {
    launch(&[], true).await
}

pub async fn start_with<DB: Private>(
    settings: &'static [(&'static str, &'static str)],
) -> Server<DB> {
    launch(settings, false).await
}

async fn launch<DB: Private>(
    settings: &'static [(&'static str, &'static str)],
    fsync: bool,
) -> Server<DB> {
    tokio::task::spawn_blocking(move || Server(DB::launch(settings, fsync).unwrap()))
        .await
        .unwrap()
}
