//! Counts what cargo's test output reports.

use xtask::database::Database;

/// Passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// Filled by [`see`](Self::see), as the output comes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    line: Vec<u8>,
    pub(crate) total: Count,
    pub(crate) ignored: u64,
    databases: [Count; Database::ALL.len()],
}

impl Tally {
    pub(crate) fn see(&mut self, output: &[u8]) {
        for &byte in output {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.count(&String::from_utf8_lossy(&line));
            } else {
                self.line.push(byte);
            }
        }
    }

    /// The tests whose names have the database's name in them.
    pub(crate) fn of(&self, database: Database) -> Count {
        Database::ALL
            .iter()
            .zip(self.databases)
            .find(|(each, _)| **each == database)
            .map_or_else(Count::default, |(_, count)| count)
    }

    fn count(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.total.passed += before(result, " passed");
            self.total.failed += before(result, " failed");
            self.ignored += before(result, " ignored");
        } else if let Some((name, verdict)) = line
            .strip_prefix("test ")
            .and_then(|test| test.rsplit_once(" ... "))
        {
            let mut words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
            let Some(database) = words.find_map(|word| word.parse::<Database>().ok()) else {
                return;
            };
            let Some((_, count)) = Database::ALL
                .iter()
                .zip(&mut self.databases)
                .find(|(each, _)| **each == database)
            else {
                return;
            };
            match verdict.trim() {
                "ok" => count.passed += 1,
                "FAILED" => count.failed += 1,
                _ => {}
            }
        }
    }
}

/// The number in front of `word`.
fn before(text: &str, word: &str) -> u64 {
    let number = text
        .split(word)
        .next()
        .and_then(|text| text.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 4 tests
test endings::commit::postgres ... ok
test endings::commit::mysql ... FAILED
test nesting_sqlite ... ok
test options::unknown ... ok

test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests steadfast

running 1 test
test runtime/src/lib.rs - Session<Sqlite> (line 9) - compile ... ok

test result: ok. 10 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s
";

    #[test]
    fn sums_the_results_of_all_binaries() {
        let mut tally = Tally::default();
        tally.see(OUTPUT.as_bytes());
        assert_eq!(
            tally.total,
            Count {
                passed: 13,
                failed: 1
            }
        );
        assert_eq!(tally.ignored, 2);
    }

    #[test]
    fn knows_each_database_by_the_name_of_the_test() {
        let mut tally = Tally::default();
        tally.see(OUTPUT.as_bytes());
        assert_eq!(
            tally.of(Database::Postgres),
            Count {
                passed: 1,
                failed: 0
            }
        );
        assert_eq!(
            tally.of(Database::MySql),
            Count {
                passed: 0,
                failed: 1
            }
        );
        assert_eq!(
            tally.of(Database::Sqlite),
            Count {
                passed: 1,
                failed: 0
            }
        );
    }

    #[test]
    fn the_pieces_in_which_output_comes_do_not_matter() {
        let mut tally = Tally::default();
        OUTPUT
            .as_bytes()
            .chunks(3)
            .for_each(|piece| tally.see(piece));
        assert_eq!(
            tally.total,
            Count {
                passed: 13,
                failed: 1
            }
        );
    }
}
