//! PostgreSQL, with the modules that come with it (`dblink`, `file_fdw`, `pg_prewarm`), on Linux: a full disk is
//! `/dev/full` and a broken one `/proc/self/mem`.

use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::time::{Duration, Instant};
use steadfast::__private::codes;
use steadfast::Category::{
    Access, Cancelled, Capacity, CommitUnknown, Conflict, Connection as Lost, Data, Internal,
    LockTimeout, NotFound, Programming, ReadOnly, Resource, Timeout, TooManyRows,
};
use steadfast::Integrity::{Check, Exclusion, ForeignKey, NotNull, Unique};
use steadfast::{Error, Outcome, Phase, with_session};

use super::Provoked::{By, When};
use super::{
    Row, Stage as _, assert_complete, assert_judged, integrity, lost, print, provoke, refused, row,
    unconnected,
};
use crate::support::postgres::*;
use crate::support::private::{Server, start_with};
use crate::support::{PATIENCE, eventually};

/// A place on a server, and the server if it is its own.
struct Stage {
    place: Place,
    pool: Pool,
    server: Option<Server<Db>>,
}

/// On the server that all tests share.
#[rustfmt::skip]
const SHARED: &[Row<Stage>] = &[
    row("08001", "sqlclient_unable_to_establish_sqlconnection",
        By(&["CREATE EXTENSION dblink", "SELECT dblink_connect('host=127.0.0.1 port=1')"]), refused(Lost).retryable()),
    row("08003", "connection_does_not_exist",
        By(&["CREATE EXTENSION dblink", "SELECT dblink_disconnect('nobody')"]), refused(Lost).retryable()),
    row("08006", "connection_failure",
        By(&["CREATE EXTENSION dblink", "SELECT dblink_exec('host=127.0.0.1 user=postgres port=' || current_setting('port'), 'SELECT pg_terminate_backend(pg_backend_pid())')"]), refused(Lost).retryable()),
    row("08P01", "protocol_violation", By(&["SELECT $1::int"]), refused(Programming)),
    row("0A000", "feature_not_supported", When("a prepared `SELECT *` of a table that has got a column since", |stage| Box::pin(stale_plan(stage))),
        refused(Conflict).retryable()).by_line(""),
    row("0LP01", "invalid_grant_operation", By(&["GRANT INSERT ON LANGUAGE plpgsql TO public"]), refused(Access)).by_line("0L"),
    row("21000", "cardinality_violation", By(&["SELECT (SELECT n FROM generate_series(1, 2) n)"]), refused(TooManyRows)),
    row("22012", "division_by_zero", By(&["SELECT 1 / 0"]), refused(Data)).by_line("22"),
    row("22P02", "invalid_text_representation", By(&["SELECT 'one'::int"]), refused(Data)).by_line("22"),
    row("23502", "not_null_violation", By(&["INSERT INTO children VALUES (2, 1, NULL)"]), integrity(NotNull)),
    row("23503", "foreign_key_violation", By(&["INSERT INTO children VALUES (2, 9, 0)"]), integrity(ForeignKey)),
    row("23503", "foreign_key_violation, deferred", By(&["SET CONSTRAINTS ALL DEFERRED", "INSERT INTO children VALUES (2, 9, 0)"]),
        integrity(ForeignKey).at(Phase::Commit)),
    row("23505", "unique_violation", By(&["INSERT INTO children VALUES (1, 1, 0)"]), integrity(Unique)),
    row("23505", "unique_violation, deferred", By(&["INSERT INTO late VALUES (1)"]), integrity(Unique).at(Phase::Commit)),
    row("23514", "check_violation", By(&["INSERT INTO children VALUES (2, 1, -1)"]), integrity(Check)),
    row("23P01", "exclusion_violation", By(&["INSERT INTO rooms VALUES ('[4,9)')"]), integrity(Exclusion)),
    row("25006", "read_only_sql_transaction", When("a write in a session with `read_only`", |stage| Box::pin(write_in_read_only(stage))), refused(Programming)),
    row("25006", "read_only_sql_transaction", When("a write where the server's `default_transaction_read_only` is on", |stage| Box::pin(write_where_none_may(stage))), refused(ReadOnly)),
    row("25P03", "idle_in_transaction_session_timeout", When("a statement behind `idle_in_transaction_session_timeout`", |stage| Box::pin(idle_too_long(stage, true))), lost()),
    row("25P03", "idle_in_transaction_session_timeout", When("COMMIT behind `idle_in_transaction_session_timeout`", |stage| Box::pin(idle_too_long(stage, false))),
        lost().at(Phase::Commit).outcome(Outcome::RolledBack)),
    row("28000", "invalid_authorization_specification", When("connecting as a user that does not exist", |stage| Box::pin(nobody(stage))), unconnected(Access)).by_line("28"),
    row("40001", "serialization_failure", When("an update of a row that another has changed, in `repeatable_read`", |stage| Box::pin(changed_meanwhile(stage))), refused(Conflict).retryable()),
    row("40001", "serialization_failure", When("COMMIT of a write skew, in `serializable`", |stage| Box::pin(write_skew(stage))), refused(Conflict).at(Phase::Commit).retryable()),
    row("40P01", "deadlock_detected", When("two transactions that wait for each other", |stage| Box::pin(deadlock(stage))), refused(Conflict).retryable()),
    row("42501", "insufficient_privilege", By(&["SET LOCAL ROLE pg_monitor", "SELECT * FROM pg_authid"]), refused(Access)),
    row("42601", "syntax_error", By(&["SELEKT 1"]), refused(Programming)).by_line("42"),
    row("42P01", "undefined_table", By(&["SELECT * FROM nowhere"]), refused(Programming)).by_line("42"),
    row("44000", "with_check_option_violation", By(&["INSERT INTO adults VALUES (2, 1, 17)"]), integrity(Check)).by_line("44"),
    row("53100", "disk_full", By(&["COPY work TO '/dev/full'"]), refused(Resource)),
    row("53400", "configuration_limit_exceeded",
        By(&["SET LOCAL temp_file_limit = '64kB'", "SET LOCAL work_mem = '64kB'", "SELECT md5(n::text) FROM generate_series(1, 100000) n ORDER BY 1 OFFSET 99999"]),
        refused(Resource)),
    row("55P03", "lock_not_available", When("`FOR UPDATE NOWAIT` of a row that is locked", |stage| Box::pin(locked(stage, &["SELECT * FROM parents FOR UPDATE NOWAIT"]))),
        refused(LockTimeout).retryable()),
    row("55P03", "lock_not_available", When("`lock_timeout`", |stage| Box::pin(locked(stage, &["SET LOCAL lock_timeout = '5ms'", "SELECT * FROM parents FOR UPDATE"]))),
        refused(LockTimeout).retryable()),
    row("57014", "query_canceled", By(&["SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(30)"]), refused(Cancelled)),
    row("57014", "query_canceled", By(&["SET LOCAL statement_timeout = '5ms'", "SELECT pg_sleep(30)"]), refused(Timeout)),
    row("57P01", "admin_shutdown", By(&["SELECT pg_terminate_backend(pg_backend_pid())"]), lost()),
    row("57P01", "admin_shutdown", By(&["INSERT INTO at_commit VALUES ('SELECT pg_terminate_backend(pg_backend_pid())')"]),
        refused(CommitUnknown).at(Phase::Commit).outcome(Outcome::Unknown)),
    row("58030", "io_error", By(&["COPY work FROM '/proc/self/mem'"]), refused(Resource)),
    row("58P01", "undefined_file", By(&["COPY work FROM '/nowhere'"]), refused(Resource)),
    row("HV00D", "fdw_invalid_option_name", By(&["CREATE EXTENSION file_fdw", "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw OPTIONS (colour 'red')"]), refused(Programming)).by_line("HV"),
    row("P0001", "raise_exception", By(&["DO $$ BEGIN RAISE EXCEPTION 'no'; END $$"]), integrity(Check)),
    row("P0002", "no_data_found", By(&["DO $$ DECLARE one INT; BEGIN SELECT id INTO STRICT one FROM parents WHERE id = 9; END $$"]), refused(NotFound)),
    row("P0003", "too_many_rows", By(&["DO $$ DECLARE one INT; BEGIN SELECT n INTO STRICT one FROM generate_series(1, 2) n; END $$"]), refused(TooManyRows)),
    row("P0004", "assert_failure", By(&["DO $$ BEGIN ASSERT false; END $$"]), refused(Programming)),
    row("XX000", "internal_error", By(&["SELECT nextval(4000000000::oid::regclass)"]), refused(Internal)),
    row("XX000", "internal_error", When("two GRANTs on one table at the same time: `tuple concurrently updated`", |stage| Box::pin(two_grants(stage))), refused(Conflict).retryable()),
];

/// On a server of their own, which they fill up and damage.
#[rustfmt::skip]
const PRIVATE: &[Row<Stage>] = &[
    row("28P01", "invalid_password", When("connecting with a wrong password", |stage| Box::pin(wrong_password(stage))), unconnected(Access)).by_line("28"),
    row("53000", "insufficient_resources", By(&["CREATE EXTENSION pg_prewarm", "SELECT autoprewarm_start_worker()"]), refused(Resource)),
    row("53200", "out_of_memory", By(&["SELECT count(pg_advisory_xact_lock(n)) FROM generate_series(1, 100000) n"]), refused(Resource)),
    row("53300", "too_many_connections", When("connecting where `max_connections` is reached", |stage| Box::pin(full(stage))), unconnected(Capacity).retryable()),
    row("58P02", "duplicate_file", By(&["SELECT pg_create_physical_replication_slot('taken')"]), refused(Resource)),
    row("72000", "snapshot_too_old", When("a read behind `old_snapshot_threshold`", |stage| Box::pin(old_snapshot(stage))), refused(Conflict).retryable()),
    row("F0000", "config_file_error", When("`ALTER SYSTEM` over a damaged `postgresql.auto.conf`, through `&pool`", |stage| Box::pin(damaged_settings(stage))),
        refused(Resource).outcome(Outcome::NotSent)).by_line("F0"),
    row("XX001", "data_corrupted", By(&["SELECT * FROM torn"]), refused(Resource)),
    row("XX002", "index_corrupted", By(&["SET LOCAL enable_seqscan = off", "SELECT * FROM torn_index WHERE n = 1"]), refused(Resource)),
    // The last one: the server does not come back.
    row("57P03", "cannot_connect_now", When("connecting while the server shuts down", |stage| Box::pin(shutting_down(stage))), unconnected(Lost).retryable()),
];

/// A row that later versions cannot provoke: its code, the version, and why.
const GONE: (&str, i64, &str) = ("72000", 170_000, "`old_snapshot_threshold` was removed");

#[rustfmt::skip]
const NOT_PROVOKED: &[(&str, &str)] = &[
    ("02", "no statement of the server ends in a class 02 error; procedures and extensions raise it"),
    ("08", "all codes of the class have a line; kept for poolers"),
    ("08000", "only `postgres_fdw` raises it, once cleaning up after an earlier loss has failed too"),
    ("08004", "poolers send it; the server answers 53300, 57P03 or 28000 instead"),
    ("08007", "no statement of the server raises it; kept for clusters that speak its protocol"),
    ("0P", "PostgreSQL raises 42704 and 22023 for roles that do not exist; other servers use it"),
    ("21", "21000 is the only code of the class"),
    ("23", "all that the server raises has a line of its own"),
    ("23001", "PostgreSQL 18 and later: before, ON DELETE RESTRICT answers 23503"),
    ("25P02", "a doomed session refuses the statement, with the first error, before it is sent"),
    ("25P04", "PostgreSQL 17 and later: `transaction_timeout`"),
    ("40", "all that the server raises has a line of its own"),
    ("40002", "in the standard; the server does not raise it"),
    ("40003", "in the standard; clusters that speak the protocol send it"),
    ("53", "all that the server raises has a line of its own"),
    ("57", "all that the server raises has a line of its own"),
    ("57000", "extensions raise it; the server has a narrower code for each case"),
    ("57P02", "a warning ahead of the end of the connection, which is all that the driver reports"),
    ("57P04", "a standby whose primary drops the database it is connected to"),
    ("57P05", "`idle_session_timeout` ends connections that are idle between sessions; BEGIN is sent again on another"),
    ("58", "all that the server raises has a line of its own"),
    ("58000", "needs a system call to fail that does not: `kill`, `pclose`"),
    ("XX", "all that the server raises has a line of its own"),
];

const SCHEMA: &str = "
    CREATE TABLE work (n BIGINT);
    CREATE TABLE parents (id INT PRIMARY KEY, n INT);
    INSERT INTO parents VALUES (1, 0), (2, 0);
    CREATE TABLE children (id INT PRIMARY KEY, parent INT REFERENCES parents (id) DEFERRABLE, age INT NOT NULL CHECK (age >= 0));
    INSERT INTO children VALUES (1, 1, 0);
    CREATE VIEW adults AS SELECT * FROM children WHERE age >= 18 WITH CHECK OPTION;
    CREATE TABLE late (n INT UNIQUE DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO late VALUES (1);
    CREATE TABLE rooms (during INT4RANGE, EXCLUDE USING gist (during WITH &&));
    INSERT INTO rooms VALUES ('[1,5)');
    CREATE TABLE at_commit (what TEXT);
    CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE NEW.what; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER acts AFTER INSERT ON at_commit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION act();
";

impl Stage {
    async fn on(url: &str, server: Option<Server<Db>>) -> Self {
        let place = Place::on(url).await;
        sqlx::raw_sql(SCHEMA).execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        Self {
            place,
            pool,
            server,
        }
    }

    /// A pool whose connections have this setting.
    async fn pool_with(&self, setting: &str) -> Pool {
        let url = format!("{}&options[{setting}", self.place.url);
        Pool::builder()
            .primary(url)
            .max_connections(1)
            .connect()
            .await
            .unwrap()
    }

    fn server(&self) -> &Server<Db> {
        self.server.as_ref().expect("a server of its own")
    }
}

server_steps!();

#[with_session(read_only)]
async fn read(session: &mut Session) -> Result<(), Error> {
    all(session, &[]).await
}

async fn write_in_read_only(stage: &Stage) -> Result<(), Error> {
    read(&stage.pool).await
}

async fn write_where_none_may(stage: &Stage) -> Result<(), Error> {
    work(
        &stage.pool_with("default_transaction_read_only]=on").await,
        &[],
    )
    .await
}

async fn stale_plan(stage: &Stage) -> Result<(), Error> {
    let plain = &stage.place.plain;
    sqlx::raw_sql("CREATE TABLE widened (n INT)")
        .execute(plain)
        .await
        .unwrap();
    const SELECT: &[&str] = &["SELECT * FROM widened"];
    work(&stage.pool, SELECT).await?;
    sqlx::raw_sql("DELETE FROM work; ALTER TABLE widened ADD COLUMN m INT")
        .execute(plain)
        .await
        .unwrap();
    let result = work(&stage.pool, SELECT).await;
    // On the connection that replaces it there is no plan yet.
    work(&stage.pool, SELECT).await?;
    sqlx::raw_sql("DELETE FROM work")
        .execute(plain)
        .await
        .unwrap();
    result
}

/// Whether the connection of this id is there.
async fn is_there(plain: &Plain, id: i64) -> bool {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)")
        .bind(id)
        .fetch_one(plain)
        .await
        .unwrap()
}

#[with_session]
async fn rests(session: &mut Session, plain: &Plain, goes_on: bool) -> Result<(), Error> {
    let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut *session).await?;
    all(
        session,
        &["SET LOCAL idle_in_transaction_session_timeout = '5ms'"],
    )
    .await?;
    eventually("the server ends it", || async {
        !is_there(plain, id).await
    })
    .await;
    if goes_on {
        sqlx::query("SELECT 1").execute(&mut *session).await?;
    }
    Ok(())
}

async fn idle_too_long(stage: &Stage, goes_on: bool) -> Result<(), Error> {
    rests(&stage.pool, &stage.place.plain, goes_on).await
}

async fn nobody(stage: &Stage) -> Result<(), Error> {
    let url = stage
        .place
        .url
        .replace(&format!("{}@", stage.place.name), "nobody@");
    Pool::connect(url).await.map(drop)
}

async fn wrong_password(stage: &Stage) -> Result<(), Error> {
    let url = stage.server().user_url().replace(":steadfast@", ":wrong@");
    Pool::connect(url).await.map(drop)
}

#[with_session(isolation = repeatable_read)]
async fn overtaken(session: &mut Session, plain: &Plain) -> Result<(), Error> {
    all(session, &["SELECT * FROM parents"]).await?;
    sqlx::query("UPDATE parents SET n = n + 1")
        .execute(plain)
        .await?;
    sqlx::query("UPDATE parents SET n = n + 1")
        .execute(&mut *session)
        .await?;
    Ok(())
}

async fn changed_meanwhile(stage: &Stage) -> Result<(), Error> {
    overtaken(&stage.pool, &stage.place.plain).await
}

#[with_session(isolation = serializable)]
async fn skewed(session: &mut Session, plain: &Plain) -> Result<(), Error> {
    all(
        session,
        &[
            "SELECT sum(n) FROM parents",
            "UPDATE parents SET n = n + 1 WHERE id = 1",
        ],
    )
    .await?;
    let mut other = plain
        .begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE")
        .await?;
    sqlx::query("SELECT sum(n) FROM parents")
        .execute(&mut *other)
        .await?;
    sqlx::query("UPDATE parents SET n = n + 1 WHERE id = 2")
        .execute(&mut *other)
        .await?;
    other.commit().await?;
    Ok(())
}

async fn write_skew(stage: &Stage) -> Result<(), Error> {
    skewed(&stage.pool, &stage.place.plain).await
}

#[with_session]
async fn crossed(session: &mut Session, plain: &Plain) -> Result<(), Error> {
    all(
        session,
        &[
            "SET LOCAL deadlock_timeout = '5ms'",
            "UPDATE parents SET n = n + 1 WHERE id = 1",
        ],
    )
    .await?;
    let mut other = plain.begin().await?;
    sqlx::raw_sql("SET LOCAL deadlock_timeout = '1min'; UPDATE parents SET n = n + 1 WHERE id = 2")
        .execute(&mut *other)
        .await?;
    let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&mut *other).await?;
    let opponent = tokio::spawn(async move {
        sqlx::query("UPDATE parents SET n = n + 1 WHERE id = 1")
            .execute(&mut *other)
            .await?;
        other.rollback().await
    });
    is_blocked(plain, id).await;
    let result = sqlx::query("UPDATE parents SET n = n + 1 WHERE id = 2")
        .execute(&mut *session)
        .await;
    // The session is doomed and holds its lock until it is rolled back.
    drop(opponent);
    result?;
    Ok(())
}

async fn deadlock(stage: &Stage) -> Result<(), Error> {
    crossed(&stage.pool, &stage.place.plain).await
}

async fn locked(stage: &Stage, statements: &'static [&'static str]) -> Result<(), Error> {
    let mut holder = stage.place.plain.begin().await?;
    sqlx::query("SELECT * FROM parents FOR UPDATE")
        .execute(&mut *holder)
        .await?;
    let result = stage.run(statements).await;
    holder.rollback().await?;
    result
}

async fn two_grants(stage: &Stage) -> Result<(), Error> {
    const GRANT: &str = "GRANT SELECT ON parents TO public";
    let plain = &stage.place.plain;
    let mut first = plain.begin().await?;
    sqlx::query(GRANT).execute(&mut *first).await?;
    let pool = stage.pool.clone();
    let second = tokio::spawn(async move { work(&pool, &[GRANT]).await });
    eventually("the second waits for the first", || async {
        sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock')")
            .bind(&stage.place.name)
            .fetch_one(plain)
            .await
            .unwrap()
    })
    .await;
    first.commit().await?;
    second.await.unwrap()
}

async fn full(stage: &Stage) -> Result<(), Error> {
    let mut taken = Vec::new();
    while let Ok(connection) = PgConnection::connect(&stage.place.url).await {
        taken.push(connection);
    }
    assert!(!taken.is_empty());
    let another = Pool::builder()
        .primary(&stage.place.url)
        .acquire_timeout(Duration::from_millis(100));
    let result = another.connect().await.map(drop);
    for connection in taken {
        connection.close().await?;
    }
    result
}

#[with_session(isolation = repeatable_read)]
async fn reads_late(session: &mut Session, plain: &Plain) -> Result<(), Error> {
    all(session, &["SELECT * FROM late"]).await?;
    let began = Instant::now();
    // With a threshold of zero that is after a few seconds.
    while began.elapsed() < PATIENCE {
        sqlx::raw_sql("UPDATE parents SET n = n + 1")
            .execute(plain)
            .await?;
        sqlx::raw_sql("VACUUM parents").execute(plain).await?;
        sqlx::query("SELECT * FROM parents")
            .fetch_all(&mut *session)
            .await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn old_snapshot(stage: &Stage) -> Result<(), Error> {
    reads_late(&stage.pool, &stage.place.plain).await
}

async fn damaged_settings(stage: &Stage) -> Result<(), Error> {
    let write = |text: &'static str| async move {
        let copy = format!(
            "DO $$ BEGIN EXECUTE format('COPY (SELECT ''{text}'') TO %L', current_setting('data_directory') || '/postgresql.auto.conf'); END $$"
        );
        sqlx::raw_sql(AssertSqlSafe(copy))
            .execute(&stage.place.plain)
            .await
            .unwrap();
    };
    write("= = =").await;
    let result = sqlx::query("ALTER SYSTEM SET work_mem = '8MB'")
        .execute(&stage.pool)
        .await;
    write("").await;
    result?;
    Ok(())
}

async fn shutting_down(stage: &Stage) -> Result<(), Error> {
    // It waits for the clients that are there, and takes no others.
    let stop = "COPY (SELECT) TO PROGRAM 'kill -TERM $(head -n 1 postmaster.pid)'";
    sqlx::raw_sql(stop).execute(&stage.place.plain).await?;
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let another = stage
            .place
            .builder(1)
            .acquire_timeout(Duration::from_millis(50));
        another.connect().await?.close().await;
    }
    Ok(())
}

const LIMITS: [(&str, &str); 4] = [
    ("max_connections", "12"),
    ("max_locks_per_transaction", "10"),
    ("max_worker_processes", "0"),
    ("old_snapshot_threshold", "0"),
];

async fn private(has_all: bool) -> Stage {
    let server = match has_all {
        true => start_with(&LIMITS).await,
        false => start_with(LIMITS.first_chunk::<3>().unwrap()).await,
    };
    let mut stage = Stage::on(&server.url(), None).await;
    sqlx::raw_sql(
        "CREATE TABLE torn (n INT); INSERT INTO torn VALUES (1);
         CREATE TABLE torn_index (n INT PRIMARY KEY); INSERT INTO torn_index VALUES (1);",
    )
    .execute(&stage.place.plain)
    .await
    .unwrap();
    sqlx::raw_sql("CHECKPOINT")
        .execute(&stage.place.plain)
        .await
        .unwrap();
    sqlx::raw_sql(
        "DO $$
         DECLARE
             data TEXT := current_setting('data_directory') || '/';
             zeros OID := lo_from_bytea(0, decode(repeat('00', 16384), 'hex'));
         BEGIN
             EXECUTE format('COPY (SELECT repeat(''x'', 8191)) TO %L', data || pg_relation_filepath('torn'));
             PERFORM lo_export(zeros, data || pg_relation_filepath('torn_index_pkey'));
             EXECUTE format('COPY (SELECT 1) TO %L', data || 'pg_replslot/taken.tmp');
         END $$",
    )
    .execute(&stage.place.plain)
    .await
    .unwrap();
    // Nothing of the damaged files is left in its memory.
    let server = tokio::task::spawn_blocking(move || {
        server.restart().unwrap();
        server
    });
    stage.server = Some(server.await.unwrap());
    // The last row leaves no way to open another.
    let options = PgConnectOptions::clone(&stage.place.plain.connect_options());
    let one = PgPoolOptions::new().max_connections(1);
    stage.place.plain = one.connect_with(options).await.unwrap();
    stage
}

#[tokio::test]
async fn each_code_is_provoked() {
    let shared = Stage::on(&server_url(), None).await;
    let version: i64 = sqlx::query_scalar("SELECT current_setting('server_version_num')::bigint")
        .fetch_one(&shared.place.plain)
        .await
        .unwrap();
    let has_all = version < GONE.1;
    let gone: &[&str] = if has_all { &[] } else { &[GONE.0] };
    tokio::join!(async { provoke(&shared, SHARED, &[]).await }, async {
        provoke(&private(has_all).await, PRIVATE, gone).await
    },);
    print(NAME, &[SHARED, PRIVATE], NOT_PROVOKED);
    if !has_all {
        println!("not on this server: {GONE:?}");
    }
}

#[test]
fn each_line_is_provoked_or_has_a_reason() {
    assert_complete(codes::postgres(), &[SHARED, PRIVATE], NOT_PROVOKED, 20);
}

/// What cannot be provoked can be raised: the answer is the server's, its cause is not.
#[tokio::test]
async fn the_others_are_judged_as_the_table_says() {
    let stage = Stage::on(&server_url(), None).await;
    for (line, category) in codes::postgres() {
        if !NOT_PROVOKED.iter().any(|(other, _)| *other == line) {
            continue;
        }
        let code = format!("{line:0<5}");
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$");
        let error = raised(&stage.pool, raise).await.unwrap_err();
        assert_judged(&stage, &error, &code, category).await;
    }
}
