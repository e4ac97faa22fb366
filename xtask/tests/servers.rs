//! Private servers start, break on demand and leave nothing behind.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use xtask::database::Database;
use xtask::servers::{Kind, MariaDbKind, PostgresKind, Server};

const LIMIT: Duration = Duration::from_secs(20);

/// A connection that the server has answered, and what it said.
fn connect(address: SocketAddr, patience: Duration) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    // MariaDB speaks first and takes this for a broken handshake, after its greeting.
    stream.write_all(b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0")?;
    let mut said = vec![0; 4096];
    let length = stream.read(&mut said)?;
    said.truncate(length);
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((stream, said))
}

/// A server that does not wait for the disk.
fn quick<K: Kind>() -> Server<K> {
    Server::builder().fsync(false).start().unwrap()
}

fn answers<K: Kind>(server: &Server<K>) -> bool {
    connect(server.address(), Duration::from_millis(300)).is_ok()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The arguments of every process that names `text` in them.
fn processes(text: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("these tests read /proc");
    let commands =
        entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("cmdline")).ok());
    commands.filter(|command| command.contains(text)).collect()
}

/// The temporary folder of the server that listens at `port`.
fn folder(port: u16) -> PathBuf {
    let port = [format!("\0-p\0{port}\0"), format!("\0--port={port}\0")];
    let commands = processes("steadfast-");
    let command = commands
        .iter()
        .find(|command| port.iter().any(|text| command.contains(text)))
        .expect("the server's process");
    let data = command
        .split(['\0', '='])
        .find(|argument| argument.ends_with("/data"))
        .expect("its data folder");
    Path::new(data)
        .parent()
        .expect("the folder around it")
        .to_owned()
}

fn nothing_left_of(folder: &Path) {
    eventually("the folder is removed", || !folder.exists());
    eventually("no process is left", || {
        processes(&folder.display().to_string()).is_empty()
    });
}

fn ends_with_its_value<K: Kind>() {
    let server = quick::<K>();
    assert!(answers(&server));
    let folder = folder(server.address().port());
    drop(server);
    nothing_left_of(&folder);
}

fn comes_back_after_a_crash<K: Kind>() {
    let server = Server::<K>::start().unwrap();
    let (before, folder) = (server.pid().unwrap(), folder(server.address().port()));
    let (mut client, _) = connect(server.address(), LIMIT).unwrap();
    server.kill().unwrap();
    assert_eq!(server.pid(), None);
    assert!(!answers(&server));
    // The end of the connection, in whatever form, and no word of the server's.
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("FATAL"));
    server.kill().unwrap();
    server.restart().unwrap();
    assert!(answers(&server));
    assert_ne!(server.pid().unwrap(), before);
    server.kill().unwrap();
    drop(server);
    nothing_left_of(&folder);
}

fn hangs_while_paused<K: Kind>() {
    let server = quick::<K>();
    server.pause().unwrap();
    assert!(!answers(&server), "a paused server must not answer");
    server.resume().unwrap();
    eventually("it answers again", || answers(&server));
    server.pause().unwrap();
    let folder = folder(server.address().port());
    drop(server);
    nothing_left_of(&folder);
}

fn waits_for_its_port<K: Kind>() {
    let server = quick::<K>();
    server.stop().unwrap();
    let squatter = TcpListener::bind(server.address()).unwrap();
    thread::scope(|scope| {
        let restart = scope.spawn(|| server.restart());
        thread::sleep(Duration::from_secs(1));
        assert!(
            !restart.is_finished(),
            "the port is taken: {:?}",
            restart.join()
        );
        drop(squatter);
        restart.join().unwrap().unwrap();
    });
    assert!(answers(&server));
}

fn touches_no_other_process<K: Kind>() {
    let server = quick::<K>();
    let stranger = std::process::id();
    server.pause_process(stranger).unwrap_err();
    server.kill_process(stranger).unwrap_err();
    server.kill_process(server.pid().unwrap()).unwrap_err();
    server.stop().unwrap();
    server.pause().unwrap_err();
}

fn says_why_it_does_not_start<K: Kind>() {
    let error = Server::<K>::builder()
        .setting("no_such_setting", "1")
        .start()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no_such_setting") || error.contains("no-such-setting"),
        "{error}"
    );
}

macro_rules! on_each {
    ($($test:ident)*) => {
        mod postgres {
            $(#[test] fn $test() { if super::chosen(super::Database::Postgres) { super::$test::<super::PostgresKind>(); } })*
        }
        mod mysql {
            $(#[test] fn $test() { if super::chosen(super::Database::MySql) { super::$test::<super::MariaDbKind>(); } })*
        }
    };
}

on_each! {
    ends_with_its_value comes_back_after_a_crash hangs_while_paused waits_for_its_port touches_no_other_process
    says_why_it_does_not_start
}

fn chosen(database: Database) -> bool {
    let chosen = database.is_chosen().unwrap();
    if !chosen {
        eprintln!("left out: {database}");
    }
    chosen
}

#[test]
fn postgres_recovers_when_one_backend_is_killed() {
    if !chosen(Database::Postgres) {
        return;
    }
    let server = quick::<PostgresKind>();
    let (mut client, mut said) = connect(server.address(), LIMIT).unwrap();
    // Up to ReadyForQuery.
    while !said.ends_with(b"Z\0\0\0\x05I") {
        let mut more = [0; 512];
        let length = client.read(&mut more).unwrap();
        said.extend(&more[..length]);
    }
    // BackendKeyData: K, length 12, process id.
    let key = said
        .windows(5)
        .position(|bytes| bytes == b"K\0\0\0\x0c")
        .unwrap();
    let pid = u32::from_be_bytes(said[key + 5..key + 9].try_into().unwrap());

    server.pause_process(pid).unwrap();
    client.write_all(b"Q\0\0\0\x0dselect 1\0").unwrap();
    client
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert!(
        client.read(&mut [0; 64]).is_err(),
        "a paused backend must not answer"
    );
    assert!(answers(&server), "the others go on");
    server.resume_process(pid).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    assert!(client.read(&mut [0; 64]).unwrap() > 0);

    server.kill_process(pid).unwrap();
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    eventually("it has recovered", || answers(&server));
    assert!(
        server.log().contains("terminated by signal 9"),
        "{}",
        server.log()
    );
}

#[test]
fn mysql_urls_name_the_user_and_the_database() {
    if !chosen(Database::MySql) {
        return;
    }
    let server = quick::<MariaDbKind>();
    let at = format!("@{}/", server.address());
    assert_eq!(server.url(), format!("mysql://root{at}steadfast"));
    assert_eq!(server.url_of("other"), format!("mysql://root{at}other"));
    assert_eq!(
        server.user_url(),
        format!("mysql://steadfast:steadfast{at}steadfast")
    );
}

/// `cargo xtask with-servers -- sh -c SCRIPT`, with an open standard input.
fn with_servers(script: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "with-servers",
            "--only",
            "postgres",
            "--",
            "sh",
            "-c",
            script,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn port_in(url: &str) -> u16 {
    url.rsplit_once(':')
        .unwrap()
        .1
        .split('/')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn with_servers_prints_nothing_of_its_own_and_exits_with_the_code_on_postgres() {
    if !chosen(Database::Postgres) {
        return;
    }
    let output = with_servers("echo $TEST_POSTGRES_URL; echo ${TEST_MYSQL_URL-unset}; exit 7")
        .wait_with_output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(output.status.code(), Some(7));
    assert!(
        lines.len() == 2
            && lines[0].starts_with("postgres://postgres@127.0.0.1:")
            && lines[1] == "unset",
        "{text}"
    );
    TcpStream::connect(("127.0.0.1", port_in(lines[0]))).unwrap_err();
}

/// The running command, and the folder of its server.
fn running(script: &str) -> (Child, BufReader<std::process::ChildStdout>, PathBuf) {
    let mut command = with_servers(script);
    let mut output = BufReader::new(command.stdout.take().unwrap());
    let mut url = String::new();
    output.read_line(&mut url).unwrap();
    let folder = folder(port_in(&url));
    (command, output, folder)
}

#[test]
fn kill_9_of_with_servers_leaves_nothing_on_postgres() {
    if !chosen(Database::Postgres) {
        return;
    }
    // `cat` ends with our end of its input.
    let (mut command, _output, folder) = running("echo $TEST_POSTGRES_URL; exec cat");
    command.kill().unwrap();
    command.wait().unwrap();
    nothing_left_of(&folder);
}

#[test]
fn sigterm_reaches_the_command_and_stops_the_servers_on_postgres() {
    if !chosen(Database::Postgres) {
        return;
    }
    let script =
        "trap 'echo asked; exit 5' TERM; echo $TEST_POSTGRES_URL; while :; do sleep 0.05; done";
    let (mut command, mut output, folder) = running(script);
    Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", command.id())])
        .status()
        .unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "asked\n");
    assert_eq!(command.wait().unwrap().code(), Some(5));
    nothing_left_of(&folder);
}
