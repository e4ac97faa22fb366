//! What a session is opened with: the text of BEGIN, and the settings that travel with it.

use std::fmt::Write as _;
use std::time::Duration;

use super::PgTag;
use crate::backend::{Access, Begin, Owner};
use crate::isolation::Isolation;

pub(super) fn text(tag: &mut PgTag, begin: &Begin) -> String {
    // What travels with most of them, an operation's longest name included.
    let mut sql = String::with_capacity(160);
    let statement = tag
        .statement_timeout
        .wanted(begin.statement_timeout.map(millis), begin.limit.map(millis));
    tag.transaction_limit = statement;
    let lock = tag
        .lock_timeout
        .wanted(begin.lock_timeout.map(millis), None);
    if begin.access == Access::Autocommit {
        // There is no transaction to confine a setting to: the next BEGIN takes it back.
        set_for_session(tag, &mut sql, statement, lock);
        return sql;
    }
    sql.push_str("BEGIN");
    if let Some(isolation) = begin.isolation {
        sql.push_str(match isolation {
            Isolation::ReadCommitted => " ISOLATION LEVEL READ COMMITTED",
            Isolation::RepeatableRead => " ISOLATION LEVEL REPEATABLE READ",
            Isolation::Serializable => " ISOLATION LEVEL SERIALIZABLE",
        });
    }
    if begin.access == Access::Read {
        sql.push_str(" READ ONLY");
    }
    if let Some(watch) = lost_watch(tag) {
        let _ = write!(sql, "; {watch}");
    }
    if let Some(owner) = begin.owner {
        sql.push_str("; SET LOCAL application_name = ");
        show(owner, &mut sql);
    }
    // Never for the session: what goes ahead of BEGIN in one query is a part of the transaction, and undone with
    // it.
    if begin.limits_statements_anew() || !tag.statement_timeout.is(statement) {
        let _ = write!(sql, "; SET LOCAL statement_timeout = {statement}");
    }
    if begin.limits_waits_anew() || !tag.lock_timeout.is(lock) {
        let _ = write!(sql, "; SET LOCAL lock_timeout = {lock}");
    }
    sql
}

fn set_for_session(tag: &mut PgTag, sql: &mut String, statement: u64, lock: u64) {
    if let Some(watch) = lost_watch(tag) {
        let _ = write!(sql, "{watch}; ");
    }
    if let Some(millis) = tag.statement_timeout.change(statement) {
        let _ = write!(sql, "SET statement_timeout = {millis}; ");
    }
    if let Some(millis) = tag.lock_timeout.change(lock) {
        let _ = write!(sql, "SET lock_timeout = {millis}; ");
    }
}

/// Whoever has changed the limits unseen may have changed that as well.
fn lost_watch(tag: &PgTag) -> Option<&'static str> {
    tag.watch().filter(|_| tag.statement_timeout.is_in_doubt())
}

/// `operation#id` as a literal. The server cuts names at 63 bytes and takes nothing but ASCII; the id shall stay. An
/// escape string reads the same under every setting, and so does a quote that is doubled: `\'` is refused under some.
fn show(owner: Owner, sql: &mut String) {
    let digits = owner.id.checked_ilog10().unwrap_or(0) as usize + 1;
    let room = 62 - digits;
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\'' && byte != b'\\';
    sql.push_str("E'");
    if owner.operation.bytes().all(is_plain) {
        // Nearly every name, and every transaction has one.
        sql.push_str(owner.operation.get(..room).unwrap_or(owner.operation));
    } else {
        for character in owner.operation.chars().take(room) {
            match character {
                '\'' => sql.push_str("''"),
                '\\' => sql.push_str("\\\\"),
                ' '..='~' => sql.push(character),
                _ => sql.push('?'),
            }
        }
    }
    let _ = write!(sql, "#{}'", owner.id);
}

/// 0 would mean no limit at all, and the settings are 32-bit numbers.
fn millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, i32::MAX as u64)
}
