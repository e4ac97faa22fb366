//! ARCHITECTURE.md says which test shows what of a trap. Here it is held to it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const HEADING: &str = "## Traps and where they are tested";
/// How many there are.
const TRAPS: usize = 26;
/// How many bear their number in a test or a fixture, at the least.
const TESTED: usize = 24;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A line of the table.
struct Row {
    number: usize,
    /// `path::name`, or the path of a fixture.
    places: Vec<String>,
    waits: bool,
}

fn rows(page: &str) -> Vec<Row> {
    let (_, section) = page.split_once(HEADING).expect(HEADING);
    let section = section.split("\n## ").next().unwrap();
    let table = section.lines().filter(|line| line.starts_with("| "));
    table
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [number, _, _, place] = cells[..] else {
                panic!("four cells: {line}");
            };
            let places = place.split('`').skip(1).step_by(2).map(str::to_owned);
            Some(Row {
                number: number.parse().ok()?,
                places: places.collect(),
                waits: place.contains("waits for"),
            })
        })
        .collect()
}

/// What is wrong with a place that a trap's test is said to be in.
fn wrong(number: usize, place: &str) -> Option<String> {
    let (path, name) = match place.split_once("::") {
        Some((path, name)) => (path, Some(name)),
        None => (place, None),
    };
    let Ok(text) = fs::read_to_string(root().join(path)) else {
        return Some("there is no such file".to_owned());
    };
    let mark = format!("Trap {number}:");
    let Some(name) = name else {
        let is_refused = Path::new(path).with_extension("stderr");
        if path.contains("/fail/") && !root().join(is_refused).exists() {
            return Some("the compiler's answer is missing".to_owned());
        }
        let is_fixture = path.starts_with("ui-tests/");
        return (!is_fixture || !text.contains(&mark)).then(|| format!("no fixture with `{mark}`"));
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let signature = format!("fn {name}(");
    let tests = (0..lines.len()).filter(|at| lines[*at].contains(&signature));
    // Its attributes and what is said of it.
    let mut heads = tests.map(|at| {
        let head = lines[..at].iter().rev();
        head.take_while(|line| line.starts_with("///") || line.starts_with("#["))
            .collect::<Vec<_>>()
    });
    let is_there = heads.any(|head| {
        let has = |start: &str| head.iter().any(|line| line.starts_with(start));
        let is_marked = head.iter().any(|line| line.contains(&mark));
        is_marked && (has("#[test]") || has("#[tokio::test"))
    });
    (!is_there).then(|| format!("no test of that name with `{mark}`"))
}

/// Every file that marks a trap, with the traps' numbers.
fn marked(folder: &Path, found: &mut Vec<(PathBuf, usize)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            marked(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let marks = text.lines().filter_map(|line| {
                let said = line
                    .trim()
                    .strip_prefix("//")?
                    .trim_start_matches('/')
                    .trim();
                said.strip_prefix("Trap ")?.split_once(':')?.0.parse().ok()
            });
            found.extend(marks.map(|number| (path.clone(), number)));
        }
    }
}

#[test]
fn names_every_trap_and_only_tests_that_are_there() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = rows(&page);
    let numbers: Vec<usize> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=TRAPS).collect::<Vec<_>>());

    let mut mistakes = String::new();
    for row in &rows {
        for place in &row.places {
            if let Some(wrong) = wrong(row.number, place) {
                writeln!(mistakes, "trap {}, {place}: {wrong}", row.number).unwrap();
            }
        }
        if row.places.is_empty() && !row.waits {
            writeln!(
                mistakes,
                "trap {} names neither a test nor what it waits for",
                row.number
            )
            .unwrap();
        }
    }
    // The other way round: a mark that the table does not know.
    let mut found = Vec::new();
    for folder in ["tests", "ui-tests"] {
        marked(&root().join(folder), &mut found);
    }
    for (path, number) in &found {
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
        let row = rows.iter().find(|row| row.number == *number);
        let is_named = row.is_some_and(|row| {
            row.places
                .iter()
                .any(|place| place.split("::").next() == Some(path))
        });
        if !is_named {
            writeln!(
                mistakes,
                "{path} bears trap {number}, and the table does not say so"
            )
            .unwrap();
        }
    }
    let tested = rows.iter().filter(|row| !row.places.is_empty()).count();
    let places: usize = rows.iter().map(|row| row.places.len()).sum();
    println!(
        "traps     | {TRAPS} in all | {tested} tested, in {places} places | {} wait for something",
        rows.iter().filter(|row| row.waits).count()
    );
    assert!(mistakes.is_empty(), "{mistakes}");
    assert!(tested >= TESTED, "{tested} of {TRAPS}");
}

/// Else the table could say anything.
#[test]
fn a_place_that_is_not_there_is_found_out() {
    let is_wrong = |number, place: &str| wrong(number, place).is_some();
    assert!(!is_wrong(22, "tests/traps/lifetimes.rs::end_one_by_one"));
    assert!(
        is_wrong(21, "tests/traps/lifetimes.rs::end_one_by_one"),
        "of another trap"
    );
    assert!(is_wrong(22, "tests/traps/lifetimes.rs::opened"), "no test");
    assert!(
        is_wrong(22, "tests/traps/lifetimes.rs::end"),
        "a part of a name"
    );
    assert!(is_wrong(22, "tests/traps/lifetimes.rs"), "no fixture");
    assert!(
        is_wrong(22, "tests/traps/lifetime.rs::end_one_by_one"),
        "no file"
    );
    assert!(!is_wrong(26, "ui-tests/retry/fail/max_of_zero.rs"));
    assert!(
        is_wrong(25, "ui-tests/retry/fail/max_of_zero.rs"),
        "of another trap"
    );
    assert!(
        is_wrong(26, "ui-tests/retry/fail/max_of_minus_one.rs"),
        "no fixture of that name"
    );
}
