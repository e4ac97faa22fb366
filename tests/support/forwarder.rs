//! A door in front of servers that is not the proxy's: it leads to several by turns, and forgets who is inside.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Lives on the runtime that made it.
pub struct Forwarder {
    address: SocketAddr,
    led: Arc<AtomicUsize>,
    forget: watch::Sender<()>,
}

impl Forwarder {
    /// Leads each new connection to the next of these URLs' servers.
    pub async fn before(urls: &[&str]) -> Self {
        let servers: Vec<String> = urls.iter().map(|url| split(url).1.to_owned()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let led = Arc::new(AtomicUsize::new(0));
        let (forget, _) = watch::channel(());
        let (count, forgetting) = (Arc::clone(&led), forget.clone());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = servers[count.fetch_add(1, SeqCst) % servers.len()].clone();
                tokio::spawn(lead(client, server, forgetting.subscribe()));
            }
        });
        Self {
            address,
            led,
            forget,
        }
    }

    /// The URL with this address in the place of its server's.
    pub fn url(&self, url: &str) -> String {
        let (before, _, after) = split(url);
        format!("{before}{}{after}", self.address)
    }

    /// How many connections it has led to a server.
    pub fn led(&self) -> usize {
        self.led.load(SeqCst)
    }

    /// As a firewall that has lost its table: what is open now stays open and silent, and new connections pass.
    /// Says how many it has forgotten.
    pub fn forget(&self) -> usize {
        let open = self.forget.receiver_count();
        self.forget.send_replace(());
        open
    }
}

async fn lead(
    mut client: TcpStream,
    server: String,
    mut forgotten: watch::Receiver<()>,
) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    tokio::select! {
        ended = copy_bidirectional(&mut client, &mut server) => ended.map(drop),
        Ok(()) = forgotten.changed() => std::future::pending().await,
    }
}

/// What stands before a URL's host and port, these, and what stands behind them.
fn split(url: &str) -> (&str, &str, &str) {
    let begin = url.find("://").unwrap() + 3;
    let end = url[begin..].find(['/', '?']).unwrap() + begin;
    let begin = url[begin..end]
        .rfind('@')
        .map_or(begin, |at| begin + at + 1);
    (&url[..begin], &url[begin..end], &url[end..])
}
