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
        K::CREATE => {
            let skipped = &[K::OR, K::REPLACE, K::LOCAL, K::GLOBAL];
            matches!(
                after_in(&mut rest, skipped),
                Token::Word(K::TEMP | K::TEMPORARY)
            ) && !has(rest, K::COMMIT, K::DROP)
        }
        K::DECLARE => has(rest, K::WITH, K::HOLD),
        _ => false,
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

/// Of what `SET` changes, what is the server's own or for one statement stays with nobody.
pub(super) fn mysql(first: K, mut rest: Lexer<'_>) -> bool {
    match first {
        K::SET => !matches!(
            rest.token(),
            Token::Word(K::STATEMENT | K::GLOBAL | K::PERSIST | K::PERSIST_ONLY | K::PASSWORD)
        ),
        K::USE | K::PREPARE => true,
        K::CREATE => after(rest, &[K::OR, K::REPLACE]) == Token::Word(K::TEMPORARY),
        _ => false,
    }
}

/// `SELECT @a := 1`, `SELECT 1 INTO @a`.
pub(super) fn assigns_variable(sql: &str, mut rest: Lexer<'_>) -> bool {
    // The search for a byte is many times as fast as reading the tokens.
    if !sql.as_bytes().contains(&b'@') {
        return false;
    }
    let mut is_variable = false;
    let mut into = false;
    loop {
        match rest.token() {
            Token::End => return false,
            Token::Sign(b'@') if into => return true,
            Token::Sign(b'@') => is_variable = true,
            Token::Sign(b':') if is_variable && rest.rest().first() == Some(&b'=') => return true,
            Token::Word(K::INTO) => into = true,
            Token::Word(_) | Token::Name(_) | Token::Literal => into = false,
            _ => (is_variable, into) = (false, false),
        }
    }
}

/// A setting that is asked for stays as it is, as do those of the database itself.
pub(super) fn sqlite(first: K, mut rest: Lexer<'_>) -> bool {
    match first {
        K::ATTACH | K::DETACH => true,
        K::CREATE => matches!(rest.token(), Token::Word(K::TEMP | K::TEMPORARY)),
        K::PRAGMA => {
            let mut name = rest.token();
            if rest.peek() == Token::Sign(b'.') {
                rest.token();
                name = rest.token();
            }
            let assigns = matches!(rest.token(), Token::Sign(b'=' | b'('));
            assigns
                && !matches!(name, Token::Word(name) | Token::Name(name) if ASKS.contains(&name))
        }
        _ => false,
    }
}

/// Settings of `SQLite` whose argument is what they are asked about, or which are the database's own.
const ASKS: [K; 15] = [
    K::APPLICATION_ID,
    K::FOREIGN_KEY_LIST,
    K::INDEX_INFO,
    K::INDEX_LIST,
    K::INDEX_XINFO,
    K::INTEGRITY_CHECK,
    K::JOURNAL_MODE,
    K::OPTIMIZE,
    K::QUICK_CHECK,
    K::SCHEMA_VERSION,
    K::TABLE_INFO,
    K::TABLE_LIST,
    K::TABLE_XINFO,
    K::USER_VERSION,
    K::WAL_CHECKPOINT,
];
