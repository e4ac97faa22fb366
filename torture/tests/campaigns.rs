//! The short form of every campaign on each database, and the bugs that it must catch. Each runs in a process of its
//! own: a planted bug is the whole process's, and so are what some campaigns count.

use std::process::{Command, Output};

use xtask::database::Database;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_steadfast-torture"))
        .args(arguments)
        .output()
        .expect("the campaigns can be run")
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn short(campaign: &str, database: Database) {
    if !database.is_chosen().expect("a choice of databases") {
        return;
    }
    let output = run(&[campaign, "--short", "--database", database.name()]);
    let said = said(&output);
    println!("{said}");
    assert!(output.status.success(), "{said}");
    let last = said
        .lines()
        .rfind(|line| line.starts_with(&format!("campaign {campaign}: ")));
    assert!(
        last.is_some_and(|line| line.ends_with("; violations 0")),
        "{said}"
    );
}

fn caught(campaign: &str, bug: &str, database: Database) {
    if !database.is_chosen().expect("a choice of databases") {
        return;
    }
    let output = run(&[
        campaign,
        "--short",
        "--seed",
        "1",
        "--plant",
        bug,
        "--database",
        database.name(),
    ]);
    let said = said(&output);
    println!("{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    let violation = format!("violation in {campaign} ({database}): ");
    assert!(said.contains(&violation), "{bug} was not caught: {said}");
}

/// `campaign: databases`, and `bugs` with the databases on which each is caught.
macro_rules! campaigns {
    ($($campaign:ident on $($database:ident)+ $(, catches $bug:ident on $($where:ident)+)*;)+) => {
        $(mod $campaign {
            $(#[test]
            fn $database() {
                super::short(stringify!($campaign), stringify!($database).parse().expect("a database"));
            })+
            $(mod $bug {
                $(#[test]
                fn $where() {
                    let bug = stringify!($bug).replace('_', "-");
                    super::super::caught(stringify!($campaign), &bug, stringify!($where).parse().expect("a database"));
                })+
            })*
        })+
    };
}

campaigns! {
    cancel on postgres mysql sqlite, catches lease_unproven on postgres, catches begin_not_owned on mysql,
        catches cancel_late on postgres;
    panic on postgres mysql sqlite, catches lease_unproven on postgres, catches doom_ignored on sqlite;
    poison on postgres mysql sqlite, catches lease_unproven on postgres, catches doom_ignored on postgres,
        catches answer_taken on mysql;
    commit on postgres mysql sqlite, catches unknown_retried on mysql, catches answer_taken on postgres mysql;
    hang on postgres mysql sqlite, catches lease_unproven on mysql sqlite;
    bank on postgres mysql sqlite,
        catches lease_unproven on sqlite,
        catches doom_ignored on mysql,
        catches unknown_retried on postgres;
    history on postgres mysql sqlite,
        catches doom_ignored on sqlite,
        catches unknown_retried on postgres;
    leak on postgres mysql sqlite, catches lease_unproven on postgres;
}
