//! Refuses, before it is sent, every statement that would begin or end a transaction or a savepoint.
//!
//! A session's transaction is the shield's alone: a `COMMIT` in a body, or DDL on `MySQL`, would persist half of
//! the work and leave the later rollback without effect. What text cannot show (procedures, dynamic SQL, a changed
//! `sql_mode`) is left to the proof at COMMIT.
//!
//! A statement is known by its first keyword. A prepared one is a single statement on `PostgreSQL` and `MySQL`, so
//! no more than that is read; in text that is not prepared, and always on `SQLite`, whose driver runs every
//! statement of the text, the scanner goes on behind each semicolon.

mod keyword;
mod lexer;
mod refusal;
mod rules;
#[cfg(test)]
mod tests;

use self::keyword::Keyword;
use self::lexer::{Lexer, Token};
pub(crate) use self::refusal::Refusal;
use self::refusal::Way;
use crate::backend::Dialect;

/// The first statement of `sql` that must not run inside a session's transaction.
#[inline]
pub(crate) fn scan(dialect: Dialect, sql: &str, prepared: bool) -> Option<Refusal> {
    Scanner {
        dialect,
        in_transaction: true,
    }
    .scan(sql, prepared)
}

/// The first statement of `sql` that must not run on a pooled connection outside of a transaction: it would leave
/// one open, or locks. DDL passes.
#[inline]
pub(crate) fn scan_autocommit(dialect: Dialect, sql: &str, prepared: bool) -> Option<Refusal> {
    Scanner {
        dialect,
        in_transaction: false,
    }
    .scan(sql, prepared)
}

/// The same as a `PostgreSQL` server reads it with `standard_conforming_strings` off.
pub(crate) fn scan_escaped(sql: &str, prepared: bool, in_transaction: bool) -> Option<Refusal> {
    let dialect = Dialect::Postgres;
    let scanner = Scanner {
        dialect,
        in_transaction,
    };
    scanner.read(Lexer::new(dialect, sql).with_backslashes(), prepared)
}

/// The same as a `MySQL` server reads it for which no comment is code. Where some are and some are not the text
/// [`hides`] what it runs.
pub(crate) fn scan_without_code(
    sql: &str,
    prepared: bool,
    in_transaction: bool,
) -> Option<Refusal> {
    let dialect = Dialect::MySql;
    let scanner = Scanner {
        dialect,
        in_transaction,
    };
    scanner.read(Lexer::new(dialect, sql).without_code_comments(), prepared)
}

/// Whether some comment of `sql` is code to a `MySQL` or `MariaDB` server of the version that it names.
#[inline]
pub(crate) fn has_code_comments(sql: &str) -> bool {
    // The search for a byte is many times as fast as one for a text.
    sql.as_bytes().contains(&b'!') && (sql.contains("/*!") || sql.contains("/*M!"))
}

/// Whether `sql` runs what its text does not show: on `MySQL` a procedure, a compound statement, or one prepared from
/// text, may begin and end transactions, and leave `autocommit` off; a comment may be code or not; and what `sql_mode`
/// is decides where a string with a backslash ends and which word begins a block.
#[inline]
pub(crate) fn hides(dialect: Dialect, sql: &str, prepared: bool) -> bool {
    if dialect != Dialect::MySql {
        return false;
    }
    let holds_more = sql.as_bytes().contains(&b';');
    // A prepared text is one statement, wherever its strings end.
    let several = !prepared && sql.trim_end_matches([';', ' ', '\n']).contains(';');
    if has_code_comments(sql) || (several && sql.contains('\\')) {
        return true;
    }
    let scanner = Scanner {
        dialect,
        in_transaction: true,
    };
    let mut lexer = Lexer::new(dialect, sql);
    let hidden = |token| matches!(token, Token::Word(Keyword::CALL | Keyword::EXECUTE));
    let is_compound = |token, rest: &Lexer<'_>| matches!(token, Token::Word(first) if scanner.judge(first, rest).1 == Shape::Compound);
    let first = lexer.token();
    if hidden(first) || is_compound(first, &lexer) {
        return true;
    }
    // `SET STATEMENT … FOR CALL …` is one statement; behind a semicolon any may follow.
    if first != Token::Word(Keyword::SET) && !holds_more {
        return false;
    }
    let mut starts = false;
    loop {
        match lexer.token() {
            Token::End => return false,
            Token::Semicolon => starts = true,
            token if hidden(token) || (starts && is_compound(token, &lexer)) => return true,
            _ => starts = false,
        }
    }
}

/// Whether `sql` is a statement that may commit parts of its work one by one where no transaction is open, so that one
/// that fails may leave some; beside what [`hides`] its work. On `SQLite` the hooks tell.
#[inline]
pub(crate) fn commits_inside(dialect: Dialect, sql: &str) -> bool {
    let mut lexer = Lexer::new(dialect, sql);
    match dialect {
        Dialect::Postgres => {
            first_word(&mut lexer).is_some_and(|first| rules::postgres_in_parts(first, lexer))
        }
        Dialect::MySql => {
            first_word(&mut lexer).is_some_and(|first| rules::mysql_in_parts(first, lexer))
        }
        Dialect::Sqlite => false,
    }
}

/// Whether `sql` begins with a word that always writes. `WITH`, `PRAGMA` and the like leave it open.
#[inline]
pub(crate) fn begins_with_write(dialect: Dialect, sql: &str) -> bool {
    dialect == Dialect::Sqlite
        && matches!(
            first_word(&mut Lexer::new(dialect, sql)),
            Some(
                Keyword::INSERT
                    | Keyword::UPDATE
                    | Keyword::DELETE
                    | Keyword::REPLACE
                    | Keyword::CREATE
                    | Keyword::ALTER
                    | Keyword::DROP
            )
        )
}

/// Whether `sql` may change the limits of statements and locks for the sessions behind it. What a function does that is
/// called by its name no text shows.
#[inline]
pub(crate) fn may_set_limits(dialect: Dialect, sql: &str, prepared: bool) -> bool {
    if dialect == Dialect::Sqlite {
        return false;
    }
    let several = !prepared && sql.as_bytes().contains(&b';');
    let words: &[&str] = match Lexer::new(dialect, sql).token() {
        _ if several => &["_time", "reset", "discard", "call", "do", "execute"],
        Token::Word(Keyword::SET | Keyword::RESET) => &["_time", "reset"],
        Token::Word(Keyword::CALL | Keyword::DISCARD | Keyword::DO | Keyword::EXECUTE) => {
            return true;
        }
        _ => &[],
    };
    words.iter().any(|words| mentions(sql, words))
        || (dialect == Dialect::Postgres && names_settings(sql))
}

/// Whether `words` stand anywhere in `sql`, in any case.
fn mentions(sql: &str, words: &str) -> bool {
    let mut places = sql.as_bytes().windows(words.len());
    places.any(|place| place.eq_ignore_ascii_case(words.as_bytes()))
}

/// Whether `sql` holds the name of the function or the view of `PostgreSQL` that set what `SET` does. Every statement is
/// searched: the search for one byte is many times as fast as one for a text.
fn names_settings(sql: &str) -> bool {
    sql.match_indices('_').any(|(at, _)| {
        ["set_config", "pg_settings"].iter().any(|name| {
            let ahead = name.find('_').unwrap_or_default();
            at.checked_sub(ahead)
                .and_then(|start| sql.as_bytes().get(start..start + name.len()))
                .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
        })
    })
}

/// Whether `sql` holds a statement at all, and not blanks and comments alone.
#[inline]
pub(crate) fn says_anything(dialect: Dialect, sql: &str) -> bool {
    first_word(&mut Lexer::new(dialect, sql)).is_some()
}

/// Whether `sql` holds more than one statement.
#[inline]
pub(crate) fn holds_several(dialect: Dialect, sql: &str, prepared: bool) -> bool {
    let alone = prepared && dialect != Dialect::Sqlite;
    if alone || !sql.as_bytes().contains(&b';') {
        return false;
    }
    let scanner = Scanner {
        dialect,
        in_transaction: false,
    };
    let mut lexer = Lexer::new(dialect, sql);
    let Some(first) = first_word(&mut lexer) else {
        return false;
    };
    let (_, shape) = scanner.judge(first, &lexer);
    shape.skip(&mut lexer, first).is_some()
}

/// Where a statement has its end, when that is not the next semicolon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Plain,
    /// `SQLite`'s `CREATE TRIGGER … BEGIN …; END`.
    Trigger,
    /// `PostgreSQL`'s `CREATE FUNCTION … BEGIN ATOMIC …; END`.
    Atomic,
    /// `MariaDB`'s statements outside of a procedure: `BEGIN NOT ATOMIC …; END`, `IF … THEN …; END IF`.
    Compound,
    /// `MySQL`'s procedures, triggers and events: nothing marks their end.
    Routine,
}

impl Shape {
    /// The first word of the statement behind the one that begins with `first`; `None` at the end of the text.
    fn skip(self, lexer: &mut Lexer<'_>, first: Keyword) -> Option<Keyword> {
        match self {
            Self::Plain => skip_plain(lexer),
            Self::Trigger => skip_trigger(lexer),
            Self::Atomic => skip_atomic(lexer),
            Self::Compound => skip_compound(lexer, first),
            Self::Routine => None,
        }
    }
}

struct Scanner {
    dialect: Dialect,
    in_transaction: bool,
}

impl Scanner {
    #[inline]
    fn scan(&self, sql: &str, prepared: bool) -> Option<Refusal> {
        self.read(Lexer::new(self.dialect, sql), prepared)
    }

    #[inline]
    fn read(&self, mut lexer: Lexer<'_>, prepared: bool) -> Option<Refusal> {
        let mut token = lexer.token();
        while token == Token::Semicolon {
            token = lexer.token();
        }
        let first = match token {
            Token::Word(first) => first,
            _ => Keyword::OTHER,
        };
        let (way, shape) = self.judge(first, &lexer);
        if let Some((keyword, way)) = way {
            return Some(Refusal::new(keyword, way, self.in_transaction));
        }
        let alone = prepared && self.dialect != Dialect::Sqlite && shape != Shape::Compound;
        // The search for a byte is many times as fast as reading the tokens.
        if alone || !lexer.rest().contains(&b';') {
            return None;
        }
        self.scan_rest(lexer, first, shape)
    }

    /// Behind the first keyword of a text that may hold more statements.
    fn scan_rest(
        &self,
        mut lexer: Lexer<'_>,
        mut first: Keyword,
        mut shape: Shape,
    ) -> Option<Refusal> {
        loop {
            first = shape.skip(&mut lexer, first)?;
            let (way, next) = self.judge(first, &lexer);
            if let Some((keyword, way)) = way {
                return Some(Refusal::new(keyword, way, self.in_transaction));
            }
            if shape != Shape::Compound {
                shape = next;
            }
        }
    }

    #[inline]
    fn judge(&self, first: Keyword, rest: &Lexer<'_>) -> (Option<(&'static str, Way)>, Shape) {
        let (refused, shape) = match self.dialect {
            Dialect::Postgres => rules::postgres(first, rest),
            Dialect::MySql => rules::mysql(first, rest),
            Dialect::Sqlite => rules::sqlite(first, rest),
        };
        (
            refused.filter(|&(_, way)| self.in_transaction || way != Way::Implicit),
            shape,
        )
    }
}

/// Moves behind the next semicolon.
fn pass_semicolon(lexer: &mut Lexer<'_>) -> Option<()> {
    loop {
        match lexer.token() {
            Token::Semicolon => return Some(()),
            Token::End => return None,
            _ => {}
        }
    }
}

/// The first word of the statement that starts here, or of the next one that starts with a word.
fn first_word(lexer: &mut Lexer<'_>) -> Option<Keyword> {
    loop {
        match lexer.token() {
            Token::Semicolon => {}
            Token::Word(first) => return Some(first),
            Token::End => return None,
            _ => pass_semicolon(lexer)?,
        }
    }
}

fn skip_plain(lexer: &mut Lexer<'_>) -> Option<Keyword> {
    pass_semicolon(lexer)?;
    first_word(lexer)
}

/// A trigger's body holds plain statements only, so the first of them called `END` closes it.
fn skip_trigger(lexer: &mut Lexer<'_>) -> Option<Keyword> {
    while skip_plain(lexer)? != Keyword::END {}
    skip_plain(lexer)
}

fn skip_atomic(lexer: &mut Lexer<'_>) -> Option<Keyword> {
    let mut depth = 0_u32;
    loop {
        match lexer.token() {
            Token::Word(Keyword::BEGIN) if lexer.peek() == Token::Word(Keyword::ATOMIC) => {
                depth += 1;
            }
            Token::Word(Keyword::CASE) if depth > 0 => depth += 1,
            Token::Word(Keyword::END) if depth > 0 => depth -= 1,
            Token::Semicolon if depth == 0 => return first_word(lexer),
            Token::End => return None,
            _ => {}
        }
    }
}

/// What follows the compound counts as part of it: a block inside it and a transaction behind it both start with
/// `BEGIN`, which therefore passes.
fn skip_compound(lexer: &mut Lexer<'_>, first: Keyword) -> Option<Keyword> {
    let mut starts = matches!(first, Keyword::LOOP | Keyword::REPEAT);
    loop {
        starts = match lexer.token() {
            Token::End => return None,
            // The sign stands behind a label.
            Token::Semicolon
            | Token::Sign(b':')
            | Token::Word(
                Keyword::ATOMIC
                | Keyword::BEGIN
                | Keyword::DO
                | Keyword::ELSE
                | Keyword::LOOP
                | Keyword::REPEAT
                | Keyword::THEN,
            ) => true,
            Token::Word(first) if starts => return Some(first),
            _ => false,
        }
    }
}
