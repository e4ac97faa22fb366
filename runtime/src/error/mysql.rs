//! The code table of `MySQL` and `MariaDB`.
//!
//! Source: the error references of `MySQL` 8.4 and `MariaDB` 11, whose names stand beside the numbers, and, for what
//! becomes of the transaction, the rules of `InnoDB` (a deadlock ends it, a lock timeout undoes the statement).

use std::borrow::Cow;

use super::category::Category::{
    self, Access, Cancelled, Capacity, CommitUnknown, Conflict, Connection, Data, Internal,
    LockTimeout, NotFound, Programming, ReadOnly, Resource, Timeout, TooManyRows,
};
use super::category::Integrity::{Check, ForeignKey, NotNull, Unique};
use super::facts::Facts;
use super::verdict::AtCommit::{RolledBack, Unknown};
use super::verdict::Ends::{self, Level, Nothing, Transaction};
use super::verdict::{AtCommit, Retry, Verdict};

struct Code(u16, Category, Retry, AtCommit, Ends);

/// Sorted by number. What is 2000 and above and below 3000 comes from client libraries and proxies.
#[rustfmt::skip]
const CODES: [Code; 103] = [
    Code(1015, Resource, Retry::Never, Unknown, Nothing),                            // ER_CANT_LOCK
    Code(1020, Conflict, Retry::Yes, RolledBack, Transaction),                       // ER_CHECKREAD: MariaDB's innodb_snapshot_isolation
    Code(1021, Resource, Retry::Never, Unknown, Nothing),                            // ER_DISK_FULL
    Code(1022, Category::Integrity(Unique), Retry::Never, RolledBack, Nothing),      // ER_DUP_KEY
    Code(1023, Resource, Retry::Never, Unknown, Nothing),                            // ER_ERROR_ON_CLOSE
    Code(1024, Resource, Retry::Never, Unknown, Nothing),                            // ER_ERROR_ON_READ
    Code(1026, Resource, Retry::Never, Unknown, Nothing),                            // ER_ERROR_ON_WRITE
    Code(1030, Resource, Retry::Never, Unknown, Nothing),                            // ER_GET_ERRNO
    Code(1036, ReadOnly, Retry::Never, Unknown, Nothing),                            // ER_OPEN_AS_READONLY
    Code(1037, Resource, Retry::Never, Unknown, Nothing),                            // ER_OUTOFMEMORY
    Code(1038, Resource, Retry::Never, Unknown, Nothing),                            // ER_OUT_OF_SORTMEMORY
    Code(1040, Capacity, Retry::Yes, Unknown, Ends::Connection),                     // ER_CON_COUNT_ERROR
    Code(1041, Resource, Retry::Never, Unknown, Nothing),                            // ER_OUT_OF_RESOURCES
    Code(1042, Capacity, Retry::Yes, Unknown, Ends::Connection),                     // ER_BAD_HOST_ERROR
    Code(1043, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_HANDSHAKE_ERROR
    Code(1044, Access, Retry::Never, Unknown, Nothing),                              // ER_DBACCESS_DENIED_ERROR
    Code(1045, Access, Retry::Never, Unknown, Nothing),                              // ER_ACCESS_DENIED_ERROR
    Code(1047, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_UNKNOWN_COM_ERROR: a Galera node outside its cluster
    Code(1048, Category::Integrity(NotNull), Retry::Never, RolledBack, Nothing),     // ER_BAD_NULL_ERROR
    Code(1052, Programming, Retry::Never, Unknown, Nothing),                         // ER_NON_UNIQ_ERROR: an ambiguous column, SQLSTATE 23000
    Code(1053, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_SERVER_SHUTDOWN
    Code(1054, Programming, Retry::Never, Unknown, Nothing),                         // ER_BAD_FIELD_ERROR
    Code(1062, Category::Integrity(Unique), Retry::Never, RolledBack, Nothing),      // ER_DUP_ENTRY
    Code(1064, Programming, Retry::Never, Unknown, Nothing),                         // ER_PARSE_ERROR
    Code(1079, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_SHUTDOWN_COMPLETE
    Code(1080, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_FORCING_CLOSE
    Code(1105, Internal, Retry::Never, Unknown, Nothing),                            // ER_UNKNOWN_ERROR
    Code(1114, Resource, Retry::Never, Unknown, Nothing),                            // ER_RECORD_FILE_FULL
    Code(1129, Access, Retry::Never, Unknown, Ends::Connection),                     // ER_HOST_IS_BLOCKED
    Code(1130, Access, Retry::Never, Unknown, Ends::Connection),                     // ER_HOST_NOT_PRIVILEGED
    Code(1135, Resource, Retry::Never, Unknown, Nothing),                            // ER_CANT_CREATE_THREAD
    Code(1142, Access, Retry::Never, Unknown, Nothing),                              // ER_TABLEACCESS_DENIED_ERROR
    Code(1143, Access, Retry::Never, Unknown, Nothing),                              // ER_COLUMNACCESS_DENIED_ERROR
    Code(1146, Programming, Retry::Never, Unknown, Nothing),                         // ER_NO_SUCH_TABLE
    Code(1152, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_ABORTING_CONNECTION
    Code(1153, Data, Retry::Never, Unknown, Ends::Connection),                       // ER_NET_PACKET_TOO_LARGE
    Code(1158, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_NET_READ_ERROR
    Code(1159, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_NET_READ_INTERRUPTED
    Code(1160, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_NET_ERROR_ON_WRITE
    Code(1161, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_NET_WRITE_INTERRUPTED
    Code(1169, Category::Integrity(Unique), Retry::Never, RolledBack, Nothing),      // ER_DUP_UNIQUE
    Code(1172, TooManyRows, Retry::Never, Unknown, Nothing),                         // ER_TOO_MANY_ROWS
    Code(1180, CommitUnknown, Retry::Never, Unknown, Transaction),                   // ER_ERROR_DURING_COMMIT: a Galera node that lost its cluster
    Code(1184, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_NEW_ABORTING_CONNECTION
    Code(1203, Capacity, Retry::Yes, Unknown, Ends::Connection),                     // ER_TOO_MANY_USER_CONNECTIONS
    // With innodb_rollback_on_timeout the whole transaction is gone, and nothing in the answer says so.
    Code(1205, LockTimeout, Retry::Yes, RolledBack, Level),                          // ER_LOCK_WAIT_TIMEOUT
    Code(1206, Resource, Retry::Never, RolledBack, Transaction),                     // ER_LOCK_TABLE_FULL
    Code(1213, Conflict, Retry::Yes, RolledBack, Transaction),                       // ER_LOCK_DEADLOCK
    Code(1216, Category::Integrity(ForeignKey), Retry::Never, RolledBack, Nothing),  // ER_NO_REFERENCED_ROW
    Code(1217, Category::Integrity(ForeignKey), Retry::Never, RolledBack, Nothing),  // ER_ROW_IS_REFERENCED
    Code(1226, Capacity, Retry::Yes, Unknown, Nothing),                              // ER_USER_LIMIT_REACHED
    Code(1227, Access, Retry::Never, Unknown, Nothing),                              // ER_SPECIFIC_ACCESS_DENIED_ERROR
    Code(1242, TooManyRows, Retry::Never, Unknown, Nothing),                         // ER_SUBQUERY_NO_1_ROW
    Code(1263, Category::Integrity(NotNull), Retry::Never, RolledBack, Nothing),     // ER_WARN_NULL_TO_NOTNULL
    Code(1264, Data, Retry::Never, Unknown, Nothing),                                // ER_WARN_DATA_OUT_OF_RANGE
    Code(1265, Data, Retry::Never, Unknown, Nothing),                                // WARN_DATA_TRUNCATED
    Code(1290, ReadOnly, Retry::Never, RolledBack, Nothing),                         // ER_OPTION_PREVENTS_STATEMENT: --read-only
    Code(1292, Data, Retry::Never, Unknown, Nothing),                                // ER_TRUNCATED_WRONG_VALUE
    // The proof at COMMIT found its savepoint gone: somebody else ended the transaction.
    Code(1305, Programming, Retry::Never, Unknown, Nothing),                         // ER_SP_DOES_NOT_EXIST
    Code(1317, Cancelled, Retry::Never, Unknown, Nothing),                           // ER_QUERY_INTERRUPTED
    Code(1329, NotFound, Retry::Never, Unknown, Nothing),                            // ER_SP_FETCH_NO_DATA
    Code(1364, Category::Integrity(NotNull), Retry::Never, RolledBack, Nothing),     // ER_NO_DEFAULT_FOR_FIELD
    Code(1365, Data, Retry::Never, Unknown, Nothing),                                // ER_DIVISION_BY_ZERO
    Code(1366, Data, Retry::Never, Unknown, Nothing),                                // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
    Code(1367, Data, Retry::Never, Unknown, Nothing),                                // ER_ILLEGAL_VALUE_FOR_TYPE
    Code(1369, Category::Integrity(Check), Retry::Never, RolledBack, Nothing),       // ER_VIEW_CHECK_FAILED
    Code(1370, Access, Retry::Never, Unknown, Nothing),                              // ER_PROCACCESS_DENIED_ERROR
    Code(1406, Data, Retry::Never, Unknown, Nothing),                                // ER_DATA_TOO_LONG
    Code(1411, Data, Retry::Never, Unknown, Nothing),                                // ER_WRONG_VALUE_FOR_TYPE
    Code(1451, Category::Integrity(ForeignKey), Retry::Never, RolledBack, Nothing),  // ER_ROW_IS_REFERENCED_2
    Code(1452, Category::Integrity(ForeignKey), Retry::Never, RolledBack, Nothing),  // ER_NO_REFERENCED_ROW_2
    Code(1557, Category::Integrity(Unique), Retry::Never, RolledBack, Nothing),      // ER_FOREIGN_DUPLICATE_KEY
    Code(1586, Category::Integrity(Unique), Retry::Never, RolledBack, Nothing),      // ER_DUP_ENTRY_WITH_KEY_NAME
    Code(1614, Conflict, Retry::Yes, RolledBack, Transaction),                       // ER_XA_RBDEADLOCK
    Code(1644, Category::Integrity(Check), Retry::Never, Unknown, Nothing),          // ER_SIGNAL_EXCEPTION: a rule in the schema's own code
    Code(1690, Data, Retry::Never, Unknown, Nothing),                                // ER_DATA_OUT_OF_RANGE
    Code(1698, Access, Retry::Never, Unknown, Nothing),                              // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
    Code(1761, Category::Integrity(Unique), Retry::Never, RolledBack, Nothing),      // ER_FOREIGN_DUPLICATE_KEY_WITH_CHILD_INFO
    Code(1762, Category::Integrity(Unique), Retry::Never, RolledBack, Nothing),      // ER_FOREIGN_DUPLICATE_KEY_WITHOUT_CHILD_INFO
    Code(1792, Programming, Retry::Never, Unknown, Nothing),                         // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
    Code(1820, Access, Retry::Never, Unknown, Nothing),                              // ER_MUST_CHANGE_PASSWORD
    Code(1836, ReadOnly, Retry::Never, RolledBack, Nothing),                         // ER_READ_ONLY_MODE
    Code(1859, Category::Integrity(Unique), Retry::Never, RolledBack, Nothing),      // ER_DUP_UNKNOWN_IN_INDEX
    Code(1862, Access, Retry::Never, Unknown, Ends::Connection),                     // ER_MUST_CHANGE_PASSWORD_LOGIN
    Code(1927, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_CONNECTION_KILLED (MariaDB)
    Code(1969, Timeout, Retry::Never, Unknown, Nothing),                             // ER_STATEMENT_TIMEOUT (MariaDB)
    Code(2006, Connection, Retry::Yes, Unknown, Ends::Connection),                   // CR_SERVER_GONE_ERROR
    Code(2013, Connection, Retry::Yes, Unknown, Ends::Connection),                   // CR_SERVER_LOST
    Code(2055, Connection, Retry::Yes, Unknown, Ends::Connection),                   // CR_SERVER_LOST_EXTENDED
    Code(3024, Timeout, Retry::Never, Unknown, Nothing),                             // ER_QUERY_TIMEOUT
    Code(3058, Conflict, Retry::Yes, Unknown, Nothing),                              // ER_USER_LOCK_DEADLOCK
    Code(3101, Conflict, Retry::Yes, RolledBack, Transaction),                       // ER_TRANSACTION_ROLLBACK_DURING_COMMIT
    Code(3118, Access, Retry::Never, Unknown, Ends::Connection),                     // ER_ACCOUNT_HAS_BEEN_LOCKED
    Code(3140, Data, Retry::Never, Unknown, Nothing),                                // ER_INVALID_JSON_TEXT
    Code(3169, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_SESSION_WAS_KILLED
    Code(3572, LockTimeout, Retry::Yes, RolledBack, Nothing),                        // ER_LOCK_NOWAIT
    Code(3819, Category::Integrity(Check), Retry::Never, RolledBack, Nothing),       // ER_CHECK_CONSTRAINT_VIOLATED
    Code(4025, Category::Integrity(Check), Retry::Never, RolledBack, Nothing),       // ER_CONSTRAINT_FAILED (MariaDB, SQLSTATE 23000)
    Code(4031, Connection, Retry::Yes, Unknown, Ends::Connection),                   // ER_CLIENT_INTERACTION_TIMEOUT
    Code(4036, Data, Retry::Never, Unknown, Nothing),                                // ER_JSON_BAD_CHR (MariaDB)
    Code(4037, Data, Retry::Never, Unknown, Nothing),                                // ER_JSON_EOS (MariaDB)
    Code(4038, Data, Retry::Never, Unknown, Nothing),                                // ER_JSON_SYNTAX (MariaDB)
    Code(4151, Access, Retry::Never, Unknown, Ends::Connection),                     // ER_ACCOUNT_HAS_BEEN_LOCKED (MariaDB)
];

struct Class(&'static str, Category, Retry, AtCommit, Ends);

/// What the SQLSTATE says of the other numbers; sorted. Classes that are not here are mistakes of the code; 21 is one,
/// where too many columns are counted as well as too many rows.
#[rustfmt::skip]
const CLASSES: [Class; 7] = [
    Class("02", NotFound, Retry::Never, Unknown, Nothing),                            // no data
    Class("08", Connection, Retry::Yes, Unknown, Ends::Connection),                   // connection exception
    Class("22", Data, Retry::Never, Unknown, Nothing),                                // data exception
    Class("23", Category::Integrity(Check), Retry::Never, RolledBack, Nothing),       // integrity constraint violation
    Class("28", Access, Retry::Never, Unknown, Nothing),                              // invalid authorization
    Class("40", Conflict, Retry::Yes, RolledBack, Transaction),                       // transaction rollback
    Class("70", Cancelled, Retry::Never, Unknown, Nothing),                           // interrupted
];

/// The lines of the table: code or class, and category.
pub fn lines() -> impl Iterator<Item = (String, Category)> {
    let classes = CLASSES.iter().map(|row| (row.0.to_owned(), row.1));
    CODES
        .iter()
        .map(|row| (row.0.to_string(), row.1))
        .chain(classes)
}

pub(super) fn verdict(number: u16, sqlstate: Option<&str>, message: &str) -> Verdict {
    let known = CODES
        .binary_search_by_key(&number, |row| row.0)
        .map(|found| &CODES[found]);
    match known {
        // MySQL uses MariaDB's number for something else.
        Ok(Code(4025, ..)) if sqlstate != Some("23000") => of_class(sqlstate),
        // Any option may stand in its way; the name of the option is never translated.
        Ok(Code(1290, ..)) if !message.contains("read-only") => of_class(sqlstate),
        Ok(&Code(_, category, retry, at_commit, ends)) => Verdict {
            category,
            retry,
            at_commit,
            ends,
        },
        Err(_) => of_class(sqlstate),
    }
}

fn of_class(sqlstate: Option<&str>) -> Verdict {
    let class = sqlstate
        .and_then(|state| state.get(..2))
        .unwrap_or_default();
    match CLASSES.binary_search_by_key(&class, |row| row.0) {
        Ok(found) => {
            let Class(_, category, retry, at_commit, ends) = CLASSES[found];
            Verdict {
                category,
                retry,
                at_commit,
                ends,
            }
        }
        Err(_) => Verdict {
            category: Programming,
            retry: Retry::Never,
            at_commit: Unknown,
            ends: Nothing,
        },
    }
}

/// Reads what the server says in words alone. What is quoted is read and never the words between, which are
/// translated when the server speaks another language.
pub(super) fn facts(number: u16, message: &str) -> Facts<'_> {
    let mut facts = Facts {
        code: Some(Cow::Owned(number.to_string())),
        ..Facts::default()
    };
    match number {
        1062 | 1169 | 1586 => {
            // MySQL 8 says `table.key` where MariaDB says `key`. The value, which stands first, is the user's.
            if let Some(key) = last_quoted(message) {
                let (table, key) = key
                    .split_once('.')
                    .map_or((None, key), |(table, key)| (Some(table), key));
                facts.constraint = Some(key);
                facts.table = table;
            }
        }
        1451 | 1452 => {
            facts.constraint =
                after(message, "CONSTRAINT ").and_then(|rest| first_between(rest, '`'));
            // Some languages have brackets of their own.
            facts.table = message
                .split_once(", CONSTRAINT ")
                .and_then(|(ahead, _)| last_between(ahead, '`'));
            facts.column = after(message, "FOREIGN KEY (")
                .and_then(|rest| first_between(rest, '`'))
                .map(Cow::Borrowed);
        }
        1048 | 1364 => facts.column = first_between(message, '\'').map(Cow::Borrowed),
        3819 => facts.constraint = first_between(message, '\''),
        4025 => {
            facts.constraint = first_between(message, '`');
            facts.table = last_between(message, '`');
        }
        _ => {}
    }
    facts
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark).map(|(_, rest)| rest)
}

fn first_between(text: &str, quote: char) -> Option<&str> {
    let (_, rest) = text.split_once(quote)?;
    rest.split_once(quote).map(|(inside, _)| inside)
}

fn last_between(text: &str, quote: char) -> Option<&str> {
    let (rest, _) = text.rsplit_once(quote)?;
    rest.rsplit_once(quote).map(|(_, inside)| inside)
}

fn last_quoted(text: &str) -> Option<&str> {
    last_between(text, '\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_are_sorted() {
        assert!(CODES.is_sorted_by(|left, right| left.0 < right.0));
        assert!(CLASSES.is_sorted_by(|left, right| left.0 < right.0));
    }

    #[rustfmt::skip]
    const DESIGNED: &[(u16, Category, Retry, AtCommit, Ends)] = &[
        (1213, Conflict, Retry::Yes, RolledBack, Transaction),
        (1614, Conflict, Retry::Yes, RolledBack, Transaction),
        (3101, Conflict, Retry::Yes, RolledBack, Transaction),
        (1020, Conflict, Retry::Yes, RolledBack, Transaction),
        (1205, LockTimeout, Retry::Yes, RolledBack, Level),
        (3572, LockTimeout, Retry::Yes, RolledBack, Nothing),
        (1040, Capacity, Retry::Yes, Unknown, Ends::Connection),
        (1042, Capacity, Retry::Yes, Unknown, Ends::Connection),
        (1203, Capacity, Retry::Yes, Unknown, Ends::Connection),
        (1053, Connection, Retry::Yes, Unknown, Ends::Connection),
        (1927, Connection, Retry::Yes, Unknown, Ends::Connection),
        (2006, Connection, Retry::Yes, Unknown, Ends::Connection),
        (2013, Connection, Retry::Yes, Unknown, Ends::Connection),
        (2055, Connection, Retry::Yes, Unknown, Ends::Connection),
        (4031, Connection, Retry::Yes, Unknown, Ends::Connection),
        (1317, Cancelled, Retry::Never, Unknown, Nothing),
        (3024, Timeout, Retry::Never, Unknown, Nothing),
        (1969, Timeout, Retry::Never, Unknown, Nothing),
        (1062, Category::Integrity(Unique), Retry::Never, RolledBack, Nothing),
        (1451, Category::Integrity(ForeignKey), Retry::Never, RolledBack, Nothing),
        (1452, Category::Integrity(ForeignKey), Retry::Never, RolledBack, Nothing),
        (1048, Category::Integrity(NotNull), Retry::Never, RolledBack, Nothing),
        (3819, Category::Integrity(Check), Retry::Never, RolledBack, Nothing),
        (4025, Category::Integrity(Check), Retry::Never, RolledBack, Nothing),
        (1290, ReadOnly, Retry::Never, RolledBack, Nothing),
        (1836, ReadOnly, Retry::Never, RolledBack, Nothing),
        (1792, Programming, Retry::Never, Unknown, Nothing),
        (1054, Programming, Retry::Never, Unknown, Nothing),
        (1064, Programming, Retry::Never, Unknown, Nothing),
        (1146, Programming, Retry::Never, Unknown, Nothing),
        (1044, Access, Retry::Never, Unknown, Nothing),
        (1045, Access, Retry::Never, Unknown, Nothing),
        (1142, Access, Retry::Never, Unknown, Nothing),
        (1172, TooManyRows, Retry::Never, Unknown, Nothing),
        (1242, TooManyRows, Retry::Never, Unknown, Nothing),
        (1305, Programming, Retry::Never, Unknown, Nothing),
    ];

    #[test]
    fn every_designed_code_is_judged_as_designed() {
        for &(number, category, retry, at_commit, ends) in DESIGNED {
            let expected = Verdict {
                category,
                retry,
                at_commit,
                ends,
            };
            assert_eq!(
                verdict(number, Some("23000"), "--read-only"),
                expected,
                "{number}"
            );
        }
    }

    #[test]
    fn an_option_in_the_way_is_told_from_a_server_that_takes_no_writes() {
        let prevented = |option: &str| {
            let message = format!(
                "The MariaDB server is running with the {option} option so it cannot execute this statement"
            );
            verdict(1290, Some("HY000"), &message).category
        };
        assert_eq!(prevented("--read-only"), ReadOnly);
        assert_eq!(prevented("--super-read-only"), ReadOnly);
        assert_eq!(prevented("--secure-file-priv"), Programming);
    }

    #[test]
    fn the_sqlstate_speaks_for_what_has_no_line() {
        assert_eq!(verdict(4025, Some("HY000"), "").category, Programming);
        assert_eq!(verdict(9999, Some("22001"), "").category, Data);
        assert_eq!(verdict(9999, Some("40000"), "").ends, Transaction);
        assert_eq!(verdict(9999, Some(""), "").category, Programming);
        assert_eq!(verdict(9999, None, "").category, Programming);
        // A wrong number of columns, and an ambiguous one.
        assert_eq!(verdict(1136, Some("21S01"), "").category, Programming);
        assert_eq!(verdict(1052, Some("23000"), "").category, Programming);
    }

    #[test]
    fn names_are_read_from_messages() {
        let mysql = facts(
            1062,
            "Duplicate entry 'it's for key 'x' for key 'users.users_email_key'",
        );
        assert_eq!(mysql.constraint, Some("users_email_key"));
        assert_eq!(mysql.table, Some("users"));
        assert_eq!(mysql.code.as_deref(), Some("1062"));

        let mariadb = facts(1062, "Duplicate entry 'a@b.c' for key 'users_email_key'");
        assert_eq!(mariadb.constraint, Some("users_email_key"));
        assert_eq!(mariadb.table, None);

        let german = facts(1062, "Doppelter Eintrag 'a' für Schlüssel 'PRIMARY'");
        assert_eq!(german.constraint, Some("PRIMARY"));

        let child = facts(
            1452,
            "Cannot add or update a child row: a foreign key constraint fails (`app`.`orders`, \
             CONSTRAINT `orders_user_fk` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`))",
        );
        assert_eq!(child.constraint, Some("orders_user_fk"));
        assert_eq!(child.table, Some("orders"));
        assert_eq!(child.column.as_deref(), Some("user_id"));
        let chinese = facts(
            1452,
            "无法添加或更新子行：外键约束失败（`app`.`orders`, CONSTRAINT `orders_user_fk` FOREIGN KEY (`user_id`) \
             REFERENCES `users` (`id`)）",
        );
        assert_eq!(
            (chinese.table, chinese.constraint),
            (Some("orders"), Some("orders_user_fk"))
        );

        assert_eq!(
            facts(1048, "Column 'email' cannot be null")
                .column
                .as_deref(),
            Some("email")
        );
        assert_eq!(
            facts(1364, "Field 'email' doesn't have a default value")
                .column
                .as_deref(),
            Some("email")
        );
        assert_eq!(
            facts(3819, "Check constraint 'cents_positive' is violated.").constraint,
            Some("cents_positive")
        );

        let check = facts(
            4025,
            "CONSTRAINT `cents_positive` failed for `app`.`accounts`",
        );
        assert_eq!(check.constraint, Some("cents_positive"));
        assert_eq!(check.table, Some("accounts"));
    }

    #[test]
    fn a_message_of_another_shape_names_nothing() {
        for number in [1062, 1451, 1452, 1048, 3819, 4025] {
            for message in [
                "",
                "'",
                "`",
                "(",
                "CONSTRAINT ",
                "FOREIGN KEY (`",
                "no quotes at all",
            ] {
                let facts = facts(number, message);
                assert!(
                    facts.constraint.is_none() && facts.table.is_none() && facts.column.is_none()
                );
            }
        }
    }
}
