//! What makes no sense is refused with exit code 2 and a line that says what to do.

use std::process::Command;

#[track_caller]
fn assert_refused(arguments: &[&str], says: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast-torture"))
        .args(arguments)
        .env_remove("TEST_POSTGRES_URL")
        .output()
        .expect("the campaigns can be run");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(says), "{error}");
    assert!(output.stdout.is_empty(), "nothing was begun");
}

#[test]
fn an_unknown_campaign() {
    assert_refused(&["canel"], "use `cancel`");
    assert_refused(&[], "<NAME>");
}

#[test]
fn an_absurd_seed() {
    for seed in ["-1", "many", "1.5", "99999999999999999999"] {
        assert_refused(&["cancel", "--seed", seed], "give a whole number");
    }
}

#[test]
fn an_absurd_time() {
    for seconds in ["0", "-1", "86401", "1.5", "soon"] {
        assert_refused(&["cancel", "--seconds", seconds], "from 1 to 86400");
    }
}

#[test]
fn an_unknown_database() {
    assert_refused(
        &["cancel", "--database", "oracle"],
        "use `postgres`, `mysql` or `sqlite`",
    );
}

#[test]
fn an_unknown_bug() {
    assert_refused(&["cancel", "--plant", "weeds"], "use `lease-unproven`");
}

#[test]
fn no_server() {
    assert_refused(
        &["cancel", "--database", "postgres"],
        "TEST_POSTGRES_URL is not set",
    );
}
