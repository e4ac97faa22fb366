//! What each database promises at each isolation level.
//!
//! The names of anomalies are Adya's ("Weak Consistency: A Generalized Theory", 1999) and Elle's (Kingsbury and Alvaro,
//! 2020).

use steadfast::Isolation;
use xtask::database::Database;

/// What no history may show. Beside it, at every level: lost, doubled and torn appends, reads of what was aborted (G1a) or
/// not finished (G1b), and reads that miss what was acknowledged before their transaction was called. All of that is
/// promised by all three: a statement, or a snapshot, sees what was committed before it began, and nothing else (see
/// "13.2.1. Read Committed Isolation Level" in `PostgreSQL`'s documentation, "Consistent Nonlocking Reads" in `MySQL`'s and
/// "Isolation In SQLite").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guarantee {
    /// Two reads of a list, without an append of the transaction's own between them, answer the same.
    pub(super) repeatable: bool,
    pub(super) cycles: Forbidden,
    /// Whether a transaction that has returned comes ahead of one that is called later in the order that the level
    /// promises. In cycles without two adjacent anti-dependencies that is so in any case: there every other step says that
    /// one transaction was committed before the next one looked.
    pub(super) strict: bool,
}

/// Cycles of dependencies, each kind with those ahead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Forbidden {
    /// G0 and G1c: of what transactions wrote over, and read from, each other.
    Information,
    /// G-single and G-nonadjacent: with anti-dependencies (one has read what the other then changed), of which no two
    /// follow each other. What snapshot isolation excludes.
    Snapshot,
    /// G2: all.
    All,
}

impl Guarantee {
    pub(super) const STRICTEST: Self = Self {
        repeatable: true,
        cycles: Forbidden::All,
        strict: true,
    };

    pub(super) fn of(database: Database, level: Isolation) -> Self {
        match (database, level) {
            // "Each statement sees what was committed before it": lost updates and skew are allowed (PostgreSQL 13.2.1;
            // MySQL "Transaction Isolation Levels": "each consistent read … sets and reads its own fresh snapshot").
            (Database::Postgres | Database::MySql, Isolation::ReadCommitted) => Self {
                repeatable: false,
                cycles: Forbidden::Information,
                strict: false,
            },
            // PostgreSQL 13.2.2: "implemented using a technique called … Snapshot Isolation". Write skew is allowed.
            (Database::Postgres, Isolation::RepeatableRead) => Self {
                repeatable: true,
                cycles: Forbidden::Snapshot,
                strict: false,
            },
            // MariaDB's and MySQL's is weaker: reads come from a snapshot, writes meet the newest rows, and overwrite what
            // the transaction has not seen: lost updates and G-single (Kleppmann's "hermitage"; Jepsen, "MySQL 8.0.34",
            // 2023). MariaDB's innodb_snapshot_isolation, off by default before 11.6, would forbid some of it.
            (Database::MySql, Isolation::RepeatableRead) => Self {
                repeatable: true,
                cycles: Forbidden::Information,
                strict: false,
            },
            // 13.2.3: like some serial order of the transactions. Of the order in time it says nothing.
            (Database::Postgres, _) => Self {
                repeatable: true,
                cycles: Forbidden::All,
                strict: false,
            },
            // MariaDB: every read takes a lock that is held to the end ("SERIALIZABLE … implicitly converts all plain SELECT
            // statements to SELECT … FOR SHARE"): two-phase locking, of which the order in time comes by itself. SQLite:
            // one writer at a time, and readers see the last commit before they began ("Isolation In SQLite").
            (Database::MySql | Database::Sqlite, _) => Self::STRICTEST,
        }
    }
}
