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

        /// Opens all connections of a pool, and asks each how many statements are prepared on it.
        async fn fill(pool: &Pool) -> usize {
            let until = Instant::now() + PATIENCE;
            loop {
                match ask(pool).await {
                    Ok(most) => return most,
                    // A connection that was cut while nobody used it.
                    Err(_) if Instant::now() < until => {}
                    Err(error) => panic!("the pool has no connections: {error}"),
                }
            }
        }

        async fn ask(pool: &Pool) -> Result<usize, Error> {
            let mut leases = Vec::new();
            for _ in 0..CONNECTIONS {
                leases.push(pool.acquire().await?);
            }
            let mut most = 0;
            for mut lease in leases {
                let prepared: i64 = sqlx::raw_sql(PREPARED).fetch_one(&mut *lease).await?.try_get(0)?;
                most = most.max(usize::try_from(prepared).unwrap_or(0));
                pool.release(lease).await?;
            }
            Ok(most)
        }
    };
}
pub(super) use statements;
