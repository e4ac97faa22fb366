//! Which statements leave something on their connection that no end of a transaction takes back: settings, temporary
//! tables, locks of the session. What a procedure or a function of the user's leaves no text shows.

use super::keyword::Keyword as K;
use super::lexer::{Lexer, Token};
use super::rules::{after, after_in};

/// `SET LOCAL` ends with the transaction, as does a temporary table that is dropped on COMMIT.
pub(super) fn postgres(first: K, mut rest: Lexer<'_>) -> bool {
    match first {
        K::SET => !matches!(
            rest.token(),
            Token::Word(K::LOCAL | K::TRANSACTION | K::CONSTRAINTS)
        ),
        K::RESET | K::DISCARD | K::PREPARE | K::DEALLOCATE | K::LOAD => true,
        K::CREATE => is_temporary(rest) && !has(rest, K::COMMIT, K::DROP),
        K::DECLARE => has(rest, K::WITH, K::HOLD),
        _ => false,
    }
}

/// Behind `CREATE`. What is named in `pg_temp` is temporary too, and found by that name.
fn is_temporary(rest: Lexer<'_>) -> bool {
    let kind = after(rest, &[K::OR, K::REPLACE, K::LOCAL, K::GLOBAL]);
    matches!(kind, Token::Word(K::TEMP | K::TEMPORARY))
}

/// Whether a statement that begins so may be a query with `INTO`.
pub(super) fn may_select_into(first: K) -> bool {
    !matches!(
        first,
        K::INSERT | K::UPDATE | K::DELETE | K::MERGE | K::COPY
    )
}

/// `SELECT … INTO TEMP …`, by whatever word the query begins. What is inserted or merged into has that name.
pub(super) fn selects_into_temporary(first: K, mut rest: Lexer<'_>) -> bool {
    let mut before = first;
    loop {
        let token = rest.token();
        match token {
            Token::Word(K::INTO) if !matches!(before, K::INSERT | K::MERGE) => {
                let kind = after(rest, &[K::LOCAL, K::GLOBAL]);
                if matches!(kind, Token::Word(K::TEMP | K::TEMPORARY)) {
                    return true;
                }
            }
            Token::Semicolon | Token::End => return false,
            _ => {}
        }
        before = match token {
            Token::Word(word) => word,
            _ => K::OTHER,
        };
    }
}

/// Whether the statement holds these two words, one behind the other.
fn has(mut rest: Lexer<'_>, one: K, other: K) -> bool {
    loop {
        match rest.token() {
            Token::Word(word) if word == one && rest.peek() == Token::Word(other) => return true,
            Token::Semicolon | Token::End => return false,
            _ => {}
        }
    }
}

/// Functions, and a view, by which a query of `PostgreSQL`'s does what a statement of their own does: locks of the
/// session, and settings, unless those are for the transaction alone. `rest` is the whole text.
pub(super) fn calls_postgres(mut rest: Lexer<'_>) -> bool {
    loop {
        let (token, word) = rest.named();
        let calls = match token {
            Token::Word(_) | Token::Name(_) => rest.peek() == Token::Sign(b'('),
            Token::End => return false,
            _ => false,
        };
        let is = |name: &[u8]| calls && word.eq_ignore_ascii_case(name);
        if token == Token::Word(K::UPDATE) && is_settings(rest) {
            return true;
        }
        if LOCKS.iter().any(|lock| is(lock)) || (is(b"set_config") && !is_local(rest)) {
            return true;
        }
    }
}

/// `[ONLY] [pg_catalog.]pg_settings`.
fn is_settings(mut rest: Lexer<'_>) -> bool {
    let mut name = after_in(&mut rest, &[K::ONLY]);
    if rest.peek() == Token::Sign(b'.') {
        rest.token();
        name = rest.token();
    }
    matches!(
        name,
        Token::Word(K::PG_SETTINGS) | Token::Name(K::PG_SETTINGS)
    )
}

/// Locks that are held until the session gives them back.
const LOCKS: [&[u8]; 4] = [
    b"pg_advisory_lock",
    b"pg_advisory_lock_shared",
    b"pg_try_advisory_lock",
    b"pg_try_advisory_lock_shared",
];

/// Whether the third argument is the word `true` and no more. Of a value that is bound nobody knows.
fn is_local(mut rest: Lexer<'_>) -> bool {
    let (mut depth, mut commas) = (0_usize, 0);
    let mut before = Token::End;
    loop {
        let token = rest.token();
        match token {
            Token::Sign(b'(' | b'[') => depth += 1,
            Token::Sign(b')' | b']') if depth <= 1 => return false,
            Token::Sign(b')' | b']') => depth -= 1,
            Token::Sign(b',') if depth == 1 => commas += 1,
            // Behind the comma, or by name: `is_local => true`.
            Token::Word(K::TRUE) if depth == 1 && commas == 2 => {
                return matches!(before, Token::Sign(b',' | b'>'))
                    && rest.peek() == Token::Sign(b')');
            }
            Token::Semicolon | Token::End => return false,
            _ => {}
        }
        before = token;
    }
}

/// Of what `SET` changes, what is the server's own stays with nobody.
pub(super) fn mysql(first: K, mut rest: Lexer<'_>) -> bool {
    match first {
        K::SET => match after_ats(&mut rest) {
            Token::Word(K::STATEMENT | K::PASSWORD) => false,
            Token::Word(K::GLOBAL | K::PERSIST | K::PERSIST_ONLY) => assigns_more(rest),
            _ => true,
        },
        K::USE | K::PREPARE => true,
        K::CREATE => after(rest, &[K::OR, K::REPLACE]) == Token::Word(K::TEMPORARY),
        _ => false,
    }
}

/// The first token behind `@@`, where that stands there.
fn after_ats(rest: &mut Lexer<'_>) -> Token {
    let mut ahead = *rest;
    if ahead.token() == Token::Sign(b'@') && ahead.token() == Token::Sign(b'@') {
        *rest = ahead;
    }
    rest.token()
}

/// Whether another variable follows, which may be the session's.
fn assigns_more(mut rest: Lexer<'_>) -> bool {
    loop {
        match rest.token() {
            Token::Sign(b',') => return true,
            Token::Semicolon | Token::End => return false,
            _ => {}
        }
    }
}

/// `GET_LOCK(…)`, of which the session is the owner. `rest` is the whole text.
pub(super) fn calls_mysql(mut rest: Lexer<'_>) -> bool {
    loop {
        match rest.token() {
            Token::Word(K::GET_LOCK) | Token::Name(K::GET_LOCK)
                if rest.peek() == Token::Sign(b'(') =>
            {
                return true;
            }
            Token::End => return false,
            _ => {}
        }
    }
}

/// `SELECT @a := 1`, `SELECT 1 INTO @a`, `LOAD DATA … (@a)`, `GET DIAGNOSTICS @a = …`. `rest` is the whole text.
pub(super) fn assigns_variable(mut rest: Lexer<'_>) -> bool {
    let (mut is_variable, mut into, mut always) = (false, false, false);
    loop {
        match rest.token() {
            Token::End => return false,
            Token::Semicolon => (is_variable, into, always) = (false, false, false),
            Token::Sign(b'@') if into => return true,
            Token::Sign(b'@') => is_variable = true,
            Token::Sign(b':') if is_variable && rest.rest().first() == Some(&b'=') => return true,
            Token::Word(K::INTO) => into = true,
            Token::Word(word) if assigns_by(word, rest.peek()) => (into, always) = (true, true),
            Token::Word(_) | Token::Name(_) | Token::Literal => into = always,
            Token::Sign(_) => (is_variable, into) = (false, always),
        }
    }
}

/// Whether a statement that begins so assigns to each variable in it. A column may bear the name of its first word.
fn assigns_by(first: K, next: Token) -> bool {
    match first {
        K::LOAD => matches!(next, Token::Word(K::DATA | K::XML)),
        K::GET => matches!(next, Token::Word(K::CURRENT | K::DIAGNOSTICS)),
        _ => false,
    }
}

/// A setting that is asked for stays as it is, as do those of the database itself.
pub(super) fn sqlite(first: K, mut rest: Lexer<'_>) -> bool {
    match first {
        K::ATTACH | K::DETACH => true,
        K::CREATE => is_temporary(rest) || names_temporary(rest),
        K::PRAGMA => {
            let (_, mut name) = rest.named();
            if rest.peek() == Token::Sign(b'.') {
                rest.token();
                (_, name) = rest.named();
            }
            let assigns = matches!(rest.token(), Token::Sign(b'=' | b'('));
            assigns
                && !HARMLESS
                    .iter()
                    .any(|harmless| name.eq_ignore_ascii_case(harmless))
        }
        _ => false,
    }
}

/// `CREATE TABLE temp.…` and its kind.
fn names_temporary(mut rest: Lexer<'_>) -> bool {
    let kinds = &[
        K::UNIQUE,
        K::INDEX,
        K::VIRTUAL,
        K::TABLE,
        K::VIEW,
        K::TRIGGER,
        K::IF,
        K::NOT,
        K::EXISTS,
    ];
    let schema = after_in(&mut rest, kinds);
    matches!(schema, Token::Word(K::TEMP) | Token::Name(K::TEMP))
        && rest.peek() == Token::Sign(b'.')
}

/// Settings of `SQLite` whose argument is what they are asked about, which are the database's own, or which end with the
/// transaction.
const HARMLESS: [&[u8]; 18] = [
    b"application_id",
    b"auto_vacuum",
    b"defer_foreign_keys",
    b"foreign_key_check",
    b"foreign_key_list",
    b"incremental_vacuum",
    b"index_info",
    b"index_list",
    b"index_xinfo",
    b"integrity_check",
    b"optimize",
    b"quick_check",
    b"schema_version",
    b"table_info",
    b"table_list",
    b"table_xinfo",
    b"user_version",
    b"wal_checkpoint",
];
