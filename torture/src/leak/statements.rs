//! Statements that are prepared.

/// Writes `fill` in a module of `each_database!`.
macro_rules! statements {
    () => {
        /// How many statements are prepared on the connection that is asked. On SQLite they are a part of our memory.
        const PREPARED: &str = match NAME.as_bytes() {
            b"postgres" => "SELECT count(*) FROM pg_prepared_statements",
            b"mysql" => "SELECT CAST(SUM(IF(variable_name = 'Com_stmt_prepare', 1, -1) * variable_value) AS SIGNED)
                FROM information_schema.session_status WHERE variable_name IN ('Com_stmt_prepare', 'Com_stmt_close')",
            _ => "SELECT 0",
        };

        /// What is seen while every connection of the pools is open.
        #[derive(Default)]
        struct Full {
            /// The most that are prepared on one of them.
            prepared: usize,
            connections: usize,
            tasks: usize,
        }

        /// Opens all connections of these pools, and looks.
        async fn fill(pools: &[&Pool], place: &Place) -> Result<Full, Error> {
            let until = Instant::now() + PATIENCE;
            loop {
                match look(pools, place).await {
                    // A connection that was cut while nobody used it.
                    Err(_) if Instant::now() < until => {}
                    answer => return answer,
                }
            }
        }

        async fn look(pools: &[&Pool], place: &Place) -> Result<Full, Error> {
            let mut leases = Vec::new();
            for pool in pools {
                for _ in 0..CONNECTIONS {
                    leases.push((pool, pool.acquire().await?));
                }
            }
            // Each connection has a task, and one that is given back may be closed. Counted ahead of the question to the
            // server: plain sqlx gives the connection that was asked back in a task.
            let tasks = Handle::current().metrics().num_alive_tasks();
            let mut full = Full {
                prepared: 0,
                connections: usize::try_from(place.connections().await).unwrap(),
                tasks,
            };
            for (pool, mut lease) in leases {
                let prepared: i64 = sqlx::raw_sql(PREPARED).fetch_one(&mut *lease).await?.try_get(0)?;
                full.prepared = full.prepared.max(usize::try_from(prepared).unwrap_or(0));
                pool.release(lease).await?;
            }
            Ok(full)
        }
    };
}
pub(super) use statements;
