//! MariaDB.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _};
use steadfast::__private::codes;
use steadfast::Category::{
    Access, Cancelled, Capacity, Conflict, Connection as Lost, Data, Internal, LockTimeout,
    NotFound, Programming, ReadOnly, Resource, Timeout, TooManyRows,
};
use steadfast::Integrity::{Check, ForeignKey, NotNull, Unique};
use steadfast::{Error, Outcome, Phase, with_session};

use super::Provoked::{By, When};
use super::{
    Row, Stage as _, assert_complete, assert_judged, integrity, lost, print, provoke, refused, row,
    unconnected,
};
use crate::support::eventually;
use crate::support::mysql::*;
use crate::support::private::{Server, start_with};

/// A place on a server, and the server if it is its own.
struct Stage {
    place: Place,
    pool: Pool,
    _server: Option<Server<Db>>,
}

/// On the server that all tests share, but for one row.
#[rustfmt::skip]
const SHARED: &[Row<Stage>] = &[
    row("1020", "ER_CHECKREAD", When("an update of a row that another has changed, with `innodb_snapshot_isolation`", |stage| Box::pin(changed_meanwhile(stage))), refused(Conflict).retryable()),
    row("1030", "ER_GET_ERRNO", When("ALTER TABLE … IMPORT TABLESPACE without its file, through `&pool`", |stage| Box::pin(lost_file(stage))), refused(Resource).outcome(Outcome::NotSent)),
    row("1036", "ER_OPEN_AS_READONLY", When("a write where `innodb_read_only` is on", |_| Box::pin(read_only_engine())), refused(ReadOnly)),
    row("1038", "ER_OUT_OF_SORTMEMORY",
        By(&["SET STATEMENT sort_buffer_size = 1024, max_sort_length = 8388608 FOR SELECT body FROM wide ORDER BY CONCAT(body, RAND())"]), refused(Resource)),
    row("1048", "ER_BAD_NULL_ERROR", By(&["INSERT INTO children VALUES (2, 1, NULL)"]), integrity(NotNull)),
    row("1052", "ER_NON_UNIQ_ERROR", By(&["SELECT id FROM parents, children"]), refused(Programming)),
    row("1054", "ER_BAD_FIELD_ERROR", By(&["SELECT colour FROM parents"]), refused(Programming)),
    row("1062", "ER_DUP_ENTRY", By(&["INSERT INTO children VALUES (1, 1, 0)"]), integrity(Unique)),
    row("1064", "ER_PARSE_ERROR", By(&["SELEKT 1"]), refused(Programming)),
    row("1105", "ER_UNKNOWN_ERROR", By(&["SELECT EXTRACTVALUE('<a/>', '!!')"]), refused(Internal)),
    row("1114", "ER_RECORD_FILE_FULL", By(&["INSERT INTO small SELECT seq, 'x' FROM seq_1_to_10000"]), refused(Resource)),
    row("1136", "ER_WRONG_VALUE_COUNT_ON_ROW", By(&["INSERT INTO parents VALUES (3)"]), refused(Programming)).by_line(""),
    row("1146", "ER_NO_SUCH_TABLE", By(&["SELECT * FROM nowhere"]), refused(Programming)),
    row("1172", "ER_TOO_MANY_ROWS", By(&["SELECT id FROM parents INTO @id"]), refused(TooManyRows)),
    row("1205", "ER_LOCK_WAIT_TIMEOUT", When("`FOR UPDATE NOWAIT` of a row that is locked", |stage| Box::pin(locked(stage, &["SELECT * FROM parents FOR UPDATE NOWAIT"]))),
        refused(LockTimeout).retryable()),
    row("1213", "ER_LOCK_DEADLOCK", When("two transactions that wait for each other", |stage| Box::pin(deadlock(stage))), refused(Conflict).retryable()),
    row("1222", "ER_WRONG_NUMBER_OF_COLUMNS_IN_SELECT", By(&["SELECT 1 UNION SELECT 1, 2"]), refused(Programming)).by_line(""),
    row("1242", "ER_SUBQUERY_NO_1_ROW", By(&["SELECT (SELECT id FROM parents)"]), refused(TooManyRows)),
    row("1264", "ER_WARN_DATA_OUT_OF_RANGE", By(&["INSERT INTO parents VALUES (3, 99999999999)"]), refused(Data)),
    row("1265", "WARN_DATA_TRUNCATED", By(&["INSERT INTO kinds (colour) VALUES ('loud')"]), refused(Data)),
    row("1290", "ER_OPTION_PREVENTS_STATEMENT", By(&["SELECT 1 INTO OUTFILE '/nowhere/rows'"]), refused(Programming)),
    row("1292", "ER_TRUNCATED_WRONG_VALUE", By(&["INSERT INTO kinds (day) VALUES ('never')"]), refused(Data)),
    row("1305", "ER_SP_DOES_NOT_EXIST", By(&["CALL nowhere()"]), refused(Programming)),
    row("1317", "ER_QUERY_INTERRUPTED", When("`KILL QUERY` of a statement that runs", |stage| Box::pin(interrupted(stage))), refused(Cancelled)),
    row("1329", "ER_SP_FETCH_NO_DATA", By(&["CALL reads_on()"]), refused(NotFound)),
    row("1364", "ER_NO_DEFAULT_FOR_FIELD", By(&["INSERT INTO children (id) VALUES (2)"]), integrity(NotNull)),
    row("1365", "ER_DIVISION_BY_ZERO", By(&["INSERT INTO parents VALUES (3, 1 / 0)"]), refused(Data)),
    row("1366", "ER_TRUNCATED_WRONG_VALUE_FOR_FIELD", By(&["INSERT INTO parents VALUES (3, 'three')"]), refused(Data)),
    row("1367", "ER_ILLEGAL_VALUE_FOR_TYPE", By(&["SELECT 1e999"]), refused(Data)),
    row("1369", "ER_VIEW_CHECK_FAILED", By(&["INSERT INTO adults VALUES (2, 1, 17)"]), integrity(Check)),
    row("1406", "ER_DATA_TOO_LONG", By(&["INSERT INTO kinds (short) VALUES ('long')"]), refused(Data)),
    row("1411", "ER_WRONG_VALUE_FOR_TYPE", By(&["INSERT INTO kinds (day) SELECT STR_TO_DATE('never', '%Y')"]), refused(Data)),
    row("1416", "ER_CANT_CREATE_GEOMETRY_OBJECT", By(&["INSERT INTO kinds (spot) VALUES ('there')"]), refused(Data)).by_line("22"),
    row("1451", "ER_ROW_IS_REFERENCED_2", By(&["DELETE FROM parents WHERE id = 1"]), integrity(ForeignKey)),
    row("1452", "ER_NO_REFERENCED_ROW_2", By(&["INSERT INTO children VALUES (2, 9, 0)"]), integrity(ForeignKey)),
    row("1643", "ER_SIGNAL_NOT_FOUND", By(&["SIGNAL SQLSTATE '02000'"]), refused(NotFound)).by_line("02"),
    row("1644", "ER_SIGNAL_EXCEPTION", By(&["SIGNAL SQLSTATE '45000'"]), integrity(Check)),
    row("1690", "ER_DATA_OUT_OF_RANGE", By(&["SELECT CAST(0 AS UNSIGNED) - 1"]), refused(Data)),
    row("1761", "ER_FOREIGN_DUPLICATE_KEY_WITH_CHILD_INFO", By(&["UPDATE pairs SET b = 2 WHERE a = 1"]), integrity(Unique)),
    row("1792", "ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION", When("a write in a session with `read_only`", |stage| Box::pin(write_in_read_only(stage))), refused(Programming)),
    row("1927", "ER_CONNECTION_KILLED", By(&["KILL CONNECTION_ID()"]), lost()),
    row("1969", "ER_STATEMENT_TIMEOUT", By(&["SET STATEMENT max_statement_time = 0.01 FOR SELECT SLEEP(30)"]), refused(Timeout)),
    row("4025", "ER_CONSTRAINT_FAILED", By(&["INSERT INTO children VALUES (2, 1, -1)"]), integrity(Check)),
    row("4036", "ER_JSON_BAD_CHR", By(&["SELECT * FROM JSON_TABLE(CONCAT('[', CHAR(1), ']'), '$' COLUMNS (a INT PATH '$')) t"]), refused(Data)),
    row("4037", "ER_JSON_EOS", By(&["SELECT * FROM JSON_TABLE('[', '$' COLUMNS (a INT PATH '$')) t"]), refused(Data)),
    row("4038", "ER_JSON_SYNTAX", By(&["SELECT * FROM JSON_TABLE('[}', '$' COLUMNS (a INT PATH '$')) t"]), refused(Data)),
];

/// On a server of their own, for its users and limits.
#[rustfmt::skip]
const PRIVATE: &[Row<Stage>] = &[
    row("1040", "ER_CON_COUNT_ERROR", When("connecting where `max_connections` is reached", |stage| Box::pin(full(stage))), unconnected(Capacity).retryable()),
    row("1044", "ER_DBACCESS_DENIED_ERROR", When("connecting to a database of others", |stage| Box::pin(connect(stage, "few", "mysql"))), unconnected(Access)),
    row("1045", "ER_ACCESS_DENIED_ERROR", When("connecting with a wrong password", |stage| Box::pin(connect(stage, "few:wrong", ""))), unconnected(Access)),
    row("1142", "ER_TABLEACCESS_DENIED_ERROR", When("DELETE without the right to", |stage| Box::pin(run_as(stage, "few", "DELETE FROM parents"))), refused(Access)),
    row("1143", "ER_COLUMNACCESS_DENIED_ERROR", When("SELECT of a column without the right to", |stage| Box::pin(run_as(stage, "few", "SELECT n FROM parents"))), refused(Access)),
    row("1184", "ER_NEW_ABORTING_CONNECTION", When("connecting where `init_connect` fails", |stage| Box::pin(aborted(stage))), unconnected(Lost).retryable()),
    row("1203", "ER_TOO_MANY_USER_CONNECTIONS", When("connecting where `max_user_connections` is reached", |stage| Box::pin(too_many_of_one(stage))), unconnected(Capacity).retryable()),
    row("1226", "ER_USER_LIMIT_REACHED", When("connecting more often than the user may in an hour", |stage| Box::pin(connect(stage, "rare", ""))), unconnected(Capacity).retryable()),
    row("1227", "ER_SPECIFIC_ACCESS_DENIED_ERROR", When("SET GLOBAL without the right to", |stage| Box::pin(run_as(stage, "few", "SET GLOBAL max_connections = 100"))), refused(Access)),
    row("1153", "ER_NET_PACKET_TOO_LARGE", When("a value that is a little longer than `max_allowed_packet`", |stage| Box::pin(too_long(stage))), refused(Data).outcome(Outcome::NotSent)),
    row("1263", "ER_WARN_NULL_TO_NOTNULL", By(&["LOAD DATA INFILE 'null.txt' INTO TABLE filled"]), integrity(NotNull)),
    row("1290", "ER_OPTION_PREVENTS_STATEMENT", When("a write where the server is read-only", |stage| Box::pin(read_only_server(stage, true))), refused(ReadOnly)),
    row("1290", "ER_OPTION_PREVENTS_STATEMENT", When("COMMIT where the server has become read-only", |stage| Box::pin(read_only_server(stage, false))), refused(ReadOnly).at(Phase::Commit)),
    row("1370", "ER_PROCACCESS_DENIED_ERROR", When("CALL without the right to", |stage| Box::pin(run_as(stage, "few", "CALL reads_on()"))), refused(Access)),
    row("1698", "ER_ACCESS_DENIED_NO_PASSWORD_ERROR", When("connecting as a user of the local socket", |stage| Box::pin(connect(stage, "local", ""))), unconnected(Access)),
    row("1820", "ER_MUST_CHANGE_PASSWORD", When("a statement of a user whose password has expired", |stage| Box::pin(connect(stage, "expired", ""))), unconnected(Access)),
    row("1862", "ER_MUST_CHANGE_PASSWORD_LOGIN", When("connecting with an expired password, and `disconnect_on_expired_password`", |stage| Box::pin(expired(stage))), unconnected(Access)),
    row("4151", "ER_ACCOUNT_HAS_BEEN_LOCKED", When("connecting as a user that is locked", |stage| Box::pin(connect(stage, "shut", ""))), unconnected(Access)),
    // The last one: nobody connects after it.
    row("1130", "ER_HOST_NOT_PRIVILEGED", When("connecting from a host without any user", |stage| Box::pin(no_user_of_this_host(stage))), unconnected(Access)),
];

#[rustfmt::skip]
const NOT_PROVOKED: &[(&str, &str)] = &[
    ("08", "all that MariaDB sends has a line of its own"),
    ("1015", "needs a file system without locks"),
    ("1021", "the server waits for room on the disk, and answers nothing"),
    ("1022", "InnoDB answers 1062, or 1005 for a name that is taken"),
    ("1023", "needs a disk that fails"),
    ("1024", "needs a disk that fails"),
    ("1026", "needs a disk that fails"),
    ("1037", "needs a server that has no memory left"),
    ("1041", "needs a server that has no memory left"),
    ("1042", "needs a look-up of host names, which the servers of the tests do without"),
    ("1043", "needs a client that breaks the handshake, which the driver does not"),
    ("1047", "a Galera node outside its cluster"),
    ("1053", "the server closes the connection before it could say so"),
    ("1079", "is written to the server's log, not sent"),
    ("1080", "is written to the server's log, not sent"),
    ("1129", "broken handshakes are not counted on loopback"),
    ("1135", "needs a machine that has no thread left"),
    ("1152", "is written to the server's log; 1184 is sent"),
    ("1158", "needs a network that fails for the server and not for the client"),
    ("1159", "needs a network that fails for the server and not for the client"),
    ("1160", "needs a network that fails for the server and not for the client"),
    ("1161", "needs a network that fails for the server and not for the client"),
    ("1169", "InnoDB answers 1062"),
    ("1180", "a Galera node that lost its cluster, or a binary log that cannot be written"),
    ("1206", "needs so many locks that they fill a quarter of InnoDB's memory"),
    ("1216", "MariaDB answers 1452; MySQL, where the user must not see the other table"),
    ("1217", "MariaDB answers 1451; MySQL, where the user must not see the other table"),
    ("1557", "MariaDB answers 1761"),
    ("1586", "MariaDB answers 1062"),
    ("1614", "XA statements are refused before they are sent"),
    ("1762", "MariaDB answers 1761, unless it has forgotten the child's key"),
    ("1836", "MariaDB's warning beside 1036; MySQL answers it"),
    ("1859", "an index that is being built may find it, at a moment nobody can choose"),
    ("2006", "client libraries and proxies; the driver reports an I/O error"),
    ("2013", "client libraries and proxies; the driver reports an I/O error"),
    ("2055", "client libraries and proxies; the driver reports an I/O error"),
    ("23", "all that MariaDB sends has a line of its own"),
    ("28", "all that MariaDB sends has a line of its own"),
    ("3024", "MySQL; MariaDB answers 1969"),
    ("3058", "MySQL; MariaDB answers 1213"),
    ("3101", "MySQL's group replication"),
    ("3118", "MySQL; MariaDB answers 4151"),
    ("3140", "MySQL; MariaDB answers 4025, 4036, 4037 or 4038"),
    ("3169", "MySQL; MariaDB answers 1927"),
    ("3572", "MySQL; MariaDB answers 1205"),
    ("3819", "MySQL; MariaDB answers 4025"),
    ("40", "all that MariaDB sends has a line of its own"),
    ("4031", "MySQL; MariaDB closes the connection without a word"),
    ("70", "all that MariaDB sends has a line of its own"),
];

const SCHEMA: &str = "
    CREATE TABLE work (n BIGINT);
    CREATE TABLE parents (id INT PRIMARY KEY, n INT);
    INSERT INTO parents VALUES (1, 0), (2, 0);
    CREATE TABLE children (id INT PRIMARY KEY, parent INT, age INT NOT NULL CHECK (age >= 0), FOREIGN KEY (parent) REFERENCES parents (id));
    INSERT INTO children VALUES (1, 1, 0);
    CREATE VIEW adults AS SELECT * FROM children WHERE age >= 18 WITH CHECK OPTION;
    CREATE TABLE kinds (colour ENUM ('red', 'blue'), day DATE, short CHAR(3), spot GEOMETRY);
    CREATE TABLE pairs (a INT, b INT, PRIMARY KEY (a, b));
    INSERT INTO pairs VALUES (1, 1), (2, 2);
    CREATE TABLE single (a INT, b INT PRIMARY KEY, FOREIGN KEY (a, b) REFERENCES pairs (a, b) ON UPDATE CASCADE);
    INSERT INTO single VALUES (1, 1), (2, 2);
    CREATE TABLE wide (body LONGTEXT);
    INSERT INTO wide SELECT REPEAT('x', 1000) FROM seq_1_to_50;
    SET SESSION max_heap_table_size = 16384;
    CREATE TABLE small (n INT, body CHAR(200)) ENGINE = MEMORY;
    CREATE TABLE lost_file (n INT);
    ALTER TABLE lost_file DISCARD TABLESPACE;
    CREATE TABLE filled (n INT NOT NULL);
    CREATE PROCEDURE reads_on()
    BEGIN
        DECLARE one INT;
        DECLARE ids CURSOR FOR SELECT id FROM parents;
        OPEN ids;
        LOOP FETCH ids INTO one; END LOOP;
    END;
";

impl Stage {
    async fn on(url: &str, server: Option<Server<Db>>) -> Self {
        let place = Place::on(url).await;
        sqlx::raw_sql(SCHEMA).execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        Self {
            place,
            pool,
            _server: server,
        }
    }

    /// The place for another user, and `database` instead of its own.
    fn url_of(&self, user: &str, database: &str) -> String {
        let user = if user.contains(':') {
            user.to_owned()
        } else {
            format!("{user}:pass")
        };
        let url = self.place.url.replace("root@", &format!("{user}@"));
        match database {
            "" => url,
            other => url.replace(&self.place.name, other),
        }
    }

    async fn plain(&self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&self.place.plain)
            .await
            .unwrap();
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
    let pool = stage.place.builder(1).after_connect(|connection| {
        Box::pin(async move {
            sqlx::query("SET SESSION innodb_snapshot_isolation = ON")
                .execute(connection)
                .await?;
            Ok(())
        })
    });
    overtaken(&pool.connect().await?, &stage.place.plain).await
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

#[with_session]
async fn crossed(session: &mut Session, plain: &Plain) -> Result<(), Error> {
    all(session, &["UPDATE parents SET n = n + 1 WHERE id = 1"]).await?;
    let mut other = plain.begin().await?;
    // InnoDB gives up the transaction that has changed less.
    sqlx::query("UPDATE pairs, single SET pairs.a = pairs.a + 10")
        .execute(&mut *other)
        .await?;
    sqlx::query("UPDATE parents SET n = n + 1 WHERE id = 2")
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
    sqlx::query("UPDATE parents SET n = n + 1 WHERE id = 2")
        .execute(&mut *session)
        .await?;
    drop(opponent);
    Ok(())
}

async fn deadlock(stage: &Stage) -> Result<(), Error> {
    crossed(&stage.pool, &stage.place.plain).await
}

async fn interrupted(stage: &Stage) -> Result<(), Error> {
    let sleeping = tokio::spawn({
        let pool = stage.pool.clone();
        async move { work(&pool, &[SLOW]).await }
    });
    stage.place.slow_is_running().await;
    stage.place.cancel_slow().await;
    sleeping.await.unwrap()
}

async fn full(stage: &Stage) -> Result<(), Error> {
    let url = stage.url_of("few", "");
    let mut taken = Vec::new();
    while let Ok(connection) = MySqlConnection::connect(&url).await {
        taken.push(connection);
    }
    assert!(!taken.is_empty());
    let result = connect(stage, "few", "").await;
    for connection in taken {
        connection.close().await?;
    }
    // The server counts a connection for a moment longer than its client.
    eventually("there is room again", || async {
        MySqlConnection::connect(&url).await.is_ok()
    })
    .await;
    result
}

async fn connect(stage: &Stage, user: &str, database: &str) -> Result<(), Error> {
    let url = stage.url_of(user, database);
    let pool = Pool::builder()
        .primary(url)
        .acquire_timeout(Duration::from_millis(100))
        .connect()
        .await?;
    pool.close().await;
    Ok(())
}

async fn run_as(stage: &Stage, user: &str, statement: &'static str) -> Result<(), Error> {
    let pool = Pool::builder()
        .primary(stage.url_of(user, ""))
        .max_connections(1)
        .connect()
        .await?;
    let result = work(&pool, &[statement]).await;
    pool.close().await;
    result
}

async fn aborted(stage: &Stage) -> Result<(), Error> {
    stage.plain("SET GLOBAL init_connect = 'SELEKT'").await;
    let result = connect(stage, "few", "").await;
    stage.plain("SET GLOBAL init_connect = ''").await;
    result
}

async fn too_many_of_one(stage: &Stage) -> Result<(), Error> {
    let taken = MySqlConnection::connect(&stage.url_of("few", "")).await?;
    stage.plain("SET GLOBAL max_user_connections = 1").await;
    let result = connect(stage, "few", "").await;
    taken.close().await?;
    stage.plain("SET GLOBAL max_user_connections = 1000").await;
    result
}

async fn expired(stage: &Stage) -> Result<(), Error> {
    stage
        .plain("SET GLOBAL disconnect_on_expired_password = ON")
        .await;
    connect(stage, "expired", "").await
}

#[with_session]
async fn written_late(session: &mut Session, stage: &Stage, goes_on: bool) -> Result<(), Error> {
    all(session, &[]).await?;
    stage.plain("SET GLOBAL read_only = ON").await;
    if goes_on {
        all(session, &[]).await?;
    }
    Ok(())
}

async fn read_only_server(stage: &Stage, goes_on: bool) -> Result<(), Error> {
    let pool = Pool::builder()
        .primary(stage.url_of("few", ""))
        .max_connections(1)
        .connect()
        .await?;
    let result = written_late(&pool, stage, goes_on).await;
    pool.close().await;
    stage.plain("SET GLOBAL read_only = OFF").await;
    result
}

async fn lost_file(stage: &Stage) -> Result<(), Error> {
    sqlx::query("ALTER TABLE lost_file IMPORT TABLESPACE")
        .execute(&stage.pool)
        .await?;
    Ok(())
}

#[with_session]
async fn binds(session: &mut Session, length: usize) -> Result<(), Error> {
    sqlx::query("SELECT ?")
        .bind("x".repeat(length))
        .execute(&mut *session)
        .await?;
    Ok(())
}

/// The server throws it away, and the connection with it. Of one that is not yet sent by then, the client sees nothing
/// but the end of its connection.
async fn too_long(stage: &Stage) -> Result<(), Error> {
    binds(&stage.pool, 20 << 10).await
}

#[with_session]
async fn writes_statistics(session: &mut Session) -> Result<(), Error> {
    sqlx::query("DELETE FROM mysql.innodb_table_stats")
        .execute(&mut *session)
        .await?;
    Ok(())
}

async fn read_only_engine() -> Result<(), Error> {
    let server = start_with::<Db>(&[("innodb_read_only", "ON")]).await;
    writes_statistics(&Pool::connect(server.url()).await?).await
}

async fn no_user_of_this_host(stage: &Stage) -> Result<(), Error> {
    let users: Vec<(String, String)> =
        sqlx::query_as("SELECT user, host FROM mysql.user WHERE host IN ('%', '127.0.0.1')")
            .fetch_all(&stage.place.plain)
            .await?;
    for (user, host) in users {
        stage
            .plain(&format!(
                "RENAME USER '{user}'@'{host}' TO '{user}'@'192.0.2.{}'",
                fastrand::u8(1..)
            ))
            .await;
    }
    stage.plain("FLUSH PRIVILEGES").await;
    connect(stage, "few", "").await
}

const LIMITS: [(&str, &str); 3] = [
    ("max_connections", "12"),
    ("max_user_connections", "1000"),
    ("max_allowed_packet", "16384"),
];

async fn private() -> Stage {
    let server = start_with(&LIMITS).await;
    let mut stage = Stage::on(&server.url(), Some(server)).await;
    // The last row leaves no way to open another.
    let options = MySqlConnectOptions::clone(&stage.place.plain.connect_options());
    let one = MySqlPoolOptions::new().max_connections(1);
    stage.place.plain = one.connect_with(options).await.unwrap();
    let place = &stage.place.name;
    stage
        .plain(&format!(
            "CREATE USER few@'%' IDENTIFIED BY 'pass';
             GRANT SELECT (id), INSERT ON {place}.parents TO few@'%';
             GRANT SELECT, INSERT ON {place}.work TO few@'%';
             CREATE USER rare@'%' IDENTIFIED BY 'pass' WITH MAX_CONNECTIONS_PER_HOUR 1;
             GRANT ALL ON {place}.* TO rare@'%';
             CREATE USER local@'%' IDENTIFIED VIA unix_socket;
             CREATE USER expired@'%' IDENTIFIED BY 'pass' PASSWORD EXPIRE;
             GRANT ALL ON {place}.* TO expired@'%';
             CREATE USER shut@'%' IDENTIFIED BY 'pass' ACCOUNT LOCK;
             SELECT '\\\\N' INTO OUTFILE 'null.txt' FIELDS ESCAPED BY ''"
        ))
        .await;
    MySqlConnection::connect(&stage.url_of("rare", ""))
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    stage
}

#[tokio::test]
async fn each_code_is_provoked() {
    tokio::join!(
        async { provoke(&Stage::on(&server_url(), None).await, SHARED, &[]).await },
        async { provoke(&private().await, PRIVATE, &[]).await },
    );
    print(NAME, &[SHARED, PRIVATE], NOT_PROVOKED);
}

#[test]
fn each_line_is_provoked_or_has_a_reason() {
    assert_complete(codes::mysql(), &[SHARED, PRIVATE], NOT_PROVOKED, 12);
}

/// What cannot be provoked can be raised: the answer is the server's, its cause is not.
#[tokio::test]
async fn the_others_are_judged_as_the_table_says() {
    let stage = Stage::on(&server_url(), None).await;
    for (line, category) in codes::mysql() {
        if !NOT_PROVOKED.iter().any(|(other, _)| *other == line) {
            continue;
        }
        let (raise, code) = match line.len() {
            // A number without a line is judged by its SQLSTATE.
            2 => (
                format!("SIGNAL SQLSTATE '{line}999' SET MYSQL_ERRNO = 9999"),
                "9999",
            ),
            _ => (
                format!("SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {line}"),
                &*line,
            ),
        };
        let error = raised(&stage.pool, raise).await.unwrap_err();
        assert_judged(&stage, &error, code, category).await;
    }
}
