//! Plain sqlx with the same rows.

/// Writes `control` in a module of `each_database!`.
macro_rules! control {
    () => {
        /// What of the table reaches the next user of a plain connection, and what its sender is told of a transaction.
        async fn control(front: &Front, server: &Server) {
            // In the short form there are few rows.
            let at_least = if front.settings.short { 0 } else { 1 };
            front.report.expect_plain("reach the next user", at_least);
            let place = Place::place(server).await;
            let setup = setup(front.database).replace("<here>", &place.name);
            sqlx::raw_sql(sqlx::AssertSqlSafe(setup))
                .execute(&place.plain)
                .await
                .unwrap();
            let most = if front.settings.short { 4 } else { ROWS.len() };
            for row in ROWS.iter().take(most) {
                let On::Has(poison) = (row.on)(front.database) else {
                    continue;
                };
                // As nobody knows what it does to a connection, each has its own.
                let tried = timeout(PATIENCE, Box::pin(suffer(&place, poison.says))).await;
                let (is_left, is_lie) = tried.unwrap_or((true, false));
                front.report.count_plain("rows", 1);
                front
                    .report
                    .count_plain("reach the next user", u64::from(is_left));
                front.report.count_plain("false answers", u64::from(is_lie));
                Place::beside(&place).await;
                sqlx::raw_sql("DELETE FROM notes")
                    .execute(&place.plain)
                    .await
                    .unwrap();
            }
        }

        /// Whether something of it is left, and whether COMMIT or ROLLBACK lies.
        async fn suffer(place: &Place, says: &[&str]) -> (bool, bool) {
            let new = plain(place).await;
            let (mut one, mut two) = (
                new.acquire().await.unwrap(),
                plain(place).await.acquire().await.unwrap(),
            );
            let clean = one.state(&place.name).await;
            let volatile: BTreeSet<String> = clean
                .difference(&two.state(&place.name).await, &BTreeSet::new())
                .into_iter()
                .collect();
            drop((one, two));
            let pool = plain(place).await;
            let mut is_lie = false;
            for (base, commits) in [(0, true), (10, false)] {
                let mut transaction = pool.begin().await.unwrap();
                let mut acknowledged = Vec::new();
                for id in [base + 1, base + 2] {
                    if id == base + 2 {
                        for text in says {
                            let _ =
                                say(&mut *transaction, &text.replace("<here>", &place.name)).await;
                        }
                    }
                    if insert(&mut *transaction, id).await.is_ok() {
                        acknowledged.push(id);
                    }
                }
                let ended = if commits {
                    transaction.commit().await
                } else {
                    transaction.rollback().await
                };
                let left: Vec<i64> =
                    sqlx::query_scalar(sql("SELECT id FROM notes WHERE id > $1 ORDER BY id"))
                        .bind(base)
                        .fetch_all(&place.plain)
                        .await
                        .unwrap();
                let is_true = if commits {
                    left == acknowledged
                } else {
                    left.is_empty()
                };
                is_lie |= ended.is_ok() && !is_true;
            }
            let mut next = pool.acquire().await.unwrap();
            let now = next.state(&place.name).await;
            (!now.difference(&clean, &volatile).is_empty(), is_lie)
        }

        async fn plain(place: &Place) -> sqlx::Pool<Db> {
            sqlx::pool::PoolOptions::new()
                .max_connections(1)
                .connect(&place.url)
                .await
                .unwrap()
        }
    };
}
pub(super) use control;
