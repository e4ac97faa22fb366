//! `cargo xtask test`, with a cargo that only plays one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

// A process that another test starts while a script is being written would keep it open for writing, and then it cannot
// be run.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `cargo xtask test --only sqlite ARGUMENTS` with a cargo that is this shell script.
fn test(cargo: &str, arguments: &[&str]) -> Output {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("cargo");
    fs::write(&program, format!("#!/bin/sh\n{cargo}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["test", "--only", "sqlite"])
        .args(arguments)
        .env("CARGO", &program);
    command.output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_last_line_is_the_sum_and_the_output_is_passed_through() {
    let output = test(
        "echo 'test commit::sqlite ... ok'; echo 'test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured'
         echo 'test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured'",
        &[],
    );
    let lines = lines(&output);
    assert!(output.status.success());
    assert_eq!(lines.last().unwrap(), "7 passed, 0 failed");
    for line in [
        "test commit::sqlite ... ok",
        "sqlite: 1 passed, 0 failed",
        "ignored: 1",
    ] {
        assert!(
            lines.iter().any(|each| each == line),
            "{line} in {lines:#?}"
        );
    }
}

#[test]
fn what_is_left_out_is_said_and_passed_on() {
    let output = test(
        r#"echo "only=$STEADFAST_ONLY pg=${TEST_POSTGRES_URL-unset}"; echo "$*""#,
        &["--", "savepoint"],
    );
    let lines = lines(&output);
    for line in [
        "left out, as `--only` asks: postgres, mysql",
        "only=sqlite pg=unset",
        "test --workspace --no-fail-fast -- savepoint",
    ] {
        assert!(
            lines.iter().any(|each| each == line),
            "{line} in {lines:#?}"
        );
    }
}

#[test]
fn a_failed_test_fails_the_command() {
    let output = test(
        "echo 'test result: FAILED. 3 passed; 2 failed; 0 ignored'; exit 101",
        &[],
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output).last().unwrap(), "3 passed, 2 failed");
}

#[test]
fn a_crash_or_a_compile_error_counts_as_a_failure() {
    let output = test(
        "echo 'test result: ok. 3 passed; 0 failed; 0 ignored'; exit 101",
        &[],
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output).last().unwrap(), "3 passed, 1 failed");
    assert!(String::from_utf8_lossy(&output.stderr).contains("crashed"));
}

#[test]
fn an_unknown_database_is_refused() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.args(["test", "--only", "oracle"]).output().unwrap();
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("use `postgres`, `mysql` or `sqlite`")
    );
}
