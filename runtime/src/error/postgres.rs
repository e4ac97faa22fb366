//! The code table of `PostgreSQL`.
//!
//! Source: the appendix "`PostgreSQL` Error Codes", whose condition names stand beside the codes, and, for what a
//! COMMIT proves, servers that were killed, stopped and cut off while they committed.

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::category::Category::{
    self, Access, Cancelled, Capacity, CommitUnknown, Conflict, Connection, Data, Internal,
    LockTimeout, NotFound, Programming, ReadOnly, Resource, Timeout, TooManyRows,
};
use super::category::Integrity::{Check, Exclusion, ForeignKey, NotNull, Unique};
use super::facts::Facts;
use super::verdict::{AtCommit, Ends, Retry, Verdict};

/// What decides the outcome when this code is the answer to COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// `ERROR` means rolled back; `FATAL` and `PANIC` have been seen on commits that were applied.
    Severity,
    /// The server ended the session before it read the COMMIT, whatever the severity.
    NeverRead,
    /// Seen on commits that were applied, whatever the severity (a pooler says `ERROR` when its server is gone).
    None,
}

struct Code(&'static str, Category, Retry, Proof);

/// Sorted by code.
#[rustfmt::skip]
const CODES: [Code; 48] = [
    Code("08000", Connection, Retry::Yes, Proof::None),                              // connection_exception
    Code("08001", Connection, Retry::Yes, Proof::None),                              // sqlclient_unable_to_establish_sqlconnection
    Code("08003", Connection, Retry::Yes, Proof::None),                              // connection_does_not_exist
    Code("08004", Connection, Retry::Yes, Proof::None),                              // sqlserver_rejected_establishment_of_sqlconnection
    Code("08006", Connection, Retry::Yes, Proof::None),                              // connection_failure
    Code("08007", CommitUnknown, Retry::Never, Proof::None),                         // transaction_resolution_unknown
    Code("08P01", Connection, Retry::Once, Proof::None),                             // protocol_violation; pgbouncer: server lost
    Code("21000", TooManyRows, Retry::Never, Proof::Severity),                       // cardinality_violation
    Code("23001", Category::Integrity(ForeignKey), Retry::Never, Proof::Severity),   // restrict_violation
    Code("23502", Category::Integrity(NotNull), Retry::Never, Proof::Severity),      // not_null_violation
    Code("23503", Category::Integrity(ForeignKey), Retry::Never, Proof::Severity),   // foreign_key_violation
    Code("23505", Category::Integrity(Unique), Retry::Never, Proof::Severity),       // unique_violation
    Code("23514", Category::Integrity(Check), Retry::Never, Proof::Severity),        // check_violation
    Code("23P01", Category::Integrity(Exclusion), Retry::Never, Proof::Severity),    // exclusion_violation
    Code("25006", ReadOnly, Retry::Never, Proof::Severity),                          // read_only_sql_transaction
    Code("25P02", Programming, Retry::Never, Proof::Severity),                       // in_failed_sql_transaction
    Code("25P03", Connection, Retry::Yes, Proof::NeverRead),                         // idle_in_transaction_session_timeout
    Code("25P04", Timeout, Retry::Never, Proof::Severity),                           // transaction_timeout
    Code("40001", Conflict, Retry::Yes, Proof::Severity),                            // serialization_failure
    Code("40002", Category::Integrity(Check), Retry::Never, Proof::Severity),        // transaction_integrity_constraint_violation
    Code("40003", CommitUnknown, Retry::Never, Proof::None),                         // statement_completion_unknown
    Code("40P01", Conflict, Retry::Yes, Proof::Severity),                            // deadlock_detected
    Code("42501", Access, Retry::Never, Proof::Severity),                            // insufficient_privilege
    Code("53000", Resource, Retry::Never, Proof::Severity),                          // insufficient_resources
    Code("53100", Resource, Retry::Never, Proof::Severity),                          // disk_full
    Code("53200", Resource, Retry::Never, Proof::Severity),                          // out_of_memory
    Code("53300", Capacity, Retry::Yes, Proof::Severity),                            // too_many_connections
    Code("53400", Resource, Retry::Never, Proof::Severity),                          // configuration_limit_exceeded
    Code("55P03", LockTimeout, Retry::Yes, Proof::Severity),                         // lock_not_available
    Code("57000", Cancelled, Retry::Never, Proof::Severity),                         // operator_intervention
    Code("57014", Cancelled, Retry::Never, Proof::Severity),                         // query_canceled
    Code("57P01", Connection, Retry::Yes, Proof::None),                              // admin_shutdown
    Code("57P02", Connection, Retry::Yes, Proof::None),                              // crash_shutdown
    Code("57P03", Connection, Retry::Yes, Proof::None),                              // cannot_connect_now
    Code("57P04", Programming, Retry::Never, Proof::Severity),                       // database_dropped
    Code("57P05", Connection, Retry::Yes, Proof::NeverRead),                         // idle_session_timeout
    Code("58000", Resource, Retry::Never, Proof::Severity),                          // system_error
    Code("58030", Resource, Retry::Never, Proof::Severity),                          // io_error
    Code("58P01", Resource, Retry::Never, Proof::Severity),                          // undefined_file
    Code("58P02", Resource, Retry::Never, Proof::Severity),                          // duplicate_file
    Code("72000", Conflict, Retry::Yes, Proof::Severity),                            // snapshot_too_old
    Code("P0001", Category::Integrity(Check), Retry::Never, Proof::Severity),        // raise_exception: a rule in the schema's own code
    Code("P0002", NotFound, Retry::Never, Proof::Severity),                          // no_data_found
    Code("P0003", TooManyRows, Retry::Never, Proof::Severity),                       // too_many_rows
    Code("P0004", Programming, Retry::Never, Proof::Severity),                       // assert_failure
    Code("XX000", Internal, Retry::Never, Proof::Severity),                          // internal_error
    Code("XX001", Resource, Retry::Never, Proof::Severity),                          // data_corrupted
    Code("XX002", Resource, Retry::Never, Proof::Severity),                          // index_corrupted
];

struct Class(&'static str, Category, Retry, Proof);

/// What holds for the other codes of a class; sorted. Classes that are not here are mistakes of the code.
#[rustfmt::skip]
const CLASSES: [Class; 17] = [
    Class("02", NotFound, Retry::Never, Proof::Severity),                   // no data
    Class("08", Connection, Retry::Yes, Proof::None),                       // connection exception
    Class("0L", Access, Retry::Never, Proof::Severity),                     // invalid grantor
    Class("0P", Access, Retry::Never, Proof::Severity),                     // invalid role specification
    Class("21", TooManyRows, Retry::Never, Proof::Severity),                // cardinality violation
    Class("22", Data, Retry::Never, Proof::Severity),                       // data exception
    Class("23", Category::Integrity(Check), Retry::Never, Proof::Severity), // integrity constraint violation
    Class("28", Access, Retry::Never, Proof::Severity),                     // invalid authorization specification
    Class("40", Conflict, Retry::Yes, Proof::Severity),                     // transaction rollback
    Class("42", Programming, Retry::Never, Proof::Severity),                // syntax error or access rule violation
    Class("44", Category::Integrity(Check), Retry::Never, Proof::Severity), // with check option violation
    Class("53", Resource, Retry::Never, Proof::Severity),                   // insufficient resources
    Class("57", Cancelled, Retry::Never, Proof::Severity),                  // operator intervention
    Class("58", Resource, Retry::Never, Proof::Severity),                   // system error
    Class("F0", Resource, Retry::Never, Proof::Severity),                   // configuration file error
    Class("HV", Programming, Retry::Never, Proof::Severity),                // foreign data wrapper error
    Class("XX", Internal, Retry::Never, Proof::Severity),                   // internal error
];

/// The lines of the table: code or class, and category.
pub fn lines() -> impl Iterator<Item = (String, Category)> {
    let classes = CLASSES.iter().map(|row| (row.0.to_owned(), row.1));
    CODES
        .iter()
        .map(|row| (row.0.to_owned(), row.1))
        .chain(classes)
}

/// The parts of an answer that the judgement rests on.
#[derive(Debug, Clone, Copy)]
struct Answer<'a> {
    code: &'a str,
    /// `FATAL` or `PANIC`: the server closes the connection.
    fatal: bool,
    message: &'a str,
    /// The routine of the server's source that raised the error; unlike the message it is never translated.
    routine: Option<&'a str>,
}

pub(super) fn verdict(error: &PgDatabaseError) -> Verdict {
    judge(Answer {
        code: error.code(),
        fatal: matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic),
        message: error.message(),
        routine: error.routine(),
    })
}

pub(super) fn facts(error: &PgDatabaseError) -> Facts<'_> {
    Facts {
        code: Some(error.code().into()),
        constraint: error.constraint(),
        table: error.table(),
        column: error.column().map(Into::into),
        words: None,
    }
}

fn judge(answer: Answer<'_>) -> Verdict {
    let (category, retry, proof) = look_up(answer.code);
    let at_commit = match proof {
        Proof::NeverRead => AtCommit::RolledBack,
        Proof::Severity if !answer.fatal => AtCommit::RolledBack,
        Proof::Severity | Proof::None => AtCommit::Unknown,
    };
    let ends = if answer.fatal || matches!(category, Connection | CommitUnknown) {
        Ends::Connection
    } else {
        Ends::Level
    };
    let verdict = Verdict {
        category,
        retry,
        at_commit,
        ends,
    };
    match answer.code {
        // Another attempt on this connection would fail again.
        _ if is_stale(answer) => Verdict {
            category: Conflict,
            retry: Retry::Once,
            ends: Ends::Connection,
            ..verdict
        },
        // A mistake of the code, or an array type that was made anew: the next call asks for its number again.
        "42809" if answer.routine == Some("make_scalar_array_op") => Verdict {
            ends: Ends::Connection,
            ..verdict
        },
        // The server's own answer to a statement whose `$1` got no value; the connection is well.
        "08P01" if answer.routine == Some("exec_bind_message") && !answer.fatal => Verdict {
            category: Programming,
            retry: Retry::Never,
            at_commit: AtCommit::RolledBack,
            ends: Ends::Level,
        },
        // Two transactions changed one row of the catalogue: GRANT and GRANT, ANALYZE and ALTER.
        "XX000" if answer.message.starts_with(CATALOGUE_RACE) => Verdict {
            category: Conflict,
            retry: Retry::Yes,
            ..verdict
        },
        "57014" if answer.message.contains("timeout") => Verdict {
            category: Timeout,
            ..verdict
        },
        _ => verdict,
    }
}

/// Internal messages of the server are never translated.
const CATALOGUE_RACE: &str = "tuple concurrently ";

/// Whether what the driver keeps with the connection is not true any more: a plan since the table has changed, a prepared
/// statement since somebody has sent DEALLOCATE ALL, the number of a type since that was made anew.
fn is_stale(answer: Answer<'_>) -> bool {
    match answer.code {
        "0A000" => {
            answer.routine == Some("RevalidateCachedQuery")
                || answer.message.starts_with("cached plan must not change")
        }
        "26000" => answer.message.contains("sqlx_s_"),
        "42704" => answer.routine == Some("lookup_type_cache"),
        "XX000" => answer.message.starts_with("cache lookup failed for type"),
        _ => false,
    }
}

fn look_up(code: &str) -> (Category, Retry, Proof) {
    if let Ok(found) = CODES.binary_search_by_key(&code, |row| row.0) {
        let Code(_, category, retry, proof) = CODES[found];
        return (category, retry, proof);
    }
    let class = code.get(..2).unwrap_or_default();
    match CLASSES.binary_search_by_key(&class, |row| row.0) {
        Ok(found) => {
            let Class(_, category, retry, proof) = CLASSES[found];
            (category, retry, proof)
        }
        Err(_) => (Programming, Retry::Never, Proof::Severity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> Verdict {
        judge(Answer {
            code,
            fatal: false,
            message: "",
            routine: None,
        })
    }

    fn fatal(code: &str) -> Verdict {
        judge(Answer {
            code,
            fatal: true,
            message: "",
            routine: None,
        })
    }

    #[test]
    fn both_tables_are_sorted() {
        assert!(CODES.is_sorted_by(|left, right| left.0 < right.0));
        assert!(CLASSES.is_sorted_by(|left, right| left.0 < right.0));
        assert!(CODES.iter().all(|row| row.0.len() == 5));
        assert!(CLASSES.iter().all(|row| row.0.len() == 2));
    }

    /// Code, category, retry, and what the code proves as the answer to COMMIT, with `ERROR` and with `FATAL`.
    #[rustfmt::skip]
    const DESIGNED: &[(&str, Category, Retry, AtCommit, AtCommit)] = &[
        ("40001", Conflict, Retry::Yes, AtCommit::RolledBack, AtCommit::Unknown),
        ("40P01", Conflict, Retry::Yes, AtCommit::RolledBack, AtCommit::Unknown),
        ("40003", CommitUnknown, Retry::Never, AtCommit::Unknown, AtCommit::Unknown),
        ("08007", CommitUnknown, Retry::Never, AtCommit::Unknown, AtCommit::Unknown),
        ("23505", Category::Integrity(Unique), Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("23P01", Category::Integrity(Exclusion), Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("23502", Category::Integrity(NotNull), Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("23503", Category::Integrity(ForeignKey), Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("23514", Category::Integrity(Check), Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("55P03", LockTimeout, Retry::Yes, AtCommit::RolledBack, AtCommit::Unknown),
        ("57014", Cancelled, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("25P02", Programming, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("25P03", Connection, Retry::Yes, AtCommit::RolledBack, AtCommit::RolledBack),
        ("57P05", Connection, Retry::Yes, AtCommit::RolledBack, AtCommit::RolledBack),
        ("57P01", Connection, Retry::Yes, AtCommit::Unknown, AtCommit::Unknown),
        ("57P02", Connection, Retry::Yes, AtCommit::Unknown, AtCommit::Unknown),
        ("08003", Connection, Retry::Yes, AtCommit::Unknown, AtCommit::Unknown),
        ("08006", Connection, Retry::Yes, AtCommit::Unknown, AtCommit::Unknown),
        ("08P01", Connection, Retry::Once, AtCommit::Unknown, AtCommit::Unknown),
        ("57P03", Connection, Retry::Yes, AtCommit::Unknown, AtCommit::Unknown),
        ("08001", Connection, Retry::Yes, AtCommit::Unknown, AtCommit::Unknown),
        ("08004", Connection, Retry::Yes, AtCommit::Unknown, AtCommit::Unknown),
        ("53300", Capacity, Retry::Yes, AtCommit::RolledBack, AtCommit::Unknown),
        ("53100", Resource, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("53999", Resource, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("58030", Resource, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("58999", Resource, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("25006", ReadOnly, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("22003", Data, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("22P02", Data, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("42601", Programming, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("42P01", Programming, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("42501", Access, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("28P01", Access, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("28000", Access, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("0A000", Programming, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("21000", TooManyRows, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
        ("P0003", TooManyRows, Retry::Never, AtCommit::RolledBack, AtCommit::Unknown),
    ];

    #[test]
    fn every_designed_code_is_judged_as_designed() {
        for &(code, category, retry, at_commit, at_commit_fatal) in DESIGNED {
            for (verdict, proven) in [(error(code), at_commit), (fatal(code), at_commit_fatal)] {
                assert_eq!(verdict.category, category, "{code}");
                assert_eq!(verdict.retry, retry, "{code}");
                assert_eq!(verdict.at_commit, proven, "{code}");
            }
        }
    }

    #[test]
    fn an_error_ends_the_level_and_a_fatal_one_the_connection() {
        for row in &CODES {
            let expected = if matches!(row.1, Connection | CommitUnknown) {
                Ends::Connection
            } else {
                Ends::Level
            };
            assert_eq!(error(row.0).ends, expected, "{}", row.0);
            assert_eq!(fatal(row.0).ends, Ends::Connection, "{}", row.0);
        }
    }

    #[test]
    fn a_parameter_without_a_value_is_told_from_a_pooler_that_lost_its_server() {
        let answer = |message, routine| {
            judge(Answer {
                code: "08P01",
                fatal: false,
                message,
                routine,
            })
        };
        let unbound = answer(
            "Binden-Nachricht enthält 0 Parameter",
            Some("exec_bind_message"),
        );
        assert_eq!(
            (unbound.category, unbound.retry, unbound.ends),
            (Programming, Retry::Never, Ends::Level)
        );
        let pooler = answer("server conn crashed?", None);
        assert_eq!(
            (pooler.category, pooler.retry, pooler.ends),
            (Connection, Retry::Once, Ends::Connection)
        );
    }

    #[test]
    fn a_race_in_the_catalogue_is_a_conflict() {
        let internal = |message| {
            judge(Answer {
                code: "XX000",
                fatal: false,
                message,
                routine: None,
            })
        };
        for message in ["tuple concurrently updated", "tuple concurrently deleted"] {
            let verdict = internal(message);
            assert_eq!(
                (verdict.category, verdict.retry, verdict.at_commit),
                (Conflict, Retry::Yes, AtCommit::RolledBack)
            );
        }
        assert_eq!(internal("could not open relation").category, Internal);
    }

    #[test]
    fn a_stale_plan_is_worth_one_attempt_on_another_connection() {
        let english = judge(Answer {
            code: "0A000",
            fatal: false,
            message: "cached plan must not change result type",
            routine: None,
        });
        let translated = judge(Answer {
            code: "0A000",
            fatal: false,
            message: "gecachter Plan darf den Ergebnistyp nicht ändern",
            routine: Some("RevalidateCachedQuery"),
        });
        for verdict in [english, translated] {
            assert_eq!(
                (verdict.category, verdict.retry, verdict.ends),
                (Conflict, Retry::Once, Ends::Connection)
            );
        }
    }

    #[test]
    fn a_statement_timeout_is_told_from_a_cancel() {
        let judged = |message| {
            judge(Answer {
                code: "57014",
                fatal: false,
                message,
                routine: None,
            })
            .category
        };
        assert_eq!(
            judged("canceling statement due to statement timeout"),
            Timeout
        );
        assert_eq!(judged("canceling statement due to user request"), Cancelled);
    }

    #[test]
    fn an_odd_code_does_not_panic() {
        for code in ["", "4", "é", "4é000", "ZZZZZ"] {
            assert_eq!(error(code).category, Programming, "{code}");
        }
    }
}
