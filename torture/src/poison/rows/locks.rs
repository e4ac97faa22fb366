//! What locks for longer than a transaction.

use xtask::database::Database::{self, MySql, Postgres, Sqlite};

use crate::poison::table::On::{self, Cannot, Has};
use crate::poison::table::{Closed, Kept, Left, Poison, Refused, Same, Unknown};

pub(super) fn advisory_lock(database: Database) -> On {
    match database {
        Postgres => Has(Poison::of(&["SELECT pg_advisory_lock(hashtext('<here>'))"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["locks"]))
            .pool(Kept, Closed)),
        MySql => Has(Poison::of(&["SELECT GET_LOCK('<here>', 0)"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["named lock"]))
            .pool(Kept, Closed)),
        Sqlite => Cannot("it has no locks but those of the file"),
    }
}

pub(super) fn advisory_lock_of_transaction(database: Database) -> On {
    match database {
        Postgres => Has(Poison::of(&[
            "SELECT pg_advisory_xact_lock(hashtext('<here>'))",
        ])),
        MySql => Cannot("a named lock is always the connection's"),
        Sqlite => Cannot("it has no locks but those of the file"),
    }
}

pub(super) fn lock_tables(database: Database) -> On {
    Has(match database {
        // Ends with the transaction; without one it is an error.
        Postgres => Poison::of(&["LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE"]),
        MySql => Poison::of(&["LOCK TABLES notes WRITE"])
            .session(Refused, Same)
            .lent(Unknown, Same)
            .pool(Refused, Same),
        Sqlite => Poison::of(&["PRAGMA locking_mode = exclusive"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["pragma locking_mode"]))
            .lease(Kept, Closed)
            .pool(Kept, Closed),
    })
}
