//! What changes settings of the connection.

use xtask::database::Database::{self, MySql, Postgres, Sqlite};

use crate::poison::table::On::{self, Cannot, Has};
use crate::poison::table::{Closed, Kept, Left, LeftIfKept, Poison, Refused, Same};

pub(super) fn set_session(database: Database) -> On {
    Has(match database {
        Postgres => Poison::of(&["SET work_mem = '7MB'"])
            .session(Kept, Closed)
            .lent(Kept, LeftIfKept(&["setting work_mem"]))
            .pool(Kept, Closed),
        MySql => Poison::of(&["SET SESSION sort_buffer_size = 700000"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["variable sort_buffer_size"]))
            .lease(Kept, Closed)
            .pool(Kept, Closed),
        Sqlite => Poison::of(&["PRAGMA cache_size = 7"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["pragma cache_size", "pragma cache_spill"]))
            .lease(Kept, Closed)
            .pool(Kept, Closed),
    })
}

/// Of those that sessions set themselves.
pub(super) fn limit(database: Database) -> On {
    Has(match database {
        Postgres => Poison::of(&["SET statement_timeout = '7min'"])
            .session(Kept, Closed)
            .pool(Kept, Closed),
        MySql => Poison::of(&["SET SESSION innodb_lock_wait_timeout = 77"])
            .session(Kept, Closed)
            .lease(Kept, Closed)
            .pool(Kept, Closed),
        Sqlite => Poison::of(&["PRAGMA busy_timeout = 7000"])
            .session(Refused, Same)
            .lent(Kept, Left(&["pragma busy_timeout"]))
            .lease(Kept, Closed)
            .pool(Refused, Same),
    })
}

pub(super) fn custom(database: Database) -> On {
    match database {
        Postgres => Has(Poison::of(&["SET poison.tenant = 'seven'"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["custom setting"]))
            .lease(Kept, Left(&["custom setting"]))
            .pool(Kept, Closed)),
        MySql => Has(Poison::of(&["SET @poison = 7"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["user variables"]))
            .lease(Kept, Closed)
            .pool(Kept, Closed)),
        Sqlite => Cannot("it has neither settings nor variables of one's own"),
    }
}

/// Where names are looked up.
pub(super) fn search_path(database: Database) -> On {
    Has(match database {
        Postgres => Poison::of(&["SET search_path = <here>_aside, <here>"])
            .session(Kept, Closed)
            .lent(Kept, LeftIfKept(&["accounts", "setting search_path"]))
            .pool(Kept, Closed),
        MySql => Poison::of(&["USE information_schema"])
            .session(Kept, Closed)
            .lent(
                Kept,
                Left(&[
                    "database",
                    "variable character_set_database",
                    "variable collation_database",
                ]),
            )
            .lease(Kept, Closed)
            .pool(Kept, Closed),
        Sqlite => Poison::of(&["ATTACH ':memory:' AS poison"])
            .session(Kept, Closed)
            .lent(Kept, Left(&["databases"]))
            .lease(Kept, Closed)
            .pool(Kept, Closed),
    })
}

/// No text shows it.
pub(super) fn function(database: Database) -> On {
    let poison = Poison::of(&["SELECT sets()"]);
    match database {
        Postgres => {
            let left = LeftIfKept(&["setting work_mem"]);
            Has(poison.session(Kept, left).lent(Kept, left).pool(Kept, left))
        }
        MySql => {
            let left = Left(&["variable sort_buffer_size"]);
            Has(poison
                .session(Kept, left)
                .lent(Kept, left)
                .lease(Kept, Closed)
                .pool(Kept, left))
        }
        Sqlite => Cannot("it has no functions that set anything"),
    }
}

pub(super) fn procedure(database: Database) -> On {
    match database {
        Postgres => {
            let left = LeftIfKept(&["setting work_mem"]);
            let poison = Poison::of(&["DO $$ BEGIN SET work_mem = '7MB'; END $$"]);
            Has(poison.session(Kept, left).lent(Kept, left).pool(Kept, left))
        }
        MySql => {
            let left = Left(&["variable sort_buffer_size"]);
            let poison = Poison::of(&["CALL sets_too()"]);
            Has(poison
                .session(Kept, left)
                .lent(Kept, left)
                .lease(Kept, Closed)
                .pool(Kept, left))
        }
        Sqlite => Cannot("it has no procedures"),
    }
}
