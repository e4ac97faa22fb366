//! The proxy, between plain TCP peers.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use xtask::proxy::{Fault, Protocol, Proxy, Sent};

const LIMIT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(150);

/// Answers each piece with itself, or with what `answer` makes of it, and records what it got.
fn server(answer: fn(&[u8]) -> Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&answer(&buffer[..length])).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

fn echo() -> SocketAddr {
    server(<[u8]>::to_vec)
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn ask(client: &mut TcpStream, question: &[u8]) -> Vec<u8> {
    client.write_all(question).unwrap();
    let mut answer = vec![0; question.len()];
    client.read_exact(&mut answer).unwrap();
    answer
}

fn is_silent(client: &mut TcpStream) -> bool {
    client.set_read_timeout(Some(SILENCE)).unwrap();
    let read = client.read(&mut [0; 64]);
    client.set_read_timeout(Some(LIMIT)).unwrap();
    matches!(read, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

/// The connection is over, and not because of the limit.
fn is_cut(client: &mut TcpStream) -> bool {
    match client.read(&mut [0; 64]) {
        Ok(length) => length == 0,
        Err(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ),
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn bytes_pass_in_both_directions() {
    let proxy = Proxy::start(echo(), Protocol::Plain).unwrap();
    let mut client = connect(&proxy);
    let question: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
    let mut writer = client.try_clone().unwrap();
    let expected = question.clone();
    let writing = thread::spawn(move || writer.write_all(&question).unwrap());
    let mut answer = vec![0; expected.len()];
    client.read_exact(&mut answer).unwrap();
    writing.join().unwrap();
    assert!(answer == expected);
}

#[test]
fn a_round_trip_is_a_question_and_its_answer() {
    let proxy = Proxy::start(echo(), Protocol::Plain).unwrap();
    let (mut one, mut two) = (connect(&proxy), connect(&proxy));
    for _ in 0..3 {
        ask(&mut one, b"question");
    }
    ask(&mut two, b"other");
    assert_eq!(proxy.round_trips(), 4);
    let mut each: Vec<u64> = proxy
        .reports()
        .iter()
        .map(|report| report.round_trips)
        .collect();
    each.sort_unstable();
    assert_eq!(each, [1, 3]);
    proxy.reset();
    assert_eq!(proxy.round_trips(), 0);
    ask(&mut one, b"again");
    assert_eq!(proxy.round_trips(), 1);
}

#[test]
fn questions_without_an_answer_between_them_are_one_round_trip() {
    // Answers only what ends with a full stop.
    let patient = server(|piece| {
        if piece.ends_with(b".") {
            b"ok".to_vec()
        } else {
            Vec::new()
        }
    });
    let proxy = Proxy::start(patient, Protocol::Plain).unwrap();
    let mut client = connect(&proxy);
    for piece in [&b"one "[..], b"two ", b"three."] {
        client.write_all(piece).unwrap();
        thread::sleep(Duration::from_millis(20));
    }
    client.read_exact(&mut [0; 2]).unwrap();
    assert_eq!(proxy.round_trips(), 1);
}

#[test]
fn trickle_shows_a_few_bytes_at_a_time() {
    let proxy = Proxy::start(echo(), Protocol::Plain).unwrap();
    let mut client = connect(&proxy);
    ask(&mut client, b"open");
    for (most, at_least) in [(1, 50), (8, 6)] {
        proxy.trickle_slowly(most, Duration::from_millis(1));
        client.write_all(&[7; 64]).unwrap();
        let (mut reads, mut total) = (0, 0);
        while total < 64 {
            total += client.read(&mut [0; 64]).unwrap();
            reads += 1;
        }
        assert!(
            reads >= at_least,
            "{reads} reads for 64 bytes, {most} at a time"
        );
    }
    proxy.trickle(1);
    assert_eq!(ask(&mut client, b"by default too"), b"by default too");
    proxy.trickle(0);
    client.write_all(&[7; 64]).unwrap();
    eventually("all at once again", || {
        client.peek(&mut [0; 64]).unwrap() == 64
    });
}

#[test]
fn delay_holds_each_direction_up() {
    let proxy = Proxy::start(echo(), Protocol::Plain).unwrap();
    let mut client = connect(&proxy);
    ask(&mut client, b"open");
    proxy.delay(Duration::from_millis(30));
    let start = Instant::now();
    ask(&mut client, b"late");
    assert!(
        start.elapsed() >= Duration::from_millis(60),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_black_hole_keeps_connections_and_passes_nothing_on() {
    let proxy = Proxy::start(echo(), Protocol::Plain).unwrap();
    let mut old = connect(&proxy);
    ask(&mut old, b"open");
    proxy.hold();
    let mut new = connect(&proxy);
    old.write_all(b"old").unwrap();
    new.write_all(b"new").unwrap();
    assert!(is_silent(&mut old) && is_silent(&mut new));
    proxy.resume();
    let mut answer = [0; 3];
    old.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"old");
    new.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"new");
}

#[test]
fn cut_ends_all_connections_or_one() {
    let proxy = Proxy::start(echo(), Protocol::Plain).unwrap();
    let (mut one, mut two) = (connect(&proxy), connect(&proxy));
    ask(&mut one, b"1");
    ask(&mut two, b"2");
    let id = proxy
        .reports()
        .iter()
        .find(|report| report.client == one.local_addr().unwrap())
        .unwrap()
        .id;
    assert!(proxy.cut_one(id));
    assert!(is_cut(&mut one));
    eventually("it is reported as closed", || {
        proxy
            .reports()
            .iter()
            .any(|report| report.id == id && !report.open)
    });
    assert!(!proxy.cut_one(id));
    ask(&mut two, b"2");
    assert_eq!(proxy.cut(), 1);
    assert!(is_cut(&mut two));
    assert_eq!(ask(&mut connect(&proxy), b"3"), b"3");
}

#[test]
fn cut_reaches_a_connection_that_is_held() {
    let proxy = Proxy::start(echo(), Protocol::Plain).unwrap();
    let mut client = connect(&proxy);
    ask(&mut client, b"open");
    proxy.hold();
    client.write_all(b"lost").unwrap();
    assert!(is_silent(&mut client));
    proxy.cut();
    assert!(is_cut(&mut client));
}

#[test]
fn refused_connections_end_at_once() {
    let proxy = Proxy::start(echo(), Protocol::Plain).unwrap();
    proxy.refuse(true);
    assert!(is_cut(&mut connect(&proxy)));
    proxy.refuse(false);
    assert_eq!(ask(&mut connect(&proxy), b"welcome"), b"welcome");
}

#[test]
fn the_end_of_either_peer_is_passed_on() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap(), Protocol::Plain).unwrap();

    let mut client = connect(&proxy);
    client.write_all(b"to the last byte").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    drop(client);
    let mut got = Vec::new();
    server.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"to the last byte");
    drop(server);

    let mut client = connect(&proxy);
    let (server, _) = listener.accept().unwrap();
    drop(server);
    assert!(is_cut(&mut client));
    eventually("none is open", || {
        proxy.reports().iter().all(|report| !report.open)
    });
}

#[test]
fn a_server_that_is_not_there_breaks_the_connection() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = Proxy::start(gone, Protocol::Plain).unwrap();
    assert!(is_cut(&mut connect(&proxy)));
}

#[test]
fn everything_ends_with_the_proxy() {
    let proxy = Proxy::start(echo(), Protocol::Plain).unwrap();
    let address = proxy.address();
    let mut client = connect(&proxy);
    ask(&mut client, b"open");
    proxy.hold();
    drop(proxy);
    assert!(is_cut(&mut client));
    TcpStream::connect(address).unwrap_err();
}

#[test]
fn urls_lead_through_the_proxy() {
    let server = echo();
    let proxy = Proxy::before(&format!("postgres://me:pw@{server}/db?sslmode=disable")).unwrap();
    assert_eq!(
        proxy.url(),
        format!("postgres://me:pw@{}/db?sslmode=disable", proxy.address())
    );
    let proxy = Proxy::before(&format!("mysql://{server}")).unwrap();
    assert_eq!(proxy.url(), format!("mysql://{}", proxy.address()));
    for wrong in [
        "sqlite://x",
        "postgres://localhost/db",
        "nothing",
        "postgres://user@/db",
    ] {
        Proxy::before(wrong).unwrap_err();
    }
}

/// A message of PG's protocol.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(4 + body.len()).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

fn query(text: &str) -> Vec<u8> {
    message(b'Q', &[text.as_bytes(), b"\0"].concat())
}

/// A connection past its start-up, to a peer that echoes.
fn postgres(proxy: &Proxy) -> TcpStream {
    let mut client = connect(proxy);
    ask(&mut client, b"\0\0\0\x09\0\x03\0\0\0");
    client
}

#[test]
fn statements_are_read_as_they_pass() {
    let proxy = Proxy::start(echo(), Protocol::Postgres).unwrap();
    let mut client = postgres(&proxy);
    ask(&mut client, &query("BEGIN"));
    ask(&mut client, &[query("SELECT 1"), query("COMMIT")].concat());
    let expected = ["BEGIN", "SELECT 1", "COMMIT"].map(|text| Sent::Query(text.into()));
    assert_eq!(proxy.sent(), expected);
    assert_eq!(proxy.reports()[0].sent, expected);
    assert_eq!(proxy.round_trips(), 3);
    proxy.reset();
    assert!(proxy.sent().is_empty());
}

#[test]
fn half_a_message_goes_ahead_unless_a_fault_is_armed() {
    let proxy = Proxy::start(echo(), Protocol::Postgres).unwrap();
    let mut client = postgres(&proxy);
    let commit = query("COMMIT");
    let (half, rest) = commit.split_at(8);
    assert_eq!(ask(&mut client, half), half);
    assert_eq!(ask(&mut client, rest), rest);
    proxy.on(|sent| sent.runs("never sent"), Fault::CutBefore);
    client.write_all(half).unwrap();
    assert!(is_silent(&mut client));
    client.write_all(rest).unwrap();
    let mut whole = vec![0; commit.len()];
    client.read_exact(&mut whole).unwrap();
    assert_eq!(whole, commit);
    // What follows a statement is no statement, and passes all the same.
    let sync = message(b'S', b"");
    assert_eq!(ask(&mut client, &sync), sync);
    assert_eq!(proxy.disarm(), 1);
    assert_eq!(proxy.fired(), 0);
}

/// A server that keeps what it got, and answers every statement with one byte.
struct Witness {
    proxy: Proxy,
    client: TcpStream,
    server: TcpStream,
}

impl Witness {
    fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap(), Protocol::Postgres).unwrap();
        let mut client = connect(&proxy);
        let (mut server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(LIMIT)).unwrap();
        client.write_all(b"\0\0\0\x09\0\x03\0\0\0").unwrap();
        server.read_exact(&mut [0; 9]).unwrap();
        proxy.on(|sent| sent.runs("commit"), fault);
        Self {
            proxy,
            client,
            server,
        }
    }

    fn answers(&mut self, statement: &str) {
        let mut got = vec![0; query(statement).len()];
        self.server.read_exact(&mut got).unwrap();
        assert_eq!(got, query(statement));
        self.server.write_all(b"!").unwrap();
    }
}

#[test]
fn cut_before_keeps_the_statement_from_the_server() {
    let mut witness = Witness::start(Fault::CutBefore);
    witness.client.write_all(&query("BEGIN")).unwrap();
    witness.answers("BEGIN");
    let both = [query("SELECT 1"), query("COMMIT")].concat();
    witness.client.write_all(&both).unwrap();
    let mut rest = Vec::new();
    let _ = witness.server.read_to_end(&mut rest);
    // A cut is a reset, which may overtake what came ahead of it.
    assert!(query("SELECT 1").starts_with(&rest), "{rest:?}");
    assert_eq!(witness.proxy.fired(), 1);
}

#[test]
fn hold_before_keeps_the_statement_until_it_is_released() {
    let mut witness = Witness::start(Fault::HoldBefore);
    witness.client.write_all(&query("COMMIT")).unwrap();
    assert!(is_silent(&mut witness.server));
    assert_eq!(witness.proxy.fired(), 1);
    witness.proxy.resume();
    witness.answers("COMMIT");
    witness.client.read_exact(&mut [0]).unwrap();
}

#[test]
fn cut_answer_lets_the_server_work_and_the_client_wonder() {
    let mut witness = Witness::start(Fault::CutAnswer);
    witness
        .client
        .write_all(&query("RELEASE s; COMMIT"))
        .unwrap();
    assert!(is_silent(&mut witness.client));
    assert_eq!(witness.proxy.fired(), 0);
    witness.answers("RELEASE s; COMMIT");
    assert!(is_cut(&mut witness.client));
    assert_eq!(witness.proxy.fired(), 1);
}

#[test]
fn hold_answer_keeps_both_ends_connected_without_a_word() {
    let mut witness = Witness::start(Fault::HoldAnswer);
    witness.client.write_all(&query("COMMIT")).unwrap();
    witness.answers("COMMIT");
    assert!(is_silent(&mut witness.client));
    assert_eq!(witness.proxy.fired(), 1);
    witness.proxy.resume();
    witness.client.read_exact(&mut [0]).unwrap();
    // It was for once.
    witness.client.write_all(&query("COMMIT")).unwrap();
    witness.answers("COMMIT");
    witness.client.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_fault_for_each_strikes_until_it_is_taken_back() {
    let proxy = Proxy::start(echo(), Protocol::Postgres).unwrap();
    proxy.on_each(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
    for _ in 0..3 {
        let mut client = postgres(&proxy);
        client.write_all(&query("COMMIT")).unwrap();
        assert!(is_cut(&mut client));
    }
    assert_eq!((proxy.fired(), proxy.disarm()), (3, 1));
    let commit = query("COMMIT");
    assert_eq!(ask(&mut postgres(&proxy), &commit), commit);
}
