//! The same orders by plain sqlx, with the loop around a transaction that everybody writes: what can be tried again is what
//! the connection failed in.

use std::time::Duration;

const CLERKS: i64 = 8;
const ORDERS: i64 = 60;
const CONNECTIONS: u32 = 4;

/// One COMMIT in so many loses its answer.
const LOST: u32 = 8;

/// A pool that is out of step may stand still.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) use mysql::attack as attack_mysql;
pub(super) use postgres::attack as attack_postgres;

each_server! {
    use super::{CLERKS, CONNECTIONS, LOST, ORDERS, PATIENCE};
    use crate::bank::books::{Books, Deposits, tables};
    use crate::bank::order::{Order, Row, Told};
    use crate::campaign::Front;
    use crate::door::Door;
    use futures_util::future::join_all;
    use std::sync::Mutex;
    use xtask::proxy::{Fault, Proxy};

    pub(crate) async fn attack(front: Front) {
        if front.settings.is_limited() {
            return;
        }
        front.report.expect_plain("done twice", 1);
        let place = Place::new().await;
        sqlx::raw_sql(sql(&tables())).execute(&place.plain).await.unwrap();
        let proxy = Proxy::before(&place.url).unwrap();
        let chance = Mutex::new(front.settings.chance(("control", NAME)));
        let is_chosen = move || chance.lock().unwrap().u32(..LOST) == 0;
        proxy.on_each(move |sent| sent.runs("COMMIT") && is_chosen(), Fault::CutAnswer);
        let pool = sqlx::pool::PoolOptions::<Db>::new().max_connections(CONNECTIONS);
        let pool = pool.connect(&proxy.url()).await.unwrap();
        let books = Mutex::new(Books::default());
        let clerks = join_all((0..CLERKS).map(|clerk| serve_all(&front, &pool, &books, clerk)));
        if tokio::time::timeout(PATIENCE, clerks).await.is_err() {
            front.report.count_plain("pools that stand still", 1);
        }
        // What is still open on the server ends with the connections.
        proxy.cut();
        place.has_open(0).await;
        let journal: Vec<Row> =
            sqlx::query_as("SELECT id, source, target, cents FROM journal").fetch_all(&place.plain).await.unwrap();
        let deposits: Deposits = sqlx::query_as("SELECT id, cents FROM deposits").fetch_all(&place.plain).await.unwrap();
        let faults = books.lock().unwrap().audit(&journal, &deposits);
        for (figure, words) in [("acknowledged and lost", "is not there"), ("done twice", "times")] {
            let found = faults.iter().filter(|fault| fault.contains(words)).count();
            front.report.count_plain(figure, found as u64);
        }
    }

    async fn serve_all(front: &Front, pool: &Plain, books: &Mutex<Books>, clerk: i64) {
        let mut chance = front.settings.chance(("control", NAME, clerk));
        for id in clerk * ORDERS..(clerk + 1) * ORDERS {
            let order = Order::draw(id, &mut chance);
            books.lock().unwrap().begin(order.row(), order);
            let polls = order.course.polls(order.after);
            let told = match drop_at_poll(serve(pool, order), polls).await {
                Some(Ok(())) => Told::Acknowledged,
                // An error of plain sqlx does not say.
                Some(Err(_)) => Told::Unknown,
                None => Told::Nothing,
            };
            books.lock().unwrap().tell(id, told);
        }
    }

    async fn serve(pool: &Plain, order: Order) -> sqlx::Result<()> {
        if order.door == Door::Pool {
            entry(order).execute(pool).await?;
            return Ok(());
        }
        for _ in 0..4 {
            match transfer(pool, order).await {
                Err(sqlx::Error::Io(_)) => {}
                ended => return ended,
            }
        }
        transfer(pool, order).await
    }

    async fn transfer(pool: &Plain, order: Order) -> sqlx::Result<()> {
        let mut transaction = pool.begin().await?;
        let mut changes = order.changes();
        changes.sort_unstable();
        for (id, cents) in changes {
            sqlx::query(sql("UPDATE deposits SET cents = cents + $1 WHERE id = $2"))
                .bind(cents)
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        entry(order).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    fn entry(order: Order) -> sqlx::query::Query<'static, Db, <Db as sqlx::Database>::Arguments> {
        let (id, from, to, cents) = order.row();
        sqlx::query(sql("INSERT INTO journal (id, source, target, cents) VALUES ($1, $2, $3, $4)"))
            .bind(id)
            .bind(from)
            .bind(to)
            .bind(cents)
    }
}
