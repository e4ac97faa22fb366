//! Sends what spoils a connection, through every door: whoever has the connection next finds it as new, and the sender
//! is told the truth. What is left by a known limit stands in the table as such.

mod control;
mod deadlock;
mod deeds;
mod doors;
mod ground;
mod rows;
mod state;
mod table;

use std::time::Duration;

use crate::campaign::{Campaign, attacks};

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "poison",
    databases: attacks!(Postgres: postgres, MySql: mysql, Sqlite: sqlite),
};

/// Cells that are tried at once, each on a schema, database or file of its own.
const LANES: usize = 4;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

each_database! {
    use super::control::control;
    use super::deeds::deeds;
    use super::doors::{Answer, doors};
    use super::rows::{ROWS, setup};
    use super::ground::Ground as _;
    use super::state::{Seen as _, State};
    use super::table::{Cell, Door, End, Kept, On, Refused, RolledBack, Told, Unknown};
    use super::{LANES, PATIENCE, deadlock};
    use crate::campaign::Front;
    use std::collections::{BTreeSet, VecDeque};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use futures_util::future::join_all;
    use steadfast::{Category, Error, Outcome, retry, with_session};
    use tokio::sync::Notify;
    use tokio::time::timeout;

    control!();
    deeds!();
    doors!();

    type Server = <Place as super::ground::Ground>::Server;

    struct Cells {
        left: Mutex<VecDeque<Cell>>,
        /// The rows of those that were tried out.
        rows: Mutex<BTreeSet<&'static str>>,
    }

    pub(crate) async fn attack(front: Front) {
        let cells = cells(&front);
        if front.settings.seconds.is_some() {
            front.report.expect("cells", 40);
        } else {
            let rows: BTreeSet<_> = cells.iter().map(|cell| cell.name).collect();
            let at_least = if NAME == "sqlite" { 15 } else { 24 };
            front.report.expect("rows", at_least.max(rows.len() as u64));
            front.report.expect("cells", cells.len() as u64);
        }
        let cells = Arc::new(Cells { left: Mutex::new(cells), rows: Mutex::default() });
        let server = Arc::new(Place::server().await);
        let lanes = (0..LANES).map(|_| {
            let (front, cells, server) = (front.clone(), Arc::clone(&cells), Arc::clone(&server));
            tokio::spawn(async move { front.watch(Box::pin(take(&front, &cells, &server))).await })
        });
        join_all(lanes.collect::<Vec<_>>()).await;
        front.watch(Box::pin(deeds(&front, &server))).await;
        if NAME == "mysql" {
            front.watch(Box::pin(deadlock::attack(&front))).await;
        }
        front.watch(Box::pin(control(&front, &server))).await;
    }

    /// The whole table; in the short form three cells of each row.
    fn cells(front: &Front) -> VecDeque<Cell> {
        let mut chance = front.settings.chance(("poison", NAME));
        let mut cells = Vec::new();
        for row in ROWS {
            let poison = match (row.on)(front.database) {
                On::Has(poison) => poison,
                On::Cannot(why) => {
                    front.report.count("impossible", 1);
                    assert!(!why.is_empty());
                    continue;
                }
            };
            let whole = Door::ALL.into_iter().flat_map(|door| {
                door.ends().iter().flat_map(move |&end| {
                    [false, true].map(|works_first| Cell { name: row.name, poison, door, end, works_first })
                })
            });
            let mut whole: Vec<Cell> = whole.collect();
            if front.settings.short {
                chance.shuffle(&mut whole);
                let (kept, others): (Vec<Cell>, Vec<Cell>) = whole.into_iter().partition(|cell| cell.end == End::Keep);
                let kept = [Door::Function, Door::Raw].map(|door| kept.iter().copied().find(|cell| cell.door == door));
                whole = kept.into_iter().flatten().chain(others.into_iter().take(1)).collect();
            }
            cells.extend(whole);
        }
        chance.shuffle(&mut cells);
        cells.into()
    }

    /// Takes one cell after the other.
    async fn take(front: &Front, cells: &Cells, server: &Server) {
        let mut lane = Lane::new(front, server).await;
        loop {
            let cell = cells.left.lock().unwrap().pop_front();
            let Some(cell) = cell.filter(|_| !front.is_over()) else {
                return;
            };
            let mut wrong = Vec::new();
            if timeout(PATIENCE * 3, Box::pin(lane.try_out(cell, &mut wrong))).await.is_err() {
                wrong.push("it has no end".to_owned());
            }
            for what in &wrong {
                front.violation(format_args!("{cell}: {what}"));
            }
            front.report.count("cells", 1);
            let is_first = cells.rows.lock().unwrap().insert(cell.name);
            front.report.count("rows", is_first.into());
            if !wrong.is_empty() {
                // A place that somebody has spoiled shows nothing more.
                lane = Lane::new(front, server).await;
            }
        }
    }

    struct Lane<'f> {
        front: &'f Front,
        place: Place,
        pool: Pool,
        /// A connection that nobody has had.
        new: State,
        /// What differs between two of those.
        volatile: BTreeSet<String>,
        ids: i64,
    }

    impl<'f> Lane<'f> {
        async fn new(front: &'f Front, server: &Server) -> Self {
            let place = Place::place(server).await;
            let setup = setup(front.database).replace("<here>", &place.name);
            sqlx::raw_sql(sqlx::AssertSqlSafe(setup)).execute(&place.plain).await.unwrap();
            let pool = pool(&place).await;
            let (new, other) = (look(&place, &self::pool(&place).await).await, look(&place, &self::pool(&place).await).await);
            let volatile = new.difference(&other, &BTreeSet::new()).into_iter().collect();
            front.report.greatest("pieces", u64::try_from(new.len()).unwrap());
            Self { front, place, pool, new, volatile, ids: 0 }
        }

        async fn try_out(&mut self, cell: Cell, wrong: &mut Vec<String>) {
            let base = self.ids;
            self.ids += 10;
            let expected = cell.poison.expected(cell.door);
            // Open, and the only one.
            if let Err(error) = insert(&self.pool, base).await {
                wrong.push(format!("the next user is refused: {error}"));
                return;
            }
            let opened = self.pool.stats().opened;
            let (to_be_new, to_be_left) = expected.after.of(cell.end);
            // Somebody who finds what is left may be unable to work.
            let works_first = cell.works_first && to_be_left.is_empty();
            let answer = Box::pin(send(&self.pool, &self.place.name, cell, base)).await;
            support::quiet(&self.pool).await;
            self.judge(cell, expected.told, &answer, base, wrong).await;
            if works_first {
                self.work(base, wrong).await;
            }
            let now = look(&self.place, &self.pool).await;
            let is_new = self.pool.stats().opened != opened;
            let mut left = now.difference(&self.new, &self.volatile);
            if !left.is_empty() && to_be_left.is_empty() {
                // Somebody else may have changed the server's own settings meanwhile.
                self.new = look(&self.place, &pool(&self.place).await).await;
                left = now.difference(&self.new, &self.volatile);
            }
            left.extend(self.beside().await);
            left.sort();
            if (is_new, left.iter().map(String::as_str).collect::<Vec<_>>()) != (to_be_new, to_be_left.to_vec()) {
                let whose = if is_new { "another" } else { "the same" };
                wrong.push(format!("was to be {:?}, and is {whose} connection, on which differs {left:?}: {}", expected.after, now.tell(&self.new, &left)));
            }
            if !to_be_left.is_empty() {
                self.front.report.count("known limits", 1);
                self.pool.close().await;
                self.pool = pool(&self.place).await;
            }
            if !works_first {
                self.work(base, wrong).await;
            }
            sqlx::raw_sql("DELETE FROM notes").execute(&self.place.plain).await.unwrap();
        }

        /// Compares what the sender was told with what the table says, and with what is there.
        async fn judge(&self, cell: Cell, told: Told, answer: &Answer, base: i64, wrong: &mut Vec<String>) {
            let left: Vec<i64> = sqlx::query_scalar(sql("SELECT id FROM notes WHERE id > $1 ORDER BY id"))
                .bind(base).fetch_all(&self.place.plain).await.unwrap();
            let what = format!("{answer:?}, rows {left:?} of {base}");
            let is_session = !matches!(cell.door, Door::Lease | Door::Pool);
            let outcome = answer.ended.as_ref().map(|ended| ended.as_ref().map_err(Error::outcome).copied());
            let is_true = match outcome {
                None => !is_session || told == Unknown || left.is_empty(),
                Some(Ok(())) if cell.end == End::GiveUp => left.is_empty(),
                Some(Ok(())) => left == answer.acknowledged,
                Some(Err(Outcome::Unknown)) => true,
                Some(Err(Outcome::Committed)) => false,
                Some(Err(_)) => !is_session || left.is_empty(),
            };
            if !is_true {
                wrong.push(format!("a lie: {what}"));
            }
            let is_refused = answer.refused == cell.poison.commands();
            let is_as_told = match (told, outcome) {
                (Refused, _) if !is_refused => false,
                (Kept | RolledBack | Unknown, _) if answer.refused > 0 => false,
                (_, None) => true,
                (Unknown, Some(ended)) => ended == Err(Outcome::Unknown),
                (RolledBack, Some(ended)) if cell.end == End::Keep => {
                    matches!(ended, Err(Outcome::RolledBack | Outcome::NotSent))
                }
                // What gives up has an error of its own, or none.
                (_, Some(ended)) if cell.end == End::GiveUp => {
                    matches!(ended, Ok(()) | Err(Outcome::RolledBack | Outcome::NotSent))
                }
                (_, Some(ended)) => ended == Ok(()),
            };
            if !is_as_told {
                wrong.push(format!("its sender was to hear {told:?}, and hears {what}"));
            }
        }

        /// The next user's work: what is acknowledged is there, what is rolled back is not.
        async fn work(&self, base: i64, wrong: &mut Vec<String>) {
            let mut complain = |what: &str, error: Option<Error>| {
                wrong.push(format!("the next user: {what}: {error:?}"));
            };
            if let Err(error) = insert(&self.pool, base + 5).await {
                complain("a statement", Some(error.into()));
            }
            let kept = self.pool.session("poison::next", async |session| Ok::<_, Error>(note(session, base + 6).await?)).await;
            if let Err(error) = kept {
                complain("a session", Some(error));
            }
            let undone = async {
                let mut session = self.pool.begin().await?;
                note(&mut session, base + 7).await?;
                session.rollback().await
            };
            if let Err(error) = undone.await {
                complain("a rollback", Some(error));
            }
            let left: Vec<i64> = sqlx::query_scalar(sql("SELECT id FROM notes WHERE id >= $1 ORDER BY id"))
                .bind(base + 5).fetch_all(&self.place.plain).await.unwrap();
            if left != [base + 5, base + 6] {
                complain(&format!("of {base} it has left {left:?}"), None);
            }
        }

        /// What is left on the server, and not on the connection; taken away.
        async fn beside(&self) -> Vec<String> {
            let mut left = Place::beside(&self.place).await;
            let is_over = timeout(PATIENCE, async {
                while self.place.open_transactions().await != 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            });
            if is_over.await.is_err() {
                left.push("open transactions".to_owned());
            }
            left
        }
    }

    async fn pool(place: &Place) -> Pool {
        Pool::builder().primary(&place.url).max_connections(1).connect().await.unwrap()
    }

    /// Everything about the connection that the next user of a pool gets.
    async fn look(place: &Place, pool: &Pool) -> State {
        let mut lease = pool.acquire().await.unwrap();
        lease.state(&place.name).await
    }
}
