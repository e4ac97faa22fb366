//! Refuses, before it is sent, every statement that would begin or end a transaction or a savepoint.
//!
//! A session's transaction is the shield's alone: a `COMMIT` in a body, or DDL on `MySQL`, would persist half of
//! the work and leave the later rollback without effect. What text cannot show (procedures, dynamic SQL, a changed
//! `sql_mode`) is left to the proof at COMMIT.
//!
//! A statement is known by its first keyword. A prepared one is a single statement on `PostgreSQL` and `MySQL`, so
//! no more than that is read; in text that is not prepared, and always on `SQLite`, whose driver runs every
//! statement of the text, the scanner goes on behind each semicolon.

mod effects;
mod keyword;
mod lexer;
mod lingering;
mod refusal;
mod rules;
#[cfg(test)]
mod tests;
mod wrapped;

pub(crate) use self::effects::{
    Effects, begins_with_write, commits_inside, has_code_comments, holds_several, mentions,
    says_anything,
};
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
/// [hides](Effects::hides) what it runs.
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
    /// One that refuses nothing that is for the session to judge.
    fn of(dialect: Dialect) -> Self {
        Self {
            dialect,
            in_transaction: false,
        }
    }

    /// Goes from one statement of a text that may hold several to the next, those inside of a compound among them, until
    /// something is found; `rest` follows the `first` word.
    fn find<'text, T>(
        &self,
        mut first: Keyword,
        mut rest: Lexer<'text>,
        mut look: impl FnMut(Keyword, Lexer<'text>, Option<(&'static str, Way)>) -> Option<T>,
    ) -> Option<T> {
        let (mut way, mut shape) = self.judge(first, &rest);
        loop {
            if let Some(found) = look(first, rest, way) {
                return Some(found);
            }
            first = shape.skip(&mut rest, first)?;
            let next;
            (way, next) = self.judge(first, &rest);
            if shape != Shape::Compound {
                shape = next;
            }
        }
    }

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
        if alone || !holds(lexer.rest(), b';') {
            return None;
        }
        self.find(first, lexer, |_, _, way| {
            way.map(|(keyword, way)| Refusal::new(keyword, way, self.in_transaction))
        })
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

/// Whether `byte` stands in `text`. Every statement is searched for some, and few hold them: a search without an early
/// end compares sixteen bytes at a time. It is many times as fast as reading the tokens, and faster than `contains` in
/// a text as short as most statements are. A long one is not searched by code that a debug build leaves slow.
#[inline]
fn holds(text: &[u8], byte: u8) -> bool {
    const SHORT: usize = 256;
    if text.len() > SHORT {
        return text.contains(&byte);
    }
    text.iter()
        .fold(0, |found, &each| found | u8::from(each == byte))
        != 0
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
