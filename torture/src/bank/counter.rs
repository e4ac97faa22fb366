//! Where orders are carried out, in the words of each database.

/// Writes them in a module of `each_server!`, or one like it.
macro_rules! counter {
    () => {
        use crate::bank::Doubts;
        use crate::bank::books::{Deposits, tables};
        use crate::bank::order::{Order, Row, Told};
        use crate::course::Course;
        use crate::door::Door;
        use futures_util::FutureExt as _;
        use std::panic::{AssertUnwindSafe, resume_unwind};
        use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
        use std::time::Duration;
        use steadfast::{Category, Error, Isolation, Outcome, RetryPolicy, with_session};

        const RETRIED: RetryPolicy = RetryPolicy::exponential().max(6);
        const VERIFIED: RetryPolicy = RETRIED.verify_commit();

        /// What has been tried again.
        static AGAIN: AtomicU64 = AtomicU64::new(0);

        /// What had to give way to another transaction.
        static CONFLICTS: AtomicU64 = AtomicU64::new(0);

        /// A panic that is meant, and makes no noise.
        struct Meant;

        pub(super) async fn open(place: &Place) {
            sqlx::raw_sql(sql(&tables()))
                .execute(&place.plain)
                .await
                .unwrap();
            // Not by the product, in which a bug may be planted.
            sqlx::raw_sql(Pool::SCHEMA)
                .execute(&place.plain)
                .await
                .unwrap();
        }

        async fn change(session: &mut Session, (id, cents): (i64, i64)) -> Result<(), Error> {
            sqlx::query(sql("UPDATE deposits SET cents = cents + $1 WHERE id = $2"))
                .bind(cents)
                .bind(id)
                .execute(&mut *session)
                .await?;
            Ok(())
        }

        fn entry(
            order: Order,
        ) -> sqlx::query::Query<'static, Db, <Db as sqlx::Database>::Arguments> {
            let (id, from, to, cents) = order.row();
            sqlx::query(sql(
                "INSERT INTO journal (id, source, target, cents) VALUES ($1, $2, $3, $4)",
            ))
            .bind(id)
            .bind(from)
            .bind(to)
            .bind(cents)
        }

        async fn enter(session: &mut Session, order: Order) -> Result<(), Error> {
            entry(order).execute(&mut *session).await?;
            Ok(())
        }

        #[with_session]
        async fn second_half(session: &mut Session, order: Order) -> Result<(), Error> {
            let [_, second] = order.changes();
            change(&mut *session, second).await?;
            enter(&mut *session, order).await
        }

        #[with_session]
        async fn to_be_undone(session: &mut Session, order: Order) -> Result<(), Error> {
            second_half(&mut *session, order).await?;
            Err(transient())
        }

        #[with_session(nested = join)]
        async fn to_be_undone_with_all(
            session: &mut Session,
            second: (i64, i64),
        ) -> Result<(), Error> {
            change(&mut *session, second).await?;
            Err(transient())
        }

        async fn carry_out(session: &mut Session, order: Order) -> Result<(), Error> {
            AGAIN.fetch_add((session.attempt() > 1).into(), Ordering::Relaxed);
            let [first, second] = order.changes();
            change(&mut *session, first).await?;
            match order.course {
                Course::Nested => return second_half(&mut *session, order).await,
                Course::Undone => {
                    let _ = to_be_undone(&mut *session, order).await;
                }
                Course::Swallows => {
                    let _ = sqlx::query("SELECT nothing FROM nowhere")
                        .execute(&mut *session)
                        .await;
                    let _ = change(&mut *session, second).await;
                    let _ = enter(&mut *session, order).await;
                    return Ok(());
                }
                Course::Joined => {
                    let _ = to_be_undone_with_all(&mut *session, second).await;
                    return Ok(());
                }
                Course::Hasty => {
                    let paid = drop_at_poll(change(&mut *session, second), 1).await;
                    paid.transpose()?;
                    let _ = enter(&mut *session, order).await;
                    return Ok(());
                }
                _ => {}
            }
            change(&mut *session, second).await?;
            if order.course == Course::Panics {
                resume_unwind(Box::new(Meant));
            }
            enter(&mut *session, order).await?;
            if order.course == Course::Fails {
                Err(transient())
            } else {
                Ok(())
            }
        }

        async fn call(pool: &Pool, level: Option<Isolation>, order: Order) -> Result<(), Error> {
            // A body that fails in any case fails once.
            let is_tried_again = order.course != Course::Fails;
            let body = async |session: &mut Session| {
                let done = carry_out(session, order).await;
                let gave_way = |error: &Error| error.category() == Category::Conflict;
                CONFLICTS.fetch_add(done.as_ref().is_err_and(gave_way).into(), Ordering::Relaxed);
                done
            };
            let mut operation = match order.door {
                Door::ByHand => {
                    let mut session = pool.begin().await?;
                    carry_out(&mut session, order).await?;
                    return session.commit().await;
                }
                Door::Pool => {
                    entry(order).execute(pool).await?;
                    return Ok(());
                }
                Door::Once => pool.operation("bank::once"),
                Door::Retried => pool.operation("bank::retried"),
                Door::Verified => pool.operation("bank::verified"),
            };
            if let Some(level) = level {
                operation = operation.isolation(level);
            }
            if order.course == Course::Late {
                operation =
                    operation.timeout(Duration::from_millis((order.after * order.after) as u64));
            }
            match order.door {
                Door::Verified => {
                    operation
                        .retry(if is_tried_again {
                            VERIFIED
                        } else {
                            VERIFIED.max(1)
                        })
                        .run(body)
                        .await
                }
                Door::Retried if is_tried_again => operation.retry(RETRIED).run(body).await,
                _ => operation.run(body).await,
            }
        }

        /// What the customer is told, and in doubt the error that may know more later.
        async fn serve(
            pool: &Pool,
            level: Option<Isolation>,
            order: Order,
        ) -> (Told, Option<Error>) {
            let polls = order.course.polls(order.after);
            let call = AssertUnwindSafe(call(pool, level, order)).catch_unwind();
            match drop_at_poll(call, polls).await {
                None => (Told::Nothing, None),
                Some(Err(payload)) if payload.is::<Meant>() => (Told::Panicked, None),
                Some(Err(payload)) => resume_unwind(payload),
                Some(Ok(Ok(()))) => (Told::Acknowledged, None),
                Some(Ok(Err(error))) => match error.outcome() {
                    Outcome::Committed => (Told::Acknowledged, None),
                    Outcome::NotSent | Outcome::RolledBack => (Told::Refused, None),
                    Outcome::Unknown if !order.may_leave_doubt() => (Told::Groundless, None),
                    Outcome::Unknown if order.door == Door::Verified => {
                        (Told::Unresolved, Some(error))
                    }
                    Outcome::Unknown => (Told::Unknown, None),
                    other => panic!("{other:?} is no outcome that a bank knows"),
                },
            }
        }

        /// Serves one customer after the other until the bank is closed; returns what is in doubt.
        pub(super) async fn clerk(
            pool: &Pool,
            level: Option<Isolation>,
            ids: std::ops::Range<i64>,
            mut chance: fastrand::Rng,
            is_closed: &AtomicBool,
            mut begin: impl FnMut(Order),
            mut tell: impl FnMut(i64, Told),
        ) -> Doubts {
            let mut doubts = Doubts::new();
            for id in ids {
                if is_closed.load(Ordering::Relaxed) {
                    break;
                }
                let order = Order::draw(id, &mut chance);
                begin(order);
                let (told, error) = serve(pool, level, order).await;
                tell(id, told);
                doubts.extend(error.map(|error| (id, error)));
            }
            doubts
        }

        /// What the ledger says of each call in doubt.
        pub(super) async fn resolve(pool: &Pool, doubts: Doubts, mut tell: impl FnMut(i64, Told)) {
            for (id, error) in doubts {
                match error.resolve(pool).await {
                    Ok(Outcome::Committed) => tell(id, Told::Resolved(true)),
                    Ok(Outcome::RolledBack) => tell(id, Told::Resolved(false)),
                    answer => eprintln!("order {id}: {error}: the ledger answers {answer:?}"),
                }
            }
        }

        /// The journal, and what is in each account, seen through a direct connection.
        pub(super) async fn inventory(place: &Place) -> (Vec<Row>, Deposits) {
            let journal = sqlx::query_as("SELECT id, source, target, cents FROM journal");
            let balances = sqlx::query_as("SELECT id, cents FROM deposits ORDER BY id");
            (
                journal.fetch_all(&place.plain).await.unwrap(),
                balances.fetch_all(&place.plain).await.unwrap(),
            )
        }
    };
}
