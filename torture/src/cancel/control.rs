//! Plain sqlx at the same points: what the campaign looks for is there to be found.

macro_rules! control {
    () => {
        /// What drops lead to: PostgreSQL's driver goes on in the transaction, MySQL's waits for its packets.
        const FOUND: &str = match NAME.as_bytes() {
            b"postgres" => "transactions left open",
            _ => "slots held",
        };

        async fn plain_call(pool: &Plain, base: i64) -> sqlx::Result<()> {
            let mut transaction = pool.begin().await?;
            insert(base + 1).execute(&mut *transaction).await?;
            insert(base + 2).execute(&mut *transaction).await?;
            transaction.commit().await
        }

        /// Drops a transaction of plain sqlx at each of its polls, byte by byte, on new connections, and counts what
        /// is left.
        async fn control(front: &Front) {
            if !HAS_WIRE {
                return;
            }
            if !front.settings.is_limited() {
                front.report.expect_plain(FOUND, 1);
            }
            let lanes = (0..LANES).map(|lane| {
                let front = front.clone();
                tokio::spawn(async move { front.watch(control_lane(&front, lane)).await })
            });
            join_all(lanes.collect::<Vec<_>>()).await;
        }

        async fn control_lane(front: &Front, lane: usize) {
            let place = Place::new().await;
            let proxy = Proxy::before(&place.url).unwrap();
            for polls in (1 + lane..).step_by(LANES) {
                if front.is_over() || !control_point(front, &place, &proxy, polls).await {
                    return;
                }
            }
        }

        async fn control_point(front: &Front, place: &Place, proxy: &Proxy, polls: usize) -> bool {
            let pool = sqlx::pool::PoolOptions::<Db>::new()
                .max_connections(1)
                .connect(&proxy.url())
                .await
                .unwrap();
            let id = i64::try_from(polls).unwrap() * ROOM;
            proxy.trickle(1);
            // What it waits for may be a lock that an earlier one holds for good.
            let call = drop_at_poll(plain_call(&pool, id), polls);
            let ended = tokio::time::timeout(PATIENCE, call).await;
            proxy.trickle(0);
            let was_dropped = !matches!(ended, Ok(Some(_)));
            if was_dropped {
                front.report.count_plain("points", 1);
                let next = id + ROOM - 1;
                let write = insert(next).execute(&pool);
                let heir = Heir::of(&tokio::time::timeout(ENOUGH, write).await);
                let is_there = left(place, id).await.contains(&next);
                heir.count(
                    &front.report,
                    is_there,
                    place.open_transactions().await != 0,
                );
            }
            drop(pool);
            // What it has left open must not hold up the next point.
            proxy.cut();
            assert!(holds(|| async { place.open_transactions().await == 0 }).await);
            was_dropped
        }
    };
}
pub(super) use control;
