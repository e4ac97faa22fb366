//! What no statement says: sessions that are exchanged for each other, and tables that change under statements which a
//! connection has prepared.

/// Writes `deeds` in a module of `each_database!`.
macro_rules! deeds {
    () => {
        async fn deeds(front: &Front, server: &Server) {
            let place = Place::place(server).await;
            let pool = Pool::builder().primary(&place.url).max_connections(2).connect().await.unwrap();
            let new = look(&place, &self::pool(&place).await).await;
            let other = look(&place, &self::pool(&place).await).await;
            let volatile: BTreeSet<String> = new.difference(&other, &BTreeSet::new()).into_iter().collect();
            let mut chance = front.settings.chance(("poison", NAME, "deeds"));
            let swaps = some(Swap::ALL, front, &mut chance);
            let doors = some([Door::Function, Door::ByHand, Door::Raw, Door::Lease, Door::Pool], front, &mut chance);
            front.report.expect("swaps", swaps.len() as u64);
            front.report.expect("changed tables", (doors.len() * CHANGES.len()) as u64);
            for swap in swaps {
                let mut wrong = Vec::new();
                if timeout(PATIENCE, Box::pin(try_swap(&place, &pool, swap, &mut wrong))).await.is_err() {
                    wrong.push("it has no end".to_owned());
                }
                support::quiet(&pool).await;
                // Both of its connections.
                let (mut one, mut two) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
                for lease in [&mut one, &mut two] {
                    let now = lease.state(&place.name).await;
                    let left = now.difference(&new, &volatile);
                    if !left.is_empty() {
                        wrong.push(format!("the next user finds {}", now.tell(&new, &left)));
                    }
                }
                drop((one, two));
                support::quiet(&pool).await;
                sqlx::raw_sql("DELETE FROM notes").execute(&place.plain).await.unwrap();
                for what in wrong {
                    front.violation(format_args!("swap, {swap:?}: {what}"));
                }
                front.report.count("swaps", 1);
            }
            if NAME == "postgres" && timeout(PATIENCE, Box::pin(change_path(front, &place))).await.is_err() {
                front.violation("another search path: it has no end");
            }
            for door in doors {
                if timeout(PATIENCE * 2, Box::pin(change_table(front, &place, door))).await.is_err() {
                    front.violation(format_args!("a changed table, {door:?}: it has no end"));
                }
            }
        }

        /// All of them; one in the short form.
        fn some<T, const N: usize>(all: [T; N], front: &Front, chance: &mut fastrand::Rng) -> Vec<T> {
            if front.settings.short {
                chance.choice(all).into_iter().collect()
            } else {
                all.into()
            }
        }

        /// `mem::swap` of two sessions.
        #[derive(Clone, Copy, Debug)]
        enum Swap {
            /// A call's, for one by hand.
            WithOneByHand,
            /// Two calls'.
            OfTwoCalls,
            /// In a nested call, for one by hand.
            InNestedCall,
            /// Two by hand: their holder may do that.
            ByHand,
        }

        impl Swap {
            const ALL: [Self; 4] = [Self::WithOneByHand, Self::OfTwoCalls, Self::InNestedCall, Self::ByHand];
        }

        #[with_session]
        async fn swaps(session: &mut Session, id: i64, other: &tokio::sync::Mutex<Session>) -> Result<(), Error> {
            note(session, id).await?;
            std::mem::swap(session, &mut *other.lock().await);
            Ok(())
        }

        async fn try_swap(place: &Place, pool: &Pool, swap: Swap, wrong: &mut Vec<String>) {
            let other = tokio::sync::Mutex::new(pool.begin().await.unwrap());
            let mut told: Vec<Result<(), Error>> = Vec::new();
            match swap {
                Swap::WithOneByHand => told.push(swaps(pool, 1, &other).await),
                Swap::OfTwoCalls => {
                    let mut inner = Ok(());
                    let outer = pool.session("poison::outer", async |one| {
                        note(one, 1).await?;
                        inner = pool.session("poison::inner", async |two| {
                            std::mem::swap(one, two);
                            Ok(())
                        }).await;
                        Ok(())
                    });
                    told.push(outer.await);
                    told.push(inner);
                }
                Swap::InNestedCall => {
                    let mut inner = Ok(());
                    let outer = pool.session("poison::outer", async |session| {
                        note(session, 1).await?;
                        inner = swaps(&mut *session, 2, &other).await;
                        Ok(())
                    });
                    told.push(outer.await);
                    told.push(inner);
                }
                Swap::ByHand => {
                    let mut own = pool.begin().await.unwrap();
                    note(&mut own, 1).await.unwrap();
                    std::mem::swap(&mut own, &mut *other.lock().await);
                    told.push(own.rollback().await);
                }
            }
            if !place.notes().await.is_empty() {
                wrong.push(format!("rows {:?} were committed by somebody else", place.notes().await));
            }
            let is_told = |told: &Result<(), Error>| {
                let error = told.as_ref().err();
                error.is_some_and(|error| (error.category(), error.outcome()) == (Category::Programming, Outcome::Unknown))
            };
            let is_well = match swap {
                Swap::ByHand => told.iter().all(Result::is_ok),
                _ => told.iter().all(is_told),
            };
            if !is_well {
                wrong.push(format!("it was told {told:?}"));
            }
            let ended = other.into_inner().commit().await;
            let (is_kept, left) = (ended.is_ok(), place.notes().await);
            let may_keep = match swap {
                Swap::WithOneByHand | Swap::ByHand => vec![1],
                // Nothing is in it; or a nested call that never ended.
                Swap::OfTwoCalls | Swap::InNestedCall => Vec::new(),
            };
            if left != may_keep || is_kept != !matches!(swap, Swap::InNestedCall) {
                wrong.push(format!("its holder was told {ended:?}, and rows {left:?} are there"));
            }
        }

        const ALL_ACCOUNTS: &str = "SELECT * FROM accounts ORDER BY id";

        #[with_session]
        #[retry(immediate, max = 3)]
        async fn reads_accounts(session: &mut Session) -> Result<Vec<(i64, i64)>, Error> {
            Ok(sqlx::query_as(ALL_ACCOUNTS).fetch_all(&mut *session).await?)
        }

        /// Prepares a statement where its names mean something else, for the length of one transaction.
        async fn change_path(front: &Front, place: &Place) {
            let setup = setup(front.database).replace("<here>", &place.name);
            sqlx::raw_sql(sqlx::AssertSqlSafe(setup)).execute(&place.plain).await.unwrap();
            let aside = format!("SET LOCAL search_path = {}_aside", place.name);
            let aside = || sqlx::raw_sql(sqlx::AssertSqlSafe(aside.clone()));
            for door in [Door::ByHand, Door::Raw, Door::Lease] {
                // On which nothing is prepared.
                let pool = self::pool(place).await;
                if door == Door::Lease {
                    let mut lease = pool.acquire().await.unwrap();
                    let mut transaction = sqlx::Connection::begin(&mut *lease).await.unwrap();
                    aside().execute(&mut *transaction).await.unwrap();
                    sqlx::query(ALL_ACCOUNTS).fetch_all(&mut *transaction).await.unwrap();
                    transaction.commit().await.unwrap();
                    pool.release(lease).await.unwrap();
                } else {
                    let mut session = pool.begin().await.unwrap();
                    aside().execute(&mut session).await.unwrap();
                    if door == Door::Raw {
                        let lent = session.raw().await.unwrap();
                        sqlx::query(ALL_ACCOUNTS).fetch_all(lent).await.unwrap();
                    } else {
                        sqlx::query(ALL_ACCOUNTS).fetch_all(&mut session).await.unwrap();
                    }
                    session.commit().await.unwrap();
                }
                let next = reads_accounts(&pool).await;
                if next.as_ref().map(Vec::len).ok() != Some(10) {
                    front.violation(format_args!("another search path, {door:?}: the next user reads {next:?}"));
                }
                front.report.count("changed tables", 1);
            }
        }

        const CHANGES: [&str; 4] = [
            "ALTER TABLE shape ADD COLUMN more BIGINT",
            "ALTER TABLE shape DROP COLUMN id",
            "ALTER TABLE shape RENAME COLUMN more TO less",
            "DROP TABLE shape; CREATE TABLE shape (less BIGINT, id BIGINT, value BIGINT); INSERT INTO shape VALUES (1, 2, 7)",
        ];

        const ALL_OF_SHAPE: &str = "SELECT * FROM shape";

        /// Under the names that it has.
        fn shape(row: &<Db as sqlx::Database>::Row) -> String {
            use sqlx::Row as _;
            let names: Vec<&str> = row.columns().iter().map(sqlx::Column::name).collect();
            let value: Result<i64, _> = row.try_get("value");
            format!("{} {value:?}", names.join(" "))
        }

        async fn read_shape(executor: impl sqlx::Executor<'_, Database = Db>) -> sqlx::Result<String> {
            Ok(shape(&sqlx::query(ALL_OF_SHAPE).fetch_one(executor).await?))
        }

        #[with_session]
        #[retry(immediate, max = 3)]
        async fn reads_shape(session: &mut Session) -> Result<String, Error> {
            Ok(read_shape(&mut *session).await?)
        }

        /// Prepares a statement through one door, changes the table that it reads, and has others read it.
        async fn change_table(front: &Front, place: &Place, door: Door) {
            let pool = self::pool(place).await;
            let execute = async |text: &str| {
                sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&place.plain).await.unwrap();
            };
            execute("DROP TABLE IF EXISTS shape; CREATE TABLE shape (id BIGINT, value BIGINT); INSERT INTO shape VALUES (1, 7)").await;
            let mut before = "id value Ok(7)".to_owned();
            for change in CHANGES {
                let first = match door {
                    Door::Raw => {
                        let mut session = pool.begin().await.unwrap();
                        let read = read_shape(session.raw().await.unwrap()).await;
                        session.commit().await.unwrap();
                        read.map_err(Error::from)
                    }
                    Door::Lease => {
                        let mut lease = pool.acquire().await.unwrap();
                        let read = read_shape(&mut *lease).await;
                        pool.release(lease).await.unwrap();
                        read.map_err(Error::from)
                    }
                    Door::Pool => read_shape(&pool).await.map_err(Error::from),
                    Door::ByHand => {
                        let mut session = pool.begin().await.unwrap();
                        let read = read_shape(&mut session).await;
                        session.commit().await.unwrap();
                        read.map_err(Error::from)
                    }
                    _ => reads_shape(&pool).await,
                };
                if first.as_ref().ok() != Some(&before) {
                    front.violation(format_args!("a changed table, {door:?}: reads {first:?} and not {before}"));
                }
                execute(change).await;
                // By somebody who has nothing prepared.
                let mut direct = <Connection as sqlx::Connection>::connect(&place.url).await.unwrap();
                before = read_shape(&mut direct).await.unwrap();
                sqlx::Connection::close(direct).await.unwrap();
                let next = reads_shape(&pool).await;
                if next.as_ref().ok() != Some(&before) {
                    front.violation(format_args!("a changed table, {door:?}: behind {change} the next user reads {next:?} and not {before}"));
                }
                front.report.count("changed tables", 1);
            }
        }
    };
}
pub(super) use deeds;
