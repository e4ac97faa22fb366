//! One word of SQL as a number, so that the rules can `match` on it.

/// An unquoted word or a quoted name, upper-cased (ASCII only, as the servers do for keywords) and packed. Words of
/// more than sixteen bytes are no keyword of ours and all become [`Keyword::OTHER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keyword(u128);

impl Keyword {
    pub(super) const OTHER: Self = Self(0);

    /// Case folds by clearing one bit: no character of a word but a letter becomes a letter by that.
    const FOLD: u128 = u128::from_le_bytes([0xDF; 16]);

    pub(super) const fn pack(word: &[u8]) -> Self {
        if word.len() > 16 {
            return Self::OTHER;
        }
        let mut bytes = [0; 16];
        let mut at = 0;
        while at < word.len() {
            bytes[at] = word[at];
            at += 1;
        }
        Self(u128::from_le_bytes(bytes) & Self::FOLD)
    }

    /// [`pack`](Self::pack) of the first `length` bytes, by one load where the text goes on for long enough.
    #[inline]
    pub(super) fn pack_start(text: &[u8], length: usize) -> Self {
        match text.first_chunk() {
            Some(bytes) if (1..=16).contains(&length) => {
                let surplus = 8 * (16 - length);
                let packed = u128::from_le_bytes(*bytes) << surplus >> surplus;
                Self(packed & Self::FOLD)
            }
            _ => Self::pack(&text[..length]),
        }
    }
}

macro_rules! keywords {
    ($($word:ident)*) => {
        impl Keyword {
            $(pub(super) const $word: Self = Self::pack(stringify!($word).as_bytes());)*
        }
    };
}

keywords! {
    ABORT ALTER ANALYSE ANALYZE ATOMIC ATTACH AUTOCOMMIT BACKUP BEGIN BUSY_TIMEOUT CACHE CALL CASE CHANGE CHECK
    CLONE CLUSTER COMMIT COMPLETION_TYPE CONCURRENTLY CONSTRAINTS COPY CREATE CURRENT DATA DATABASE DEALLOCATE
    DECLARE DEFAULT DELETE DETACH DIAGNOSTICS DISCARD DO DROP E ELSE END EVENT EXECUTE EXISTS EXPLAIN FLUSH FOR FROM
    FUNCTION GET GET_LOCK GLOBAL GRANT HANDLER HOLD IF IMPORT INDEX INSERT INSTALL INTO LISTEN LOAD LOCAL LOCK LOOP
    MASTER MERGE NOT ONLY OPTIMIZE OR PACKAGE PASSWORD PERSIST PERSIST_ONLY PG_SETTINGS PLAN PRAGMA PREPARE PREPARED
    PROCEDURE QUERY QUERY_ONLY REINDEX RELEASE RENAME REPAIR REPEAT REPLACE REPLICATION RESET REVOKE ROLE ROLLBACK
    SAVEPOINT SCHEMA SET START STATEMENT STDIN STDOUT STOP TABLE TABLES TEMP TEMPORARY THEN TO TRANSACTION TRIGGER
    TRUE TRUNCATE UNINSTALL UNIQUE UNLOCK UPDATE USE USER VACUUM VERBOSE VIEW VIRTUAL WHILE WITH WORK XA XML
}
