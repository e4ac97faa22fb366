//! What a statement that is let through may do beside what its session sees of it.

use std::cell::LazyCell;

use super::keyword::Keyword;
use super::lexer::{Lexer, Token};
use super::wrapped::innermost;
use super::{Scanner, Shape, first_word, holds, lingering, rules};
use crate::backend::Dialect;

/// What the text of a statement shows of that.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is shown by itself, and none excludes another"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// It runs what its text does not show: on `MySQL` a procedure, a compound statement, or one prepared from text, may
    /// begin and end transactions, and leave `autocommit` off; a comment may be code or not; and what `sql_mode` is
    /// decides where a string with a backslash ends and which word begins a block.
    pub(crate) hides: bool,
    /// It runs code of the user's on the server that may change the limits of statements and locks for the sessions
    /// behind it. Of a function that a query calls no text shows that.
    pub(crate) calls: bool,
    /// It leaves something on the connection that no end of a transaction takes back.
    pub(crate) lingers: bool,
    /// It may make tables others than those that statements have been prepared for. The servers tell by themselves.
    pub(crate) reshapes: bool,
}

impl Effects {
    #[inline]
    pub(crate) fn of(dialect: Dialect, sql: &str, prepared: bool) -> Self {
        let whole = Lexer::new(dialect, sql);
        match dialect {
            Dialect::Postgres => Self::on_postgres(sql, whole, prepared),
            Dialect::MySql => Self::on_mysql(sql, whole, prepared),
            Dialect::Sqlite => Self::on_sqlite(whole, prepared),
        }
    }

    #[inline]
    fn on_postgres(sql: &str, whole: Lexer<'_>, prepared: bool) -> Self {
        let temporary = LazyCell::new(|| mentions_temporary(sql));
        let mut effects = Self::default();
        Text::new(Dialect::Postgres, whole, prepared).each(|first, rest| {
            effects.calls |= calls(first);
            effects.lingers |= lingering::postgres(first, rest)
                || (lingering::may_select_into(first)
                    && *temporary
                    && lingering::selects_into_temporary(first, rest));
        });
        effects.lingers |= mentions_escaped_name(sql)
            || (mentions(sql, &LINGERING_ON_POSTGRES)
                && (mentions(sql, &["pg_temp"]) || lingering::calls_postgres(whole)));
        effects
    }

    #[inline]
    fn on_mysql(sql: &str, whole: Lexer<'_>, prepared: bool) -> Self {
        let text = Text::new(Dialect::MySql, whole, prepared);
        let is_code = has_code_comments(sql);
        let mut effects = Self {
            hides: is_code || hides(sql, text.first, text.rest, prepared),
            ..Self::default()
        };
        text.each(|first, rest| {
            effects.calls |= calls(first);
            effects.lingers |= lingering::mysql(first, rest);
        });
        effects.lingers |= lingers_anywhere(sql, whole);
        if is_code {
            let plain = whole.without_code_comments();
            Text::new(Dialect::MySql, plain, prepared)
                .each(|first, rest| effects.lingers |= lingering::mysql(first, rest));
            effects.lingers |= lingers_anywhere(sql, plain);
        }
        effects
    }

    #[inline]
    fn on_sqlite(whole: Lexer<'_>, prepared: bool) -> Self {
        let mut effects = Self::default();
        Text::new(Dialect::Sqlite, whole, prepared).each(|first, rest| {
            effects.lingers |= lingering::sqlite(first, rest);
            effects.reshapes |= reshapes(first);
        });
        effects
    }
}

/// What is in every query of `PostgreSQL`'s that leaves something without a word of its own for it.
const LINGERING_ON_POSTGRES: [&str; 4] = ["pg_temp", "set_config", "pg_settings", "advisory_lock"];

/// The statements of a text, whose first token is read.
struct Text<'text> {
    scanner: Scanner,
    first: Token,
    rest: Lexer<'text>,
    is_alone: bool,
}

impl<'text> Text<'text> {
    #[inline]
    fn new(dialect: Dialect, mut lexer: Lexer<'text>, prepared: bool) -> Self {
        let several = holds(lexer.rest(), b';');
        let first = lexer.token();
        let scanner = Scanner::of(dialect);
        let is_compound = || {
            let Token::Word(first) = first else {
                return false;
            };
            scanner.judge(first, &lexer).1 == Shape::Compound
        };
        Self {
            is_alone: !several || (prepared && dialect != Dialect::Sqlite && !is_compound()),
            scanner,
            first,
            rest: lexer,
        }
    }

    /// Calls `look` with each of them: with the first word of what is run in the end, and what follows it.
    #[inline]
    fn each(&self, mut look: impl FnMut(Keyword, Lexer<'text>)) {
        let mut look = |first, rest| {
            let (first, rest) = innermost(self.scanner.dialect, first, rest);
            look(first, rest);
        };
        let mut rest = self.rest;
        let first = match self.first {
            Token::Word(first) => first,
            Token::Semicolon => match first_word(&mut rest) {
                Some(first) => first,
                None => return,
            },
            _ => Keyword::OTHER,
        };
        if self.is_alone {
            look(first, rest);
        } else {
            self.scanner.find(first, rest, |first, rest, _| {
                look(first, rest);
                None::<()>
            });
        }
    }
}

/// Whether the statements of `MySQL`'s that `whole` reads leave what any part of one may leave.
fn lingers_anywhere(sql: &str, whole: Lexer<'_>) -> bool {
    (holds(sql.as_bytes(), b'@') && lingering::assigns_variable(whole))
        || (mentions(sql, &["get_lock"]) && lingering::calls_mysql(whole))
}

fn calls(first: Keyword) -> bool {
    matches!(first, Keyword::CALL | Keyword::DO | Keyword::EXECUTE)
}

fn reshapes(first: Keyword) -> bool {
    matches!(
        first,
        Keyword::CREATE
            | Keyword::ALTER
            | Keyword::DROP
            | Keyword::ATTACH
            | Keyword::DETACH
            | Keyword::PRAGMA
    )
}

/// `rest` is what follows the `first` token of `sql`.
#[inline]
fn hides(sql: &str, first: Token, mut rest: Lexer<'_>, prepared: bool) -> bool {
    let holds_more = holds(sql.as_bytes(), b';');
    let several = !prepared && sql.trim_end_matches([';', ' ', '\n']).contains(';');
    if several && sql.contains('\\') {
        return true;
    }
    let scanner = Scanner {
        dialect: Dialect::MySql,
        in_transaction: true,
    };
    let hidden = |token| matches!(token, Token::Word(Keyword::CALL | Keyword::EXECUTE));
    let is_compound = |token, rest: &Lexer<'_>| matches!(token, Token::Word(first) if scanner.judge(first, rest).1 == Shape::Compound);
    if hidden(first) || is_compound(first, &rest) {
        return true;
    }
    // `SET STATEMENT … FOR CALL …` is one statement; behind a semicolon any may follow.
    if first != Token::Word(Keyword::SET) && !holds_more {
        return false;
    }
    let mut starts = false;
    loop {
        match rest.token() {
            Token::End => return false,
            Token::Semicolon => starts = true,
            token if hidden(token) || (starts && is_compound(token, &rest)) => return true,
            _ => starts = false,
        }
    }
}

/// Whether one of these names, each with an underscore, or a longer one around it, may stand in `sql`.
pub(crate) fn mentions(sql: &str, names: &[&str]) -> bool {
    holds(sql.as_bytes(), b'_')
        && sql.match_indices('_').any(|(at, _)| {
            names.iter().any(|name| {
                let ahead = name.find('_').unwrap_or_default();
                at.checked_sub(ahead)
                    .and_then(|start| sql.as_bytes().get(start..start + name.len()))
                    .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
            })
        })
}

/// Whether the word `temp` or `temporary` may stand in `sql`. Every query is searched: the search for one byte is many
/// times as fast as one for a text.
fn mentions_temporary(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    let is_in_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let ends = sql.match_indices('p').chain(sql.match_indices('P'));
    ends.map(|(at, _)| at).any(|at| {
        let Some(start) = at.checked_sub(3) else {
            return false;
        };
        let before = start.checked_sub(1).and_then(|at| bytes.get(at));
        let behind = bytes.get(at + 1..at + 6);
        bytes[start..at].eq_ignore_ascii_case(b"tem")
            && !is_in_word(before)
            && (!is_in_word(bytes.get(at + 1))
                || behind.is_some_and(|behind| behind.eq_ignore_ascii_case(b"orary")))
    })
}

/// Whether `sql` has a name that is written with escapes (`U&"…"`), so that it may be any.
fn mentions_escaped_name(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    holds(bytes, b'&')
        && sql.match_indices('&').any(|(at, _)| {
            let mut before = bytes[..at].iter().rev();
            let is_escape = matches!(before.next(), Some(b'U' | b'u'));
            is_escape
                && bytes.get(at + 1) == Some(&b'"')
                && !before.next().is_some_and(u8::is_ascii_alphanumeric)
        })
}

/// Whether some comment of `sql` is code to a `MySQL` or `MariaDB` server of the version that it names.
#[inline]
pub(crate) fn has_code_comments(sql: &str) -> bool {
    holds(sql.as_bytes(), b'!') && (sql.contains("/*!") || sql.contains("/*M!"))
}

/// Whether `sql` is a statement that may commit parts of its work one by one where no transaction is open, so that one
/// that fails may leave some; beside what [hides](Effects::hides) its work. On `SQLite` the hooks tell.
#[inline]
pub(crate) fn commits_inside(dialect: Dialect, sql: &str) -> bool {
    let mut lexer = Lexer::new(dialect, sql);
    let in_parts = match dialect {
        Dialect::Postgres => rules::postgres_in_parts,
        Dialect::MySql => rules::mysql_in_parts,
        Dialect::Sqlite => return false,
    };
    first_word(&mut lexer).is_some_and(|first| {
        let (first, rest) = innermost(dialect, first, lexer);
        in_parts(first, rest)
    })
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

/// Whether `sql` holds a statement at all, and not blanks and comments alone.
#[inline]
pub(crate) fn says_anything(dialect: Dialect, sql: &str) -> bool {
    first_word(&mut Lexer::new(dialect, sql)).is_some()
}

/// Whether `sql` holds more than one statement.
#[inline]
pub(crate) fn holds_several(dialect: Dialect, sql: &str, prepared: bool) -> bool {
    let alone = prepared && dialect != Dialect::Sqlite;
    if alone || !holds(sql.as_bytes(), b';') {
        return false;
    }
    let scanner = Scanner::of(dialect);
    let mut lexer = Lexer::new(dialect, sql);
    let Some(first) = first_word(&mut lexer) else {
        return false;
    };
    let (_, shape) = scanner.judge(first, &lexer);
    shape.skip(&mut lexer, first).is_some()
}
