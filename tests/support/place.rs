//! What a place is like on every database.

/// What stands in each of them. MySQL has no unique `TEXT`.
pub fn tables(text: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!(
        "CREATE TABLE accounts (id BIGINT PRIMARY KEY, cents BIGINT NOT NULL CHECK (cents >= 0));
         INSERT INTO accounts VALUES (0, 1000), (1, 1000), (2, 1000), (3, 1000), (4, 1000),
                                     (5, 1000), (6, 1000), (7, 1000), (8, 1000), (9, 1000);
         CREATE TABLE notes (id BIGINT PRIMARY KEY, body {text} NOT NULL, CONSTRAINT notes_body_key UNIQUE (body));"
    ))
}

/// Writes what `Place` offers in a module that has a `Place`, `Session`, `Pool` and `sql`, and the statements
/// that behaviours are shown with.
macro_rules! place {
    () => {
        impl Place {
            pub async fn pool(&self, max: u32) -> Pool {
                self.builder(max).connect().await.unwrap()
            }

            pub async fn count(&self, table: &str) -> i64 {
                sqlx::query_scalar(sql(&format!("SELECT count(*) FROM {table}")))
                    .fetch_one(&self.plain)
                    .await
                    .unwrap()
            }

            pub async fn cents(&self, id: i64) -> i64 {
                sqlx::query_scalar(sql("SELECT cents FROM accounts WHERE id = $1"))
                    .bind(id)
                    .fetch_one(&self.plain)
                    .await
                    .unwrap()
            }

            pub async fn total(&self) -> i64 {
                let all: Vec<i64> = sqlx::query_scalar("SELECT cents FROM accounts")
                    .fetch_all(&self.plain)
                    .await
                    .unwrap();
                all.iter().sum()
            }

            /// The ids of all notes, in order.
            pub async fn notes(&self) -> Vec<i64> {
                sqlx::query_scalar("SELECT id FROM notes ORDER BY id")
                    .fetch_all(&self.plain)
                    .await
                    .unwrap()
            }

            /// Waits until so many are open on the server, on connections of this place's pools.
            pub async fn has_open(&self, transactions: i64) {
                super::eventually("so many transactions are open", || async {
                    self.open_transactions().await == transactions
                })
                .await;
            }

            /// Waits until `SLOW` runs.
            pub async fn slow_is_running(&self) {
                super::eventually("the slow statement runs", || self.runs_slow()).await;
            }
        }

        pub async fn pay(session: &mut Session, id: i64, cents: i64) -> sqlx::Result<()> {
            sqlx::query(sql("UPDATE accounts SET cents = cents + $1 WHERE id = $2"))
                .bind(cents)
                .bind(id)
                .execute(&mut *session)
                .await?;
            Ok(())
        }

        pub async fn note(session: &mut Session, id: i64) -> sqlx::Result<()> {
            insert(&mut *session, id).await
        }

        /// The same by whatever executes.
        pub async fn insert(
            executor: impl sqlx::Executor<'_, Database = Db>,
            id: i64,
        ) -> sqlx::Result<()> {
            sqlx::query(sql("INSERT INTO notes (id, body) VALUES ($1, $2)"))
                .bind(id)
                .bind(format!("note {id}"))
                .execute(executor)
                .await?;
            Ok(())
        }
    };
}

/// As `place!`, for what only a server has.
macro_rules! server_place {
    ($url:literal) => {
        place!();

        /// The server that the tests share.
        pub fn server_url() -> String {
            std::env::var($url).expect(concat!(
                "run the tests with `cargo xtask test`: ",
                $url,
                " is not set"
            ))
        }

        impl Place {
            pub async fn new() -> Self {
                Self::on(&server_url()).await
            }

            pub fn builder(&self, max: u32) -> steadfast::PoolBuilder<Db> {
                Pool::builder().primary(&self.url).max_connections(max)
            }

            /// A pool whose connections go through a proxy.
            pub async fn behind_proxy(&self, max: u32) -> (xtask::proxy::Proxy, Pool) {
                let proxy = xtask::proxy::Proxy::before(&self.url).unwrap();
                let builder = Pool::builder().primary(proxy.url()).max_connections(max);
                (proxy, builder.connect().await.unwrap())
            }
        }
    };
}
