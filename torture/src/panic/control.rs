//! Plain sqlx, where something else in the task of a call panics: what the campaign looks for is there to be found.

/// When it panics.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// Right behind so many polls of the call.
    Poll(usize),
    /// While a statement runs that takes long.
    Slow,
}

/// Writes `control` in a module of `each_database!`.
macro_rules! control {
    () => {
        /// On SQLite nobody sees from outside that a statement runs.
        const HAS_SLOW: bool = !matches!(NAME.as_bytes(), b"sqlite");

        /// For a second: twice as long as anybody waits.
        const NAP: &str = match NAME.as_bytes() {
            b"postgres" => "SELECT pg_sleep(1)",
            _ => "SELECT SLEEP(1)",
        };

        /// Blows up a transaction of plain sqlx at each of its polls, and where a statement takes long; counts what is
        /// left to whoever waits for the connection.
        async fn control(front: &Front) {
            if HAS_SLOW && !front.settings.is_limited() {
                front.report.expect_plain("slots held", 1);
            }
            let place = Place::new().await;
            let mut point = 1;
            while !front.is_over() && control_point(front, &place, point, Moment::Poll(point)).await
            {
                point += 1;
            }
            let slow = if HAS_SLOW { SLOW_ONES } else { 0 };
            for point in (point + 1..).take(slow) {
                if front.is_over() {
                    return;
                }
                control_point(front, &place, point, Moment::Slow).await;
            }
        }

        /// `false` if the call has ended before.
        async fn control_point(front: &Front, place: &Place, point: usize, moment: Moment) -> bool {
            let options = sqlx::pool::PoolOptions::<Db>::new().max_connections(1);
            let pool = options.connect(&place.url).await.unwrap();
            let base = i64::try_from(point).unwrap() * ROOM;
            let next = base + ROOM - 1;
            let waiting = pool.clone();
            let mut waiter = Box::pin(async move { insert(&waiting, next).await });
            let (blow, mut early) = (Blow(u64::MAX), None);
            let spark = async {
                match moment {
                    Moment::Poll(polls) => pass(polls).await,
                    Moment::Slow => place.slow_is_running().await,
                }
                // Queues for the connection.
                early = waiter.as_mut().now_or_never();
                blow.throw(Kind::Text)
            };
            let call = async {
                tokio::select! {
                    biased;
                    ended = plain_call(&pool, base, moment) => ended,
                    () = spark => Ok(()),
                }
            };
            let ended = AssertUnwindSafe(call).catch_unwind().await;
            let is_blown = ended.is_err_and(|payload| blow.is_thrown(payload.as_ref()));
            if is_blown {
                front.report.count_plain("panics", 1);
                let served = match early {
                    Some(served) => Ok(served),
                    None => timeout(ENOUGH, waiter).await,
                };
                let heir = Heir::of(&served);
                let is_there = place.notes().await.contains(&next);
                heir.count(
                    &front.report,
                    is_there,
                    place.open_transactions().await != 0,
                );
            } else {
                drop(waiter);
            }
            // What it has left open must not hold up the next point.
            drop(pool);
            place.has_open(0).await;
            is_blown
        }

        async fn plain_call(pool: &Plain, base: i64, moment: Moment) -> sqlx::Result<()> {
            let mut transaction = pool.begin().await?;
            insert(&mut *transaction, base + 1).await?;
            if matches!(moment, Moment::Slow) {
                sqlx::raw_sql(NAP).execute(&mut *transaction).await?;
            }
            insert(&mut *transaction, base + 2).await?;
            transaction.commit().await
        }

        /// Is over at its own poll of this number.
        async fn pass(polls: usize) {
            let mut polled = 0;
            let passes = std::future::poll_fn(|_| {
                polled += 1;
                if polled < polls {
                    std::task::Poll::Pending
                } else {
                    std::task::Poll::Ready(())
                }
            });
            passes.await;
        }
    };
}
pub(super) use control;
