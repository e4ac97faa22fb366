//! Which first keywords are refused, for each database. No word of a statement that passes costs more than one `match`.

use super::Shape;
use super::keyword::Keyword as K;
use super::lexer::{Lexer, Token};
use super::refusal::Way;
use super::wrapped::innermost;
use crate::backend::Dialect;

/// What is refused, if anything, and where the statement ends.
type Verdict = (Option<(&'static str, Way)>, Shape);

const PASS: Verdict = (None, Shape::Plain);

const fn refuse(keyword: &'static str, way: Way) -> Verdict {
    (Some((keyword, way)), Shape::Plain)
}

/// `SET TRANSACTION` passes: it ends nothing. `CALL` and `DO` cannot end a transaction that is in a block (2D000).
#[inline]
pub(super) fn postgres(first: K, rest: &Lexer<'_>) -> Verdict {
    match first {
        K::BEGIN => refuse("BEGIN", Way::Begin),
        K::START => refuse("START TRANSACTION", Way::Begin),
        K::COMMIT if rest.peek() == Token::Word(K::PREPARED) => {
            refuse("COMMIT PREPARED", Way::TwoPhase)
        }
        K::COMMIT => refuse("COMMIT", Way::Commit),
        K::END => refuse("END", Way::Commit),
        K::ABORT => refuse("ABORT", Way::Rollback),
        K::ROLLBACK if rest.peek() == Token::Word(K::PREPARED) => {
            refuse("ROLLBACK PREPARED", Way::TwoPhase)
        }
        K::ROLLBACK => rollback(*rest),
        K::SAVEPOINT => refuse("SAVEPOINT", Way::Savepoint),
        K::RELEASE => refuse("RELEASE", Way::Savepoint),
        K::PREPARE if rest.peek() == Token::Word(K::TRANSACTION) => {
            refuse("PREPARE TRANSACTION", Way::TwoPhase)
        }
        K::LISTEN => refuse("LISTEN", Way::Listen),
        K::COPY if through_client(*rest) => refuse("COPY", Way::Copy),
        K::CREATE => match after(*rest, &[K::OR, K::REPLACE]) {
            Token::Word(K::FUNCTION | K::PROCEDURE) => (None, Shape::Atomic),
            _ => PASS,
        },
        _ => PASS,
    }
}

/// `COPY … FROM STDIN` or `TO STDOUT`; a file or program is the server's own affair.
fn through_client(mut rest: Lexer<'_>) -> bool {
    let mut depth = 0_usize;
    loop {
        match rest.token() {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth = depth.saturating_sub(1),
            Token::Word(K::FROM | K::TO) if depth == 0 => {
                return matches!(rest.token(), Token::Word(K::STDIN | K::STDOUT));
            }
            Token::Semicolon | Token::End => return false,
            _ => {}
        }
    }
}

/// `VACUUM`, `ATTACH` and `PRAGMA journal_mode` pass: inside a transaction `SQLite` itself refuses them.
#[inline]
pub(super) fn sqlite(first: K, rest: &Lexer<'_>) -> Verdict {
    match first {
        K::BEGIN => refuse("BEGIN", Way::Begin),
        K::COMMIT => refuse("COMMIT", Way::Commit),
        K::END => refuse("END", Way::Commit),
        K::ROLLBACK => rollback(*rest),
        K::SAVEPOINT => refuse("SAVEPOINT", Way::Savepoint),
        K::RELEASE => refuse("RELEASE", Way::Savepoint),
        K::CREATE => sqlite_create(*rest),
        K::PRAGMA => sqlite_pragma(*rest),
        // Runs nothing, whatever it explains; but a setting is obeyed as soon as it is compiled.
        K::EXPLAIN => match innermost(Dialect::Sqlite, first, *rest) {
            (K::CREATE, rest) => sqlite_create(rest),
            (K::PRAGMA, rest) => sqlite_pragma(rest),
            _ => PASS,
        },
        _ => PASS,
    }
}

/// Two settings are the session's own: they tell readers from writers and keep waits short.
fn sqlite_pragma(mut rest: Lexer<'_>) -> Verdict {
    let mut name = rest.token();
    if rest.peek() == Token::Sign(b'.') {
        rest.token();
        name = rest.token();
    }
    let assigns = matches!(rest.token(), Token::Sign(b'=' | b'('));
    match name {
        Token::Word(K::QUERY_ONLY) | Token::Name(K::QUERY_ONLY) if assigns => {
            refuse("PRAGMA query_only", Way::ReadOnly)
        }
        Token::Word(K::BUSY_TIMEOUT) | Token::Name(K::BUSY_TIMEOUT) if assigns => {
            refuse("PRAGMA busy_timeout", Way::Wait)
        }
        _ => PASS,
    }
}

fn sqlite_create(rest: Lexer<'_>) -> Verdict {
    match after(rest, &[K::TEMP, K::TEMPORARY]) {
        Token::Word(K::TRIGGER) => (None, Shape::Trigger),
        _ => PASS,
    }
}

/// The statements that commit implicitly, as the manuals of `MySQL` 8 and `MariaDB` list them; `FLUSH` and the like
/// are among them.
#[inline]
pub(super) fn mysql(first: K, rest: &Lexer<'_>) -> Verdict {
    let implicit = |keyword| refuse(keyword, Way::Implicit);
    let next = || rest.peek();
    match first {
        K::BEGIN if next() == Token::Word(K::NOT) => (None, Shape::Compound),
        K::BEGIN => refuse("BEGIN", Way::Begin),
        K::START if next() == Token::Word(K::TRANSACTION) => {
            refuse("START TRANSACTION", Way::Begin)
        }
        K::COMMIT => refuse("COMMIT", Way::Commit),
        K::ROLLBACK => rollback(*rest),
        K::SAVEPOINT => refuse("SAVEPOINT", Way::Savepoint),
        K::RELEASE => refuse("RELEASE", Way::Savepoint),
        K::XA => refuse("XA", Way::TwoPhase),
        K::SET => mysql_set(*rest),
        K::LOCK if tables(next()) => refuse("LOCK TABLES", Way::Lock),
        K::UNLOCK if tables(next()) => refuse("UNLOCK TABLES", Way::Lock),
        K::IF | K::CASE | K::LOOP | K::REPEAT | K::WHILE | K::FOR | K::DECLARE => {
            (None, Shape::Compound)
        }

        K::CREATE if temporary_table(*rest) => PASS,
        K::CREATE => (Some(("CREATE", Way::Implicit)), routine(*rest)),
        K::ALTER => (Some(("ALTER", Way::Implicit)), routine(*rest)),
        // `DROP PREPARE` forgets a prepared statement.
        K::DROP if next() == Token::Word(K::PREPARE) || temporary_table(*rest) => PASS,
        K::DROP => implicit("DROP"),
        // Inside a compound `TRUNCATE(x, 2)`, the function, may follow `THEN`.
        K::TRUNCATE if next() != Token::Sign(b'(') => implicit("TRUNCATE"),
        K::RENAME => implicit("RENAME"),
        K::GRANT => implicit("GRANT"),
        K::REVOKE => implicit("REVOKE"),
        K::ANALYZE if on_tables(*rest) => implicit("ANALYZE TABLE"),
        K::CHECK if on_tables(*rest) => implicit("CHECK TABLE"),
        K::OPTIMIZE if on_tables(*rest) => implicit("OPTIMIZE TABLE"),
        K::REPAIR if on_tables(*rest) => implicit("REPAIR TABLE"),
        K::FLUSH if locks(*rest) => refuse("FLUSH TABLES", Way::Lock),
        K::FLUSH => implicit("FLUSH"),
        K::RESET if next() != Token::Word(K::PERSIST) => implicit("RESET"),
        K::CACHE if next() == Token::Word(K::INDEX) => implicit("CACHE INDEX"),
        K::LOAD if next() == Token::Word(K::INDEX) => implicit("LOAD INDEX INTO CACHE"),
        K::IMPORT if tables(next()) => implicit("IMPORT TABLE"),
        K::INSTALL => implicit("INSTALL"),
        K::UNINSTALL => implicit("UNINSTALL"),
        K::START => implicit("START"),
        K::STOP => implicit("STOP"),
        K::CHANGE if matches!(next(), Token::Word(K::MASTER | K::REPLICATION)) => {
            implicit("CHANGE")
        }
        K::BACKUP => refuse("BACKUP", Way::Lock),
        K::HANDLER => refuse("HANDLER", Way::Lock),
        K::CLONE => implicit("CLONE"),
        // `label: LOOP`
        _ if rest.rest().first() == Some(&b':') => (None, Shape::Compound),
        _ => PASS,
    }
}

/// What cannot run in a transaction, for it has several of its own.
#[inline]
pub(super) fn postgres_in_parts(first: K, mut rest: Lexer<'_>) -> bool {
    match first {
        K::CALL | K::DO | K::VACUUM | K::CLUSTER | K::REINDEX => true,
        K::CREATE | K::DROP | K::ALTER => loop {
            match rest.token() {
                Token::Word(K::CONCURRENTLY) => return true,
                Token::Semicolon | Token::End => return false,
                _ => {}
            }
        },
        _ => false,
    }
}

/// What does one thing after the other and stops at the first that cannot be done: each table of a DROP, each user of a
/// GRANT, and a table or user that is dropped to be made anew. What a single one is told is done or not.
#[inline]
pub(super) fn mysql_in_parts(first: K, mut rest: Lexer<'_>) -> bool {
    match (first, rest.peek()) {
        (K::DROP, Token::Word(K::DATABASE | K::SCHEMA)) => return true,
        (K::CREATE, Token::Word(K::OR)) => {
            return matches!(
                after(rest, &[K::OR, K::REPLACE]),
                Token::Word(K::TABLE | K::USER)
            );
        }
        (K::DROP | K::RENAME | K::GRANT | K::REVOKE, _)
        | (K::CREATE | K::ALTER, Token::Word(K::USER | K::ROLE)) => {}
        _ => return false,
    }
    loop {
        match rest.token() {
            Token::Sign(b',') => return true,
            Token::Semicolon | Token::End => return false,
            _ => {}
        }
    }
}

/// `SET` assigns several variables at once; only the session's own `autocommit` and `completion_type` concern us,
/// for the second makes a COMMIT begin anew.
fn mysql_set(mut rest: Lexer<'_>) -> Verdict {
    match rest.peek() {
        Token::Word(K::PASSWORD) => return refuse("SET PASSWORD", Way::Implicit),
        Token::Word(K::DEFAULT) => {
            let mut ahead = rest;
            ahead.token();
            if ahead.token() == Token::Word(K::ROLE) {
                return refuse("SET DEFAULT ROLE", Way::Implicit);
            }
        }
        Token::Word(K::STATEMENT) => {
            return match innermost(Dialect::MySql, K::SET, rest) {
                (K::SET, rest) if rest.peek() == Token::Word(K::STATEMENT) => PASS,
                (first, rest) => mysql(first, &rest),
            };
        }
        _ => {}
    }
    // `@autocommit` is a variable of the user's, `@@autocommit` the server's.
    let mut ats = 0;
    loop {
        match rest.token() {
            Token::Word(variable) | Token::Name(variable) if ats != 1 && assigned(rest) => {
                match variable {
                    K::AUTOCOMMIT => return refuse("SET autocommit", Way::Autocommit),
                    K::COMPLETION_TYPE => return refuse("SET completion_type", Way::Autocommit),
                    _ => {}
                }
                ats = 0;
            }
            Token::Sign(b'@') => ats += 1,
            Token::Semicolon | Token::End => return PASS,
            _ => ats = 0,
        }
    }
}

fn assigned(mut rest: Lexer<'_>) -> bool {
    match rest.token() {
        Token::Sign(b'=') => true,
        Token::Sign(b':') => rest.token() == Token::Sign(b'='),
        _ => false,
    }
}

/// `ROLLBACK [WORK | TRANSACTION] TO …` is about a savepoint.
fn rollback(rest: Lexer<'_>) -> Verdict {
    match after(rest, &[K::WORK, K::TRANSACTION]) {
        Token::Word(K::TO) => refuse("ROLLBACK TO", Way::Savepoint),
        _ => refuse("ROLLBACK", Way::Rollback),
    }
}

/// The body of a procedure, trigger or event holds semicolons, and only the server can tell where it ends.
fn routine(mut rest: Lexer<'_>) -> Shape {
    loop {
        match rest.token() {
            Token::Word(K::PROCEDURE | K::FUNCTION | K::TRIGGER | K::EVENT | K::PACKAGE) => {
                return Shape::Routine;
            }
            Token::Semicolon | Token::End => return Shape::Plain,
            _ => {}
        }
    }
}

/// `FLUSH TABLES … WITH READ LOCK`, `… FOR EXPORT`.
fn locks(mut rest: Lexer<'_>) -> bool {
    loop {
        match rest.token() {
            Token::Word(K::LOCK | K::FOR) => return true,
            Token::Semicolon | Token::End => return false,
            _ => {}
        }
    }
}

fn tables(token: Token) -> bool {
    matches!(token, Token::Word(K::TABLE | K::TABLES))
}

/// Of what is temporary, tables alone do not commit; a sequence does.
fn temporary_table(mut rest: Lexer<'_>) -> bool {
    after_in(&mut rest, &[K::OR, K::REPLACE]) == Token::Word(K::TEMPORARY) && tables(rest.token())
}

/// `TABLE` or `VIEW`, perhaps behind `LOCAL` or `NO_WRITE_TO_BINLOG`: `MariaDB`'s `ANALYZE SELECT` is another
/// statement.
fn on_tables(mut rest: Lexer<'_>) -> bool {
    (0..2).any(|_| matches!(rest.token(), Token::Word(K::TABLE | K::TABLES | K::VIEW)))
}

/// The first token that is none of the words to skip.
pub(super) fn after(mut rest: Lexer<'_>, skipped: &[K]) -> Token {
    after_in(&mut rest, skipped)
}

pub(super) fn after_in(rest: &mut Lexer<'_>, skipped: &[K]) -> Token {
    loop {
        match rest.token() {
            Token::Word(word) if skipped.contains(&word) => {}
            token => return token,
        }
    }
}
