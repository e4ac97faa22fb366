//! A KILL names a connection by a number, and numbers come again: on a server that was restarted, on another one
//! behind the same address. No stranger may be hit.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::{Connection as _, Executor as _};
use steadfast::{Error, with_session};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::support::forwarder::Forwarder;
use crate::support::private::{self, Server};
use crate::support::{eventually, mysql::*, quiet};

/// Somebody else's connection, in the middle of a transaction.
struct Stranger {
    id: i64,
    connection: Connection,
}

impl Stranger {
    async fn new(url: &str) -> Self {
        let mut connection = Connection::connect(url).await.unwrap();
        let id = sqlx::query_scalar(WHICH)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.execute("START TRANSACTION").await.unwrap();
        let mut stranger = Self { id, connection };
        stranger.note().await.unwrap();
        stranger
    }

    async fn note(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO strangers VALUES (?)")
            .bind(self.id)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// The transaction is whole, and its connection the same.
    async fn goes_on(&mut self) -> Result<(), sqlx::Error> {
        self.note().await?;
        self.connection.execute("COMMIT").await?;
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM strangers WHERE id = ?")
            .bind(self.id)
            .fetch_one(&mut self.connection)
            .await?;
        assert_eq!(rows, 2, "stranger {}", self.id);
        Ok(())
    }
}

/// Strangers until each of these numbers is one's.
async fn strangers(url: &str, ids: &[i64]) -> Vec<Stranger> {
    let mut strangers = Vec::new();
    while ids.iter().any(|id| {
        strangers
            .iter()
            .all(|stranger: &Stranger| stranger.id != *id)
    }) {
        let stranger = Stranger::new(url).await;
        let last = ids.iter().max().unwrap();
        assert!(stranger.id <= *last, "the numbers did not come again");
        strangers.push(stranger);
    }
    strangers
}

async fn all_go_on(strangers: Vec<Stranger>, ids: &[i64]) {
    let mut hit = Vec::new();
    for mut stranger in strangers {
        if let Err(error) = stranger.goes_on().await {
            hit.push((stranger.id, error.to_string()));
        }
    }
    assert!(hit.is_empty(), "the sessions were {ids:?}: {hit:?}");
}

async fn fresh() -> (Arc<Server<Db>>, Place) {
    let server = Arc::new(private::start::<Db>().await);
    let place = Place::on(&server.url()).await;
    sqlx::raw_sql("CREATE TABLE strangers (id BIGINT NOT NULL)")
        .execute(&place.plain)
        .await
        .unwrap();
    (server, place)
}

/// Low numbers are used up by others.
async fn use_up_numbers(place: &Place) {
    for _ in 0..20 {
        Connection::connect(&place.url)
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
    }
}

/// A server that has lived for so long that another life of it begins in a later second.
async fn settled() -> (Arc<Server<Db>>, Place) {
    let (server, place) = fresh().await;
    use_up_numbers(&place).await;
    eventually("the server is two seconds old", || async {
        sqlx::query_scalar::<_, i64>(
            "SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status WHERE variable_name = 'UPTIME'",
        )
        .fetch_one(&place.plain)
        .await
        .unwrap()
            >= 2
    })
    .await;
    (server, place)
}

async fn begins_again(server: &Arc<Server<Db>>) {
    let server = Arc::clone(server);
    spawn_blocking(move || {
        server.kill().unwrap();
        server.restart().unwrap();
    })
    .await
    .unwrap();
}

async fn open(pool: &Pool, id: i64) -> (steadfast::Session<Db>, i64) {
    let mut session = pool.begin().await.unwrap();
    sqlx::query("INSERT INTO notes (id, body) VALUES (?, ?)")
        .bind(id)
        .bind(format!("note {id}"))
        .execute(&mut session)
        .await
        .unwrap();
    let which = sqlx::query_scalar(WHICH)
        .fetch_one(&mut session)
        .await
        .unwrap();
    (session, which)
}

/// Sessions of a life of the server that is over by now.
struct Survivors {
    pool: Pool,
    sessions: [steadfast::Session<Db>; 3],
    ids: [i64; 3],
}

impl Survivors {
    async fn of(place: &Place) -> Self {
        let pool = place.pool(3).await;
        let (dropped, one) = open(&pool, 1).await;
        let (rolled_back, two) = open(&pool, 2).await;
        let (committed, three) = open(&pool, 3).await;
        let sessions = [dropped, rolled_back, committed];
        let ids = [one, two, three];
        Self {
            pool,
            sessions,
            ids,
        }
    }

    async fn kill_nobody(self, place: &Place) {
        let strangers = strangers(&place.url, &self.ids).await;
        let [dropped, rolled_back, committed] = self.sessions;
        drop(dropped);
        let _ = rolled_back.rollback().await;
        committed.commit().await.unwrap_err();
        quiet(&self.pool).await;
        all_go_on(strangers, &self.ids).await;
    }
}

#[tokio::test]
async fn mysql_a_session_of_a_servers_former_life_kills_nobody() {
    let (server, place) = settled().await;
    let survivors = Survivors::of(&place).await;
    begins_again(&server).await;
    survivors.kill_nobody(&place).await;
}

/// The clock that a server's age is told by counts whole seconds.
#[tokio::test]
async fn mysql_nor_does_it_where_both_lives_began_in_one_second() {
    let (server, place) = fresh().await;
    for _ in 0..100 {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        // Two lives must begin in the second that comes.
        sleep(Duration::from_nanos(
            (1_000_000_000 - clock.subsec_nanos()).into(),
        ))
        .await;
        begins_again(&server).await;
        use_up_numbers(&place).await;
        let survivors = Survivors::of(&place).await;
        let former = beginning(&server).await;
        begins_again(&server).await;
        if beginning(&server).await == former {
            return survivors.kill_nobody(&place).await;
        }
    }
    panic!("no two lives of the server began in one second");
}

#[with_session]
async fn waits(session: &mut Session) -> Result<(), Error> {
    session
        .execute("INSERT INTO notes (id, body) VALUES (4, 'waits')")
        .await?;
    sqlx::query(SLOW).execute(&mut *session).await?;
    Ok(())
}

/// Nobody has told the pool: its connections are silent, and what it opens now reaches the new life.
#[tokio::test]
async fn mysql_a_call_that_never_heard_of_its_servers_end_kills_nobody() {
    let (server, place) = settled().await;
    let door = Forwarder::before(&[&place.url]).await;
    let pool = Pool::builder()
        .primary(door.url(&place.url))
        .max_connections(2)
        .connect()
        .await
        .unwrap();
    let (idle, one) = open(&pool, 1).await;
    let call = tokio::spawn({
        let pool = pool.clone();
        async move { waits(&pool).await }
    });
    place.slow_is_running().await;
    let two = sqlx::query_scalar(
        "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE info LIKE '%SLEEP(30)%' AND id <> CONNECTION_ID()",
    )
    .fetch_one(&place.plain)
    .await
    .unwrap();
    let ids = [one, two];
    assert_eq!(door.forget(), 3, "two sessions and what cancels for them");
    begins_again(&server).await;
    let strangers = strangers(&place.url, &ids).await;
    call.abort();
    drop(idle);
    quiet(&pool).await;
    all_go_on(strangers, &ids).await;
}

/// The same database on another server.
async fn twin(place: &Place, server: &str) -> Place {
    let mut admin = Connection::connect(server).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "CREATE DATABASE {name}; CREATE TABLE {name}.accounts (id BIGINT PRIMARY KEY, cents BIGINT NOT NULL);
         INSERT INTO {name}.accounts VALUES (1, 1000); CREATE TABLE {name}.notes (id BIGINT PRIMARY KEY, body VARCHAR(200));
         CREATE TABLE {name}.strangers (id BIGINT NOT NULL)",
        name = place.name
    )))
    .execute(&mut admin)
    .await
    .unwrap();
    admin.close().await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    let url = format!("{base}/{}", place.name);
    let plain = sqlx::mysql::MySqlPoolOptions::new()
        .max_connections(3)
        .connect(&url)
        .await
        .unwrap();
    Place {
        url,
        name: place.name.clone(),
        plain,
    }
}

/// The number that the next connection comes after.
async fn newest(url: &str) -> i64 {
    let mut connection = Connection::connect(url).await.unwrap();
    let id = sqlx::query_scalar(WHICH)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    id
}

/// The second in which a server's present life began.
async fn beginning(server: &Server<Db>) -> i64 {
    let mut connection = Connection::connect(&server.url()).await.unwrap();
    let beginning = sqlx::query_scalar(
        "SELECT UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED) FROM information_schema.global_status WHERE variable_name = 'UPTIME'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    beginning
}

/// Two servers that began in one second, or in two.
async fn two(same_second: bool) -> (Arc<Server<Db>>, Arc<Server<Db>>) {
    let (one, two) = tokio::join!(private::start::<Db>(), private::start::<Db>());
    let (one, two) = (Arc::new(one), Arc::new(two));
    while (beginning(&one).await == beginning(&two).await) != same_second {
        if same_second {
            tokio::join!(begins_again(&one), begins_again(&two));
        } else {
            begins_again(&two).await;
        }
    }
    (one, two)
}

#[tokio::test]
async fn mysql_behind_one_address_the_other_servers_connections_are_let_be() {
    the_other_servers_are_let_be(false).await;
}

/// As replicas do that are started together.
#[tokio::test]
async fn mysql_so_they_are_where_both_servers_began_in_one_second() {
    the_other_servers_are_let_be(true).await;
}

/// One address, two servers: what cancels may have been led to the other one.
async fn the_other_servers_are_let_be(same_second: bool) {
    let (one, two) = two(same_second).await;
    let here = Place::on(&one.url()).await;
    let there = twin(&here, &two.url()).await;
    // Ahead, so that the session's number is still to come on the other server.
    let ahead = newest(&there.url).await + 20;
    while newest(&here.url).await < ahead {}

    let door = Forwarder::before(&[&here.url, &there.url]).await;
    let pool = Pool::builder()
        .primary(door.url(&here.url))
        .max_connections(1)
        .connect()
        .await
        .unwrap();
    assert!(door.led() >= 2, "what cancels has a connection of its own");
    let id: i64 = sqlx::query_scalar(WHICH).fetch_one(&pool).await.unwrap();
    let mut strangers = strangers(&there.url, &[id]).await;
    let mut same = strangers.pop().unwrap();
    assert_eq!(same.id, id);

    let mut holder = there.plain.begin().await.unwrap();
    holder
        .execute("UPDATE accounts SET cents = cents + 1 WHERE id = 1")
        .await
        .unwrap();
    let same = tokio::spawn(async move {
        let waited = same
            .connection
            .execute("UPDATE accounts SET cents = cents + 2 WHERE id = 1")
            .await;
        (waited, same)
    });
    is_blocked(&there.plain, id).await;

    let call = tokio::spawn({
        let pool = pool.clone();
        async move { waits(&pool).await }
    });
    here.slow_is_running().await;
    let began = Instant::now();
    call.abort();
    quiet(&pool).await;
    assert!(began.elapsed() < Duration::from_secs(2));
    holder.rollback().await.unwrap();
    let (waited, same) = same.await.unwrap();
    assert!(waited.is_ok(), "the stranger with number {id}: {waited:?}");
    strangers.push(same);
    all_go_on(strangers, &[id]).await;
    assert_eq!(there.cents(1).await, 1002);
}
