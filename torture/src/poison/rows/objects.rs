//! What makes things that live as long as the connection.

use xtask::database::Database::{self, MySql, Postgres, Sqlite};

use crate::poison::table::On::{self, Cannot, Has};
use crate::poison::table::{Closed, Kept, Left, LeftIfKept, Poison, Refused, Same};

/// On `MariaDB` it commits nothing, and is let through.
pub(super) fn temporary_table(database: Database) -> On {
    let poison = Poison::of(&["CREATE TEMPORARY TABLE poison (id INT)"])
        .session(Kept, Closed)
        .lent(Kept, LeftIfKept(&["temporary"]))
        .pool(Kept, Closed);
    Has(match database {
        Postgres => poison,
        MySql => poison.lent(Kept, Left(&["temporary"])).lease(Kept, Closed),
        Sqlite => poison.lease(Kept, Closed),
    })
}

/// In the place of a table.
pub(super) fn temporary_shadow(database: Database) -> On {
    let poison = Poison::of(&["CREATE TEMPORARY TABLE accounts (id INT)"])
        .session(Kept, Closed)
        .pool(Kept, Closed);
    Has(match database {
        Postgres => poison.lent(Kept, LeftIfKept(&["accounts", "temporary"])),
        MySql => poison.lent(Kept, Left(&["accounts"])).lease(Kept, Closed),
        Sqlite => poison
            .lent(Kept, LeftIfKept(&["accounts", "temporary"]))
            .lease(Kept, Closed),
    })
}

pub(super) fn temporary_dropped_at_commit(database: Database) -> On {
    match database {
        Postgres => Has(Poison::of(&[
            "CREATE TEMPORARY TABLE poison (id INT) ON COMMIT DROP",
        ])),
        MySql | Sqlite => Cannot("it knows no `ON COMMIT DROP`"),
    }
}

pub(super) fn select_into_temporary(database: Database) -> On {
    match database {
        Postgres => {
            let left = LeftIfKept(&["temporary"]);
            let poison = Poison::of(&["SELECT 7 AS id INTO TEMPORARY poison"]);
            Has(poison
                .session(Kept, Closed)
                .lent(Kept, left)
                .pool(Kept, Closed))
        }
        MySql | Sqlite => Cannot("it knows no `SELECT … INTO` a table"),
    }
}

pub(super) fn prepare(database: Database) -> On {
    match database {
        Postgres => Has(Poison::of(&["PREPARE poison AS SELECT 7"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["prepared"]))
            .pool(Kept, Closed)),
        MySql => Has(Poison::of(&["PREPARE poison FROM 'SELECT 7'"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["prepared"]))
            .lease(Kept, Closed)
            .pool(Kept, Closed)),
        Sqlite => Cannot("it has no `PREPARE` in SQL"),
    }
}

/// What reads on behind the transaction.
pub(super) fn hold(database: Database) -> On {
    match database {
        Postgres => Has(
            Poison::of(&["DECLARE poison CURSOR WITH HOLD FOR SELECT 7"])
                .session(Kept, Closed)
                .lent(Kept, LeftIfKept(&["cursors"]))
                .pool(Kept, Closed),
        ),
        MySql => Has(Poison::of(&["HANDLER accounts OPEN"])
            .session(Refused, Same)
            .lent(Kept, Left(&["handler"]))
            .lease(Kept, Closed)
            .pool(Refused, Same)),
        Sqlite => Cannot("it has no cursors"),
    }
}

pub(super) fn listen(database: Database) -> On {
    match database {
        Postgres => Has(Poison::of(&["LISTEN poison"])
            .session(Refused, Same)
            .lent(Kept, LeftIfKept(&["listening"]))
            .pool(Refused, Same)),
        MySql | Sqlite => Cannot("it sends nothing unasked"),
    }
}

/// Which key was made last: nobody can take that back but who closes the connection.
pub(super) fn generated_id(database: Database) -> On {
    let poison = Poison::of(&["INSERT INTO counted (body) VALUES ('x')"]);
    Has(match database {
        Postgres => {
            let left = Left(&["last id"]);
            poison.session(Kept, left).lent(Kept, left).pool(Kept, left)
        }
        MySql => {
            let left = Left(&["variable identity", "variable last_insert_id"]);
            poison
                .session(Kept, left)
                .lent(Kept, left)
                .lease(Kept, left)
                .pool(Kept, left)
        }
        // Each row of the place's own has made one already.
        Sqlite => poison,
    })
}
