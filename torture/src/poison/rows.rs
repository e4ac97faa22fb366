//! The table: a function for each row.

mod locks;
mod objects;
mod settings;
mod transactions;

use xtask::database::Database;

use super::table::Row;

macro_rules! rows {
    ($($file:ident: $($name:ident)+;)+) => {
        pub(super) const ROWS: &[Row] = &[$($(Row { name: stringify!($name), on: $file::$name }),+),+];
    };
}

rows! {
    transactions: swallowed_error silent_rollback raw_commit raw_rollback raw_begin commit_and_begin rollback_and_begin
        savepoint prepare_transaction ddl commit_in_procedure autocommit_off next_transaction;
    settings: set_session limit custom search_path function procedure;
    objects: temporary_table temporary_shadow temporary_dropped_at_commit select_into_temporary prepare hold listen
        generated_id;
    locks: advisory_lock advisory_lock_of_transaction lock_tables;
}

/// What the rows find in each place.
pub(super) fn setup(database: Database) -> &'static str {
    match database {
        Database::Postgres => {
            "CREATE SCHEMA <here>_aside; CREATE TABLE <here>_aside.accounts (id text, third text);
             CREATE TABLE counted (id BIGSERIAL PRIMARY KEY, body TEXT);
             CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
             CREATE FUNCTION sets() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET work_mem = '7MB'; RETURN 7; END $$"
        }
        Database::MySql => {
            "CREATE TABLE counted (id BIGINT AUTO_INCREMENT PRIMARY KEY, body TEXT);
             CREATE PROCEDURE commits() BEGIN COMMIT; END;
             CREATE PROCEDURE sets_too() BEGIN SET SESSION sort_buffer_size = 700000; END;
             CREATE FUNCTION sets() RETURNS INT BEGIN SET SESSION sort_buffer_size = 700000; RETURN 7; END"
        }
        Database::Sqlite => "CREATE TABLE counted (id INTEGER PRIMARY KEY, body TEXT)",
    }
}
