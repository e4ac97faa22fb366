//! `cargo xtask torture` with servers of its own, and a cargo that only plays the campaigns. Those have tests of their
//! own, and so has what they say of arguments that make no sense.

use std::env;
use std::fs::{self, Permissions};
use std::iter;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use xtask::database::Database;

/// Far longer than any of it takes.
const PATIENCE: Duration = Duration::from_mins(1);

// A process that another test starts while a program is being written would keep it open for writing, and then it cannot
// be run.
static TURN: Mutex<()> = Mutex::new(());

/// What the campaigns are and leave: their program, what it was called with, and the servers' temporary folders.
struct Ground {
    folder: TempDir,
}

impl Ground {
    /// With a cargo that says `checked` where it is asked which servers are needed, and then does what `attacks` says.
    fn new(checked: &str, attacks: &str) -> Self {
        // Where servers may have theirs, whatever TMPDIR is.
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        // A server's own user has to get there.
        open(folder.path());
        let ground = Self { folder };
        for name in ["programs", "servers"] {
            fs::create_dir(ground.path(name)).unwrap();
            open(&ground.path(name));
        }
        let calls = ground.path("calls");
        fs::write(&calls, "").unwrap();
        // A server's own user notes something there as well.
        fs::set_permissions(&calls, Permissions::from_mode(0o666)).unwrap();
        let calls = calls.display();
        ground.program(
            "cargo",
            &format!(
                "echo \"$*\" >> '{calls}'
                 case \"$*\" in *' --check') {checked};; *) {attacks};; esac"
            ),
        );
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.path("programs").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        open(&path);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .arg("torture")
            .args(arguments)
            .env("CARGO", self.path("programs").join("cargo"))
            .env("TMPDIR", self.path("servers"));
        command
    }

    /// The same where servers do not start, and note that they were to.
    fn command_without_servers(&self, arguments: &[&str]) -> Command {
        let calls = self.path("calls").display().to_string();
        for program in ["postgres", "initdb", "mariadbd", "mariadb-install-db"] {
            let script = format!("echo {program} >> '{calls}'; echo 'not today' >&2; exit 1");
            self.program(program, &script);
        }
        let usual = env::var_os("PATH").unwrap_or_default();
        let path = iter::once(self.path("programs")).chain(env::split_paths(&usual));
        let mut command = self.command(arguments);
        command.env("PATH", env::join_paths(path).unwrap());
        command
    }

    /// What was called, and the campaigns' program with what, in turn.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap();
        calls.lines().map(str::to_owned).collect()
    }

    /// The processes whose command line tells of the servers' folder.
    fn processes(&self) -> Vec<String> {
        let folder = self.path("servers").display().to_string();
        let all = fs::read_dir("/proc").expect("a list of processes");
        let lines = all.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(&folder)).collect()
    }

    #[track_caller]
    fn assert_nothing_left(&self) {
        wait_until("its servers go with it", || self.processes().is_empty());
        let left = fs::read_dir(self.path("servers")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn open(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_makes_no_sense_is_refused_ahead_of_any_server() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for arguments in [
        &["canel"][..],
        &["cancel", "--seed", "-1"],
        &["cancel", "--seconds", "0"],
        &["cancel", "--database", "oracle"],
    ] {
        let ground = Ground::new("echo 'error: it makes no sense' >&2; exit 2", "exit 0");
        let output = ground.command_without_servers(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", error(&output));
        assert_eq!(error(&output), "error: it makes no sense\n");
        let asked = format!(
            "run --quiet --package steadfast-torture -- {} --check",
            arguments.join(" ")
        );
        assert_eq!(ground.calls(), [asked]);
        ground.assert_nothing_left();
    }
    let output = Ground::new("exit 0", "exit 0").command(&[]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("<NAME>"), "{}", error(&output));
}

#[test]
fn help_is_the_campaigns_own_and_needs_no_server() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let ground = Ground::new("echo 'Attacks steadfast'; echo postgres", "exit 1");
    let output = ground
        .command_without_servers(&["--help"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", error(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "Attacks steadfast\npostgres\n");
    assert_eq!(ground.calls().len(), 1, "{:?}", ground.calls());
    ground.assert_nothing_left();
}

#[test]
fn a_server_that_does_not_start() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for database in [Database::Postgres, Database::MySql] {
        if !database.is_chosen().unwrap() {
            continue;
        }
        let ground = Ground::new(&format!("echo {database}"), "exit 0");
        let output = ground.command_without_servers(&["cancel"]).output();
        let output = output.unwrap();
        let error = error(&output);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.contains("error: a server does not start: "),
            "{error}"
        );
        assert!(error.contains("not today"), "{error}");
        let calls = ground.calls();
        let attacks = calls.iter().filter(|call| call.starts_with("run "));
        assert_eq!(attacks.count(), 1, "nothing was attacked: {calls:?}");
        assert!(calls.len() > 1, "the server was to start: {calls:?}");
        ground.assert_nothing_left();
    }
}

/// In a process group of its own, as a terminal starts it.
fn start(ground: &Ground) -> Child {
    ground
        .command(&["cancel"])
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Sends the signal, and waits for the end with this code.
#[track_caller]
fn end(mut started: Child, signal: &str, code: i32) {
    let id = started.id();
    let whom = match signal {
        // A terminal tells all of the group.
        "-INT" => format!("-{id}"),
        _ => id.to_string(),
    };
    let sent = Command::new("kill").args([signal, "--", &whom]).status();
    assert!(sent.unwrap().success());
    let mut ended = None;
    wait_until("it ends", || {
        ended = started.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.unwrap().code(), Some(code));
}

/// Of both URLs, if they are there.
fn ports(urls: &str) -> Vec<u16> {
    let ports = urls.split_whitespace().filter_map(|url| {
        let (_, address) = url.rsplit_once(':')?;
        address.split('/').next()?.parse().ok()
    });
    ports.collect()
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn chosen() -> Vec<Database> {
    let servers = [Database::Postgres, Database::MySql];
    let chosen = servers.into_iter();
    chosen
        .filter(|server| server.is_chosen().unwrap())
        .collect()
}

fn checked(databases: &[Database]) -> String {
    let lines = databases
        .iter()
        .map(|database| format!("echo {database}; "));
    lines.collect::<String>() + ":"
}

#[track_caller]
fn assert_ended_in_an_attack(signal: &str, code: i32) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let databases = chosen();
    if databases.is_empty() {
        return;
    }
    let urls = "echo \"$TEST_POSTGRES_URL $TEST_MYSQL_URL\" > \"$TMPDIR/../urls\"; exec sleep 600";
    let ground = Ground::new(&checked(&databases), urls);
    let started = start(&ground);
    let mut known = Vec::new();
    wait_until("it attacks", || {
        known = ports(&fs::read_to_string(ground.path("urls")).unwrap_or_default());
        known.len() == databases.len()
    });
    assert!(known.iter().all(|port| listens(*port)), "{known:?}");
    end(started, signal, code);
    ground.assert_nothing_left();
    assert!(!known.iter().any(|port| listens(*port)), "{known:?}");
}

#[test]
fn ctrl_c_while_the_servers_are_attacked() {
    assert_ended_in_an_attack("-INT", 130);
}

#[test]
fn sigterm_while_the_servers_are_attacked() {
    assert_ended_in_an_attack("-TERM", 143);
}

#[test]
fn ctrl_c_while_the_servers_start() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let databases = chosen();
    if databases.is_empty() {
        return;
    }
    let ground = Ground::new(&checked(&databases), "exit 0");
    let started = start(&ground);
    wait_until("one starts", || !ground.processes().is_empty());
    end(started, "-INT", 130);
    ground.assert_nothing_left();
    assert_eq!(ground.calls().len(), 1, "nothing was attacked");
}
