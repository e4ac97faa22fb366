//! What the macros, the pool's doors and a session accept, and how the compiler refuses the rest.
//!
//! `TRYBUILD=overwrite cargo test -p steadfast-ui-tests` writes the `.stderr` files anew: read each of
//! them afterwards as the user who made the mistake.
//!
//! What passes is an example of this package, built with the tests and run here. trybuild gets the mistakes alone: then
//! it only checks its own copy of every dependency, and links none.

use std::path::{Path, PathBuf};
use std::process::Command;

use trybuild::TestCases;

/// Runs both folders of a macro, of the pool or of a session. `at_least` keeps a folder that lost its fixtures from
/// passing.
fn run(name: &str, at_least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let (pass, fail) = (
        fixtures(&folder.join("pass")),
        fixtures(&folder.join("fail")),
    );
    assert!(!pass.is_empty(), "{name} has nothing that passes");
    assert!(
        fail.len() >= at_least,
        "{name} has {} mistakes of {at_least}",
        fail.len()
    );
    for fixture in pass {
        passes(name, &fixture);
    }
    let cases = TestCases::new();
    for fixture in fail {
        cases.compile_fail(fixture);
    }
}

/// The example of a fixture is named for its folder and its file.
fn passes(folder: &str, fixture: &Path) {
    let test = std::env::current_exe().expect("this test's own path");
    let built = test
        .ancestors()
        .nth(2)
        .expect("a folder for what was built");
    let stem = fixture.file_stem().expect("a file").display();
    let example = built.join("examples").join(format!("{folder}_{stem}"));
    let ended = Command::new(&example).status().unwrap_or_else(|error| {
        panic!(
            "`{}` did not start ({error}): list `{}` as an example in Cargo.toml, and run `cargo test -p steadfast-ui-tests`",
            example.display(),
            fixture.display()
        )
    });
    assert!(ended.success(), "{}: {ended}", fixture.display());
}

fn fixtures(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().expect("a folder of fixtures");
    let mut fixtures: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    fixtures.sort();
    fixtures
}

#[test]
fn with_session() {
    run("with_session", 55);
}

#[test]
fn retry() {
    run("retry", 30);
}

#[test]
fn db_error_handling() {
    run("db_error_handling", 12);
}

#[test]
fn session_error() {
    run("session_error", 8);
}

#[test]
fn pool() {
    run("pool", 6);
}

#[test]
fn session() {
    run("session", 20);
}
