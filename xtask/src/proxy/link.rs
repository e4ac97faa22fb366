//! One connection through the proxy: two pumps, and what may stop them.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;

use super::handle::Shared;
use super::protocol::{Reader, Seen};
use super::rules::{Fault, Orders};

const BUFFER: usize = 16 * 1024;

/// The part of a connection that orders can reach.
#[derive(Debug)]
pub(super) struct Link {
    id: u64,
    held: AtomicBool,
    cut: Notify,
}

impl Link {
    pub(super) fn new(id: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            held: AtomicBool::new(false),
            cut: Notify::new(),
        })
    }

    /// Both ends see a reset, wherever the pumps stand.
    pub(super) fn cut(&self) {
        // Kept for a link that does not wait for it yet.
        self.cut.notify_one();
    }

    pub(super) fn release(&self) {
        self.held.store(false, Ordering::SeqCst);
    }

    /// Runs the connection to its end.
    pub(super) async fn run(self: Arc<Self>, mut client: TcpStream, shared: Arc<Shared>) {
        let mut server = None;
        let cut = tokio::select! {
            () = self.cut.notified() => true,
            // One end that broke off breaks the other one off.
            done = self.connect_and_pump(&mut client, &mut server, &shared) => done.is_err(),
        };
        if cut {
            // A reset takes away what is still on its way, as a broken network would.
            for stream in std::iter::once(&client).chain(&server) {
                let _ = stream.set_zero_linger();
            }
        }
    }

    async fn connect_and_pump(
        &self,
        client: &mut TcpStream,
        server: &mut Option<TcpStream>,
        shared: &Shared,
    ) -> io::Result<()> {
        self.gate(shared).await;
        let server = server.insert(TcpStream::connect(shared.upstream).await?);
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let reader = Mutex::new(shared.protocol.reader());
        // The answer to come next is lost in this way.
        let lost = Mutex::new(None);
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            // A server that is done is done with both directions.
            done = self.answers(from_server, to_client, shared, &reader, &lost) => done,
            broken = self.requests(from_client, to_server, shared, &reader, &lost) => broken,
        }
    }

    /// From client to server. A client's end is passed on; then the server decides.
    async fn requests(
        &self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        shared: &Shared,
        reader: &Mutex<Reader>,
        lost: &Mutex<Option<Fault>>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        // What has come and not gone, and where in the stream it begins.
        let (mut waiting, mut position) = (Vec::new(), 0_u64);
        loop {
            let length = from.read(&mut buffer).await?;
            self.pass(shared).await;
            if length == 0 {
                write(&mut to, &waiting, shared).await?;
                to.shutdown().await?;
                return std::future::pending().await;
            }
            shared.traffic.lock().asked(self.id);
            waiting.extend_from_slice(&buffer[..length]);
            let (seen, complete) = {
                let mut reader = lock(reader);
                (reader.client(&buffer[..length]), reader.complete())
            };
            for Seen { start, end, sent } in seen {
                shared.traffic.lock().sent(self.id, sent.clone());
                let Some(fault) = shared.rules.lock().fault(&sent) else {
                    continue;
                };
                if fault.spares_the_message() {
                    *lock(lost) = Some(fault);
                    send(&mut to, &mut waiting, &mut position, end, shared).await?;
                } else {
                    send(&mut to, &mut waiting, &mut position, start, shared).await?;
                    self.strike(fault, shared).await;
                }
            }
            // While a fault may still strike, no part of a message goes ahead of the rest.
            let armed = !shared.rules.lock().armed.is_empty();
            let until = complete.filter(|_| armed).unwrap_or(u64::MAX);
            send(&mut to, &mut waiting, &mut position, until, shared).await?;
        }
    }

    async fn answers(
        &self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        shared: &Shared,
        reader: &Mutex<Reader>,
        lost: &Mutex<Option<Fault>>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        // The beginning of an answer that is lost as a whole.
        let mut kept = Vec::new();
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                self.gate_answers(shared).await;
                return to.shutdown().await;
            }
            let ended = lock(reader).server(&buffer[..length]);
            kept.extend_from_slice(&buffer[..length]);
            let fault = *lock(lost);
            if let Some(fault) = fault {
                if !ended {
                    continue;
                }
                *lock(lost) = None;
                self.strike(fault, shared).await;
            }
            self.pass(shared).await;
            self.gate_answers(shared).await;
            shared.traffic.lock().answered(self.id);
            write(&mut to, &kept, shared).await?;
            kept.clear();
        }
    }

    async fn strike(&self, fault: Fault, shared: &Shared) {
        shared.rules.lock().fired += 1;
        match fault {
            Fault::CutBefore | Fault::CutAnswer => {
                self.cut();
                std::future::pending::<()>().await;
            }
            Fault::HoldBefore | Fault::HoldAnswer => {
                self.held.store(true, Ordering::SeqCst);
                self.gate(shared).await;
            }
        }
    }

    /// Waits as long as orders want.
    async fn pass(&self, shared: &Shared) {
        let delay = shared.rules.lock().delay;
        if delay > Duration::ZERO {
            tokio::time::sleep(delay).await;
        }
        self.gate(shared).await;
    }

    async fn gate(&self, shared: &Shared) {
        self.wait_while(shared, |orders| orders.held).await;
    }

    async fn gate_answers(&self, shared: &Shared) {
        self.wait_while(shared, |orders| orders.held || orders.answers_held)
            .await;
    }

    async fn wait_while(&self, shared: &Shared, holds: impl Fn(&Orders) -> bool) {
        loop {
            let changed = shared.changed.notified();
            if !self.held.load(Ordering::SeqCst) && !holds(&shared.rules.lock()) {
                return;
            }
            changed.await;
        }
    }
}

/// Sends what is waiting up to `until` in the stream.
async fn send(
    to: &mut WriteHalf<'_>,
    waiting: &mut Vec<u8>,
    position: &mut u64,
    until: u64,
    shared: &Shared,
) -> io::Result<()> {
    let wanted = usize::try_from(until.saturating_sub(*position)).unwrap_or(usize::MAX);
    let length = wanted.min(waiting.len());
    write(to, &waiting[..length], shared).await?;
    waiting.drain(..length);
    *position += length as u64;
    Ok(())
}

async fn write(to: &mut WriteHalf<'_>, mut bytes: &[u8], shared: &Shared) -> io::Result<()> {
    while !bytes.is_empty() {
        let trickle = shared.rules.lock().trickle;
        let (piece, rest) =
            bytes.split_at(trickle.map_or(bytes.len(), |(most, _)| most.min(bytes.len())));
        to.write_all(piece).await?;
        bytes = rest;
        if let Some((_, pause)) = trickle {
            // Tokio's clock ticks in milliseconds, which is an age for one byte; the thread is the proxy's own.
            if pause >= Duration::from_millis(1) {
                tokio::time::sleep(pause).await;
            } else {
                std::thread::sleep(pause);
                tokio::task::yield_now().await;
            }
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
