//! A campaign that cannot go on, or is told to stop, says so and leaves nothing behind.

use std::env;
use std::fs::{self, Permissions};
use std::iter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use xtask::database::Database;

/// Far longer than any of it takes.
const PATIENCE: Duration = Duration::from_mins(1);

fn campaign(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast-torture"));
    command.args(arguments);
    command
}

/// A folder that a server's own user can reach.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path());
    folder
}

fn open(path: &Path) {
    let everybody = Permissions::from_mode(0o755);
    fs::set_permissions(path, everybody).expect("it is ours");
}

fn is_chosen(database: Database) -> bool {
    database.is_chosen().expect("a choice of databases")
}

#[test]
fn a_server_that_cannot_start() {
    let folder = folder();
    for program in ["postgres", "initdb", "mariadbd", "mariadb-install-db"] {
        let path = folder.path().join(program);
        fs::write(&path, "#!/bin/sh\necho 'not today' >&2\nexit 1\n").expect("our folder");
        open(&path);
    }
    let usual = env::var_os("PATH").unwrap_or_default();
    let path = iter::once(folder.path().to_owned()).chain(env::split_paths(&usual));
    let path = env::join_paths(path).expect("a search path");
    for (database, name) in [
        (Database::Postgres, "hang"),
        (Database::Postgres, "bank"),
        (Database::Postgres, "poison"),
        (Database::MySql, "leak"),
        (Database::MySql, "commit"),
    ] {
        if !is_chosen(database) {
            continue;
        }
        let arguments = [name, "--short", "--database", database.name()];
        let output = campaign(&arguments).env("PATH", &path).output();
        let output = output.expect("the campaigns can be run");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {error}");
        let says = format!("no server for {name} on {database} could be started");
        assert!(error.contains(&says), "{error}");
        assert!(error.contains("not today"), "{error}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!said.contains("violation"), "it has shown nothing: {said}");
    }
}

/// The processes whose command line tells of the folder.
fn processes(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let all = fs::read_dir("/proc").expect("a list of processes");
    let lines = all.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(&folder)).collect()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end(campaign: &mut Child) -> ExitStatus {
    let mut ended = None;
    wait_until("it ends", || {
        ended = campaign.try_wait().expect("it is ours");
        ended.is_some()
    });
    ended.expect("it has ended")
}

fn is_ended_by(signal: &str, code: i32, name: &str, database: Database) {
    if !is_chosen(database) {
        return;
    }
    let folder = folder();
    let mut campaign = campaign(&[name, "--database", database.name()])
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the campaigns can be run");
    // Most of its work is still ahead of it.
    wait_until("its server runs", || !processes(folder.path()).is_empty());
    let sent = Command::new("kill")
        .args([signal, &campaign.id().to_string()])
        .status()
        .expect("a signal can be sent");
    assert!(sent.success());
    assert_eq!(end(&mut campaign).code(), Some(code));
    wait_until("its servers go with it", || {
        processes(folder.path()).is_empty()
    });
    let left = fs::read_dir(folder.path()).expect("our folder");
    let left: Vec<_> = left.map(|entry| entry.expect("an entry").path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_terminal_ends_one_with_a_server_of_its_own() {
    is_ended_by("-INT", 130, "bank", Database::Postgres);
}

#[test]
fn sigterm_ends_one_whose_servers_are_stopped() {
    is_ended_by("-TERM", 143, "hang", Database::MySql);
}
