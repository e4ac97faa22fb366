//! What ends or begins transactions.

use xtask::database::Database::{self, MySql, Postgres, Sqlite};

use crate::poison::table::On::{self, Cannot, Has};
use crate::poison::table::{
    Closed, Kept, Left, LeftBeside, LeftIfKept, Poison, Refused, RolledBack, Same, Unknown,
};

pub(super) fn swallowed_error(database: Database) -> On {
    let poison = Poison::of(&["INSERT INTO notes (id, body) VALUES (-1, 'x'), (-1, 'y')"]);
    Has(match database {
        Postgres => poison.session(RolledBack, Same).lent(RolledBack, Same),
        MySql | Sqlite => poison,
    })
}

/// An error that ends the transaction by itself.
pub(super) fn silent_rollback(database: Database) -> On {
    match database {
        Sqlite => Has(Poison::of(&[
            "INSERT OR ROLLBACK INTO notes (id, body) VALUES (-1, 'x'), (-1, 'y')",
        ])
        .session(RolledBack, Same)
        .lent(RolledBack, Same)),
        Postgres => Cannot("each error does, which is the row above"),
        MySql => Cannot("a deadlock does, for which it takes two"),
    }
}

pub(super) fn raw_commit(database: Database) -> On {
    let poison = Poison::of(&["COMMIT"])
        .session(Refused, Same)
        .pool(Refused, Same);
    Has(match database {
        Postgres | MySql => poison.lent(Unknown, Same),
        // The hook makes it a rollback.
        Sqlite => poison.lent(RolledBack, Same),
    })
}

pub(super) fn raw_rollback(database: Database) -> On {
    let poison = Poison::of(&["ROLLBACK"])
        .session(Refused, Same)
        .pool(Refused, Same);
    Has(match database {
        Postgres | MySql => poison.lent(Unknown, Same),
        Sqlite => poison.lent(RolledBack, Same),
    })
}

pub(super) fn raw_begin(database: Database) -> On {
    let poison = Poison::of(&["BEGIN"])
        .session(Refused, Same)
        .lease(RolledBack, Same)
        .pool(Refused, Same);
    Has(match database {
        // It is a warning there, or an error.
        Postgres | Sqlite => poison,
        MySql => poison.lent(Unknown, Same),
    })
}

pub(super) fn commit_and_begin(database: Database) -> On {
    let poison = Poison::of(&["COMMIT", "BEGIN"])
        .session(Refused, Same)
        .lease(RolledBack, Same)
        .pool(Refused, Same);
    Has(match database {
        Postgres | MySql => poison.lent(Unknown, Same),
        Sqlite => poison.lent(RolledBack, Same),
    })
}

pub(super) fn rollback_and_begin(database: Database) -> On {
    let poison = Poison::of(&["ROLLBACK", "BEGIN"])
        .session(Refused, Same)
        .lease(RolledBack, Same)
        .pool(Refused, Same);
    Has(match database {
        Postgres | MySql => poison.lent(Unknown, Same),
        Sqlite => poison.lent(RolledBack, Same),
    })
}

pub(super) fn savepoint(database: Database) -> On {
    let poison = Poison::of(&["SAVEPOINT poison"])
        .session(Refused, Same)
        .pool(Refused, Same);
    Has(match database {
        Postgres | MySql => poison,
        // There it begins a transaction.
        Sqlite => poison.lease(RolledBack, Same),
    })
}

pub(super) fn prepare_transaction(database: Database) -> On {
    const PREPARED: &[&str] = &["prepared transactions"];
    match database {
        Postgres => Has(Poison::of(&[
            "BEGIN",
            "INSERT INTO notes (id, body) VALUES (-7, 'x')",
            "PREPARE TRANSACTION '<here>'",
        ])
        .session(Refused, Same)
        .lent(Unknown, Left(PREPARED))
        .lease(Kept, Left(PREPARED))
        .pool(Refused, Same)),
        MySql => Has(Poison::of(&[
            "XA START '<here>'",
            "INSERT INTO notes (id, body) VALUES (-7, 'x')",
            "XA END '<here>'",
            "XA PREPARE '<here>'",
        ])
        .session(Refused, Same)
        .lease(Kept, LeftBeside(PREPARED))
        .pool(Refused, Same)),
        Sqlite => Cannot("it has no commit in two phases"),
    }
}

pub(super) fn ddl(database: Database) -> On {
    match database {
        MySql => Has(Poison::of(&[
            "CREATE TABLE IF NOT EXISTS made (id INT)",
            "DROP TABLE made",
        ])
        .session(Refused, Same)
        .lent(Unknown, Same)),
        Postgres | Sqlite => Cannot("it is a part of the transaction"),
    }
}

pub(super) fn commit_in_procedure(database: Database) -> On {
    let poison = Poison::of(&["CALL commits()"]);
    match database {
        // A procedure cannot commit in somebody's transaction: an error, which dooms.
        Postgres => Has(poison.session(RolledBack, Same).lent(RolledBack, Same)),
        MySql => Has(poison.session(Unknown, Same).lent(Unknown, Same)),
        Sqlite => Cannot("it has no procedures"),
    }
}

pub(super) fn autocommit_off(database: Database) -> On {
    match database {
        MySql => Has(Poison::of(&["SET autocommit = 0"])
            .session(Refused, Same)
            .lease(RolledBack, Closed)
            .pool(Refused, Same)),
        Postgres => Cannot("its server knows no such setting"),
        Sqlite => Cannot("autocommit is no setting, but that no transaction is open"),
    }
}

/// How the next transaction is to be.
pub(super) fn next_transaction(database: Database) -> On {
    match database {
        Postgres => Has(
            Poison::of(&["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"])
                .session(Kept, Closed)
                .lent(
                    Kept,
                    LeftIfKept(&[
                        "setting default_transaction_read_only",
                        "setting transaction_read_only",
                    ]),
                )
                .pool(Kept, Closed),
        ),
        MySql => Has(Poison::of(&["SET SESSION TRANSACTION READ ONLY"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["variable tx_read_only"]))
            .lease(Kept, Closed)
            .pool(Kept, Closed)),
        Sqlite => Has(Poison::of(&["PRAGMA query_only = on"])
            .session(Refused, Same)
            .pool(Refused, Same)
            .lease(Kept, Closed)),
    }
}
