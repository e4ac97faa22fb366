//! Programs put together from statements and blanks whose meaning is known, so the first refusal is known too.

use super::*;

struct Words {
    dialect: Dialect,
    random: fastrand::Rng,
}

impl Words {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.random.usize(..of.len())]
    }

    /// At least one blank, where two words must not touch.
    fn blank(&mut self) -> String {
        let own: &[&str] = match self.dialect {
            Postgres => &[" ", "/* /* ' */ ; COMMIT; */", "-- ;COMMIT;'\r"],
            MySql => &[
                " ",
                "# ;COMMIT;'\n",
                "-- ;COMMIT;\"\n",
                "/*! */",
                "/*M!100100*/",
            ],
            Sqlite => &[" ", "/* /* ; COMMIT; */", "--;COMMIT;\r'\n"],
        };
        let common = &[" ", "\n", "\t", "/* ;COMMIT; */", "/*'*/", "-- \"\n"];
        let mut blank = String::from(" ");
        for _ in 0..self.random.usize(..3) {
            let from = if self.random.bool() { own } else { common };
            blank += self.one(from);
        }
        blank
    }

    fn value(&mut self) -> &'static str {
        let own: &[&str] = match self.dialect {
            Postgres => &[
                "$1",
                "$$;COMMIT;'$$",
                "$a$ $$ ;COMMIT;$b$ $a$",
                "E'\\';COMMIT;'",
                "'\\'",
                "E'a'\n'\\';COMMIT;'",
                "\"a;COMMIT;'\"",
                "a$b$",
                "1#2",
            ],
            MySql => &[
                "?",
                "'\\';COMMIT;'",
                "\"\\\";COMMIT;\"",
                "`;COMMIT;\\`",
                "$a$",
                "1--1",
                "/*!80000 1 */",
            ],
            Sqlite => &[
                "?1",
                "[;COMMIT;']",
                "`;COMMIT;'`",
                "\"'\"",
                "'\\'",
                "$a$",
                "x'00'",
            ],
        };
        let common = &[
            "1",
            "a",
            "a.commit",
            "';COMMIT;'",
            "'it''s'",
            "(1, 'a;b')",
            "2*3",
            "4/5",
            "-6",
        ];
        let from = if self.random.bool() { own } else { common };
        self.one(from)
    }

    fn tail(&mut self) -> String {
        let mut tail = String::new();
        for _ in 0..self.random.usize(..5) {
            tail += &self.blank();
            // Two literals of PostgreSQL without a sign between them may be one.
            tail.push(',');
            tail += self.value();
        }
        tail
    }

    /// A statement and what it is refused as.
    fn statement(&mut self) -> (String, Option<&'static str>) {
        let refused: &[&'static str] = match self.dialect {
            Postgres => &[
                "BEGIN",
                "COMMIT",
                "END",
                "ROLLBACK",
                "ABORT",
                "SAVEPOINT",
                "RELEASE",
            ],
            MySql => &[
                "BEGIN",
                "COMMIT",
                "ROLLBACK",
                "SAVEPOINT",
                "RELEASE",
                "XA",
                "DROP",
                "GRANT",
                "FLUSH",
            ],
            Sqlite => &["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"],
        };
        let passed = &[
            "SELECT",
            "INSERT INTO",
            "update",
            "WITH",
            "delete from",
            "VALUES",
            "commits",
            "beginx",
            "",
        ];
        let keyword = (self.random.u8(..8) == 0).then(|| self.one(refused));
        let mut text = self.blank();
        for letter in keyword.unwrap_or_else(|| self.one(passed)).chars() {
            text.push(if self.random.bool() {
                letter.to_ascii_lowercase()
            } else {
                letter
            });
        }
        if !text
            .trim_end()
            .ends_with(|last: char| last.is_ascii_alphabetic())
        {
            return (text, keyword);
        }
        text += &self.tail();
        text += &self.blank();
        (text, keyword)
    }
}

#[test]
fn the_first_refused_statement_of_a_random_program_is_found() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut found = 0;
    for dialect in ALL {
        let mut words = Words {
            dialect,
            random: fastrand::Rng::with_seed(seed),
        };
        for _ in 0..20_000 {
            let mut program = String::new();
            let mut first = None;
            for _ in 0..words.random.usize(1..6) {
                let (statement, keyword) = words.statement();
                program += &statement;
                program.push(';');
                first = first.or(keyword);
            }
            found += usize::from(first.is_some());
            assert_eq!(
                refused(dialect, &program, false),
                first,
                "{dialect:?}, seed {seed}: {program}"
            );
        }
    }
    assert!(
        found > 5_000,
        "only {found} programs held a refused statement"
    );
}

#[test]
fn any_text_is_read_to_its_end() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let pieces = [
        "'",
        "\"",
        "`",
        "[",
        "]",
        "$",
        "$a$",
        "\\",
        "/*",
        "*/",
        "/*!",
        "/*M!1",
        "--",
        "#",
        ";",
        "\n",
        "E'",
        "e",
        "é",
        "\u{feff}",
        "BEGIN",
        "ATOMIC",
        "END",
        "CASE",
        "CREATE",
        "FUNCTION",
        "TRIGGER",
        "IF",
        "THEN",
        "SET",
        "STATEMENT",
        "FOR",
        "@",
        "=",
        ":",
        "1",
        " ",
        "autocommit",
    ];
    for _ in 0..50_000 {
        let mut text = String::new();
        for _ in 0..random.usize(..20) {
            text += pieces[random.usize(..pieces.len())];
        }
        for dialect in ALL {
            for prepared in [true, false] {
                // To return at all, and without a panic, is what is asked for.
                let _ = (
                    scan(dialect, &text, prepared),
                    scan_autocommit(dialect, &text, prepared),
                );
            }
        }
    }
}
