//! The proxy's handle.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::link::Link;
use super::protocol::Protocol;
use super::rules::{Armed, Fault, Rules};
use super::sent::Sent;
use super::traffic::{Report, Traffic};

/// Long enough for a client in another thread to see each piece by itself.
const PAUSE: Duration = Duration::from_micros(100);

/// A running proxy. All connections end with it.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    url: Option<(String, String)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) upstream: SocketAddr,
    pub(super) protocol: Protocol,
    pub(super) rules: Rules,
    pub(super) traffic: Traffic,
    /// Orders that somebody may wait for have changed.
    pub(super) changed: Notify,
    stop: Notify,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
}

impl Proxy {
    /// A proxy in front of `upstream`, on a free port of loopback.
    ///
    /// # Errors
    ///
    /// No port or no thread to be had.
    pub fn start(upstream: SocketAddr, protocol: Protocol) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let shared = Arc::new(Shared {
            upstream,
            protocol,
            rules: Rules::default(),
            traffic: Traffic::default(),
            changed: Notify::new(),
            stop: Notify::new(),
            links: Mutex::new(BTreeMap::new()),
        });
        let work = shared.clone();
        let thread = std::thread::Builder::new()
            .name("proxy".into())
            .spawn(move || {
                // Dropping the runtime, at the end of this closure, closes every connection.
                runtime.block_on(async {
                    tokio::select! {
                        () = work.stop.notified() => (),
                        () = accept(listener, &work) => (),
                    }
                });
            })?;
        Ok(Self {
            shared,
            address,
            url: None,
            thread: Some(thread),
        })
    }

    /// A proxy in front of the server of a URL like `postgres://user@127.0.0.1:5432/db`; the scheme says the protocol.
    ///
    /// # Errors
    ///
    /// A URL without a known scheme, host and port; and as [`start`](Self::start).
    pub fn before(url: &str) -> io::Result<Self> {
        let invalid = || {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "a URL `postgres://…` or `mysql://…` with host and port is wanted",
            )
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
        let protocol = match scheme {
            "postgres" | "postgresql" => Protocol::Postgres,
            "mysql" | "mariadb" => Protocol::MySql,
            _ => return Err(invalid()),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = authority
            .rsplit_once('@')
            .map_or(("", authority), |(user, host)| (user, host));
        let upstream = host
            .to_socket_addrs()
            .map_err(|_| invalid())?
            .next()
            .ok_or_else(invalid)?;
        let user = if user.is_empty() {
            String::new()
        } else {
            format!("{user}@")
        };
        let mut proxy = Self::start(upstream, protocol)?;
        proxy.url = Some((format!("{scheme}://{user}"), path.to_owned()));
        Ok(proxy)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of [`before`](Self::before), through this proxy; for one from [`start`](Self::start) just `tcp://` and
    /// the address.
    pub fn url(&self) -> String {
        match &self.url {
            Some((before, after)) => format!("{before}{}{after}", self.address),
            None => format!("tcp://{}", self.address),
        }
    }

    /// At most `bytes` at a time from now on, in both directions; 0 ends that.
    pub fn trickle(&self, bytes: usize) {
        self.trickle_slowly(bytes, PAUSE);
    }

    /// The same with another pause between two pieces.
    pub fn trickle_slowly(&self, bytes: usize, pause: Duration) {
        self.shared.rules.lock().trickle = (bytes > 0).then_some((bytes, pause));
    }

    /// Each piece of either direction waits for so long from now on: a round trip takes twice that.
    pub fn delay(&self, delay: Duration) {
        self.shared.rules.lock().delay = delay;
    }

    /// A black hole from now on: connections stay open, new ones are accepted, nothing is passed on.
    pub fn hold(&self) {
        self.shared.rules.lock().held = true;
    }

    /// What servers send is held back from now on, and what clients send is passed on; also where nothing can be read.
    pub fn hold_answers(&self) {
        self.shared.rules.lock().answers_held = true;
    }

    /// Ends [`hold`](Self::hold), [`hold_answers`](Self::hold_answers) and every hold by a [`Fault`]; what was held back
    /// goes on its way.
    pub fn resume(&self) {
        {
            let mut orders = self.shared.rules.lock();
            orders.held = false;
            orders.answers_held = false;
        }
        self.links().values().for_each(|link| link.release());
        self.shared.changed.notify_waiters();
    }

    /// Whether new connections are cut as soon as they come.
    pub fn refuse(&self, refuse: bool) {
        self.shared.rules.lock().refuse = refuse;
    }

    /// Cuts every connection; says how many there were.
    pub fn cut(&self) -> usize {
        let links = self.links();
        links.values().for_each(|link| link.cut());
        links.len()
    }

    /// Cuts one connection, by its number in [`reports`](Self::reports); `false` if it is gone already.
    pub fn cut_one(&self, id: u64) -> bool {
        self.links().get(&id).map(|link| link.cut()).is_some()
    }

    /// Arms a fault for the next message that `at` says yes to, on any connection.
    pub fn on(&self, at: impl Fn(&Sent) -> bool + Send + 'static, fault: Fault) {
        self.arm(Armed {
            at: Box::new(at),
            fault,
            once: true,
        });
    }

    /// Arms a fault for every message that `at` says yes to, until [`disarm`](Self::disarm).
    pub fn on_each(&self, at: impl Fn(&Sent) -> bool + Send + 'static, fault: Fault) {
        self.arm(Armed {
            at: Box::new(at),
            fault,
            once: false,
        });
    }

    fn arm(&self, armed: Armed) {
        self.shared.rules.lock().armed.push(armed);
    }

    /// Takes back every fault that has not struck; says how many.
    pub fn disarm(&self) -> usize {
        std::mem::take(&mut self.shared.rules.lock().armed).len()
    }

    /// How many faults have struck; one at an answer counts when the server has answered.
    pub fn fired(&self) -> u64 {
        self.shared.rules.lock().fired
    }

    /// How often a client waited for the server since the last [`reset`](Self::reset), on all connections together.
    pub fn round_trips(&self) -> u64 {
        self.shared.traffic.lock().round_trips()
    }

    /// What clients sent since the last [`reset`](Self::reset), in the order in which it came.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared.traffic.lock().messages()
    }

    /// Every connection that is open, or was since the last [`reset`](Self::reset).
    pub fn reports(&self) -> Vec<Report> {
        self.shared.traffic.lock().reports()
    }

    /// Counts from nothing again.
    pub fn reset(&self) {
        self.shared.traffic.lock().reset();
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Link>>> {
        self.shared.links()
    }
}

impl Shared {
    fn links(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, shared: &Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    for id in 1.. {
        let (client, peer) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                // Out of file descriptors, or a client that is gone again: the next one may fare better.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        if shared.rules.lock().refuse {
            let _ = client.set_zero_linger();
            continue;
        }
        let link = Link::new(id);
        shared.traffic.lock().opened(id, peer);
        shared.links().insert(id, link.clone());
        let shared = shared.clone();
        tokio::spawn(async move {
            link.run(client, shared.clone()).await;
            shared.links().remove(&id);
            shared.traffic.lock().closed(id);
        });
    }
}
