//! What runs side by side, in the words of each database.

/// Writes it in a module of `each_server!`, or one like it.
macro_rules! lanes {
    () => {
        use crate::history::{ALLOWED, CONNECTIONS, LANES};
        use crate::campaign::Front;
        use crate::course::Course;
        use crate::door::Door;
        use crate::history::check::{Lists, check};
        use crate::history::guarantee::Guarantee;
        use crate::history::plan::{self, Plan, Touch};
        use crate::history::scribe::{Attempt, Call, Scribe, fate};
        use crate::history::transaction::{Fate, Step, Value};
        use futures_util::future::join_all;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicI64, Ordering};
        use steadfast::{Error, Isolation, RetryPolicy, with_session};

        const RETRIED: RetryPolicy = RetryPolicy::exponential().max(4);

        const APPEND: &str = match NAME.as_bytes() {
            b"mysql" => "UPDATE lists SET elements = CONCAT(elements, $1) WHERE id = $2",
            _ => "UPDATE lists SET elements = elements || $1 WHERE id = $2",
        };

        /// One level on one place.
        struct Work {
            front: Front,
            level: Isolation,
            place: Place,
            /// Of connections that have this level by themselves, and of those that are to be asked for it.
            pool: Pool,
            asked: Pool,
            scribe: Scribe,
            /// Calls that are still to be made.
            left: AtomicI64,
        }

        impl Work {
            fn new(front: &Front, level: Isolation, place: Place, [pool, asked]: [Pool; 2], calls: i64) -> Arc<Self> {
                Arc::new(Self {
                    front: front.clone(),
                    level,
                    place,
                    pool,
                    asked,
                    scribe: Scribe::default(),
                    left: AtomicI64::new(calls),
                })
            }

            fn is_over(&self) -> bool {
                self.left.load(Ordering::Relaxed) <= 0 || self.front.is_over()
            }

            /// Makes all calls, while `faults` strike; whether they all came back.
            async fn run(self: &Arc<Self>, faults: impl Future<Output = ()>) -> bool {
                let lanes = (0..LANES).map(|lane| {
                    let work = Arc::clone(self);
                    tokio::spawn(async move { work.front.watch(work.lane(lane)).await })
                });
                let lanes: Vec<_> = lanes.collect();
                let all = lanes.iter().map(tokio::task::JoinHandle::abort_handle).collect::<Vec<_>>();
                tokio::select! {
                    _ = async { tokio::join!(join_all(lanes), faults) } => true,
                    () = self.stand_still() => {
                        self.front.violation(format_args!("at {}, all calls stand still: {:?}", self.level, [self.pool.stats(), self.asked.stats()]));
                        all.iter().for_each(tokio::task::AbortHandle::abort);
                        false
                    }
                }
            }

            /// Returns when for a long time no call has come back.
            async fn stand_still(&self) {
                let mut left = i64::MAX;
                while left != self.left.load(Ordering::Relaxed) {
                    left = self.left.load(Ordering::Relaxed);
                    tokio::time::sleep(PATIENCE).await;
                }
            }

            async fn lane(&self, lane: usize) {
                let mut chance = self.front.settings.chance(("history", NAME, self.level, lane));
                while self.left.fetch_sub(1, Ordering::Relaxed) > 0 && !self.front.is_over() {
                    let plan = Plan::draw(&mut chance);
                    let call = Call::default();
                    let polls = plan.course.polls(plan.after);
                    match drop_at_poll(self.call(&plan, &call), polls).await {
                        None => self.front.report.count("dropped", 1),
                        Some(Ok(())) => self.scribe.end(&call, Fate::Committed),
                        Some(Err(error)) => self.scribe.end(&call, fate(error.outcome())),
                    }
                    self.front.report.count("transactions", 1);
                }
            }

            async fn call(&self, plan: &Plan, call: &Call) -> Result<(), Error> {
                let body = async |session: &mut Session| {
                    let attempt = self.scribe.begin(call);
                    attempt.watch(session);
                    self.carry_out(session, plan, &attempt).await
                };
                let operation = match plan.door {
                    Door::Pool => return self.alone(plan, &self.scribe.begin(call)).await,
                    Door::ByHand => {
                        let mut session = self.pool.begin().await?;
                        body(&mut session).await?;
                        return session.commit().await;
                    }
                    Door::Once if plan.is_read_only => self.asked.operation("history::read_only").read_only(),
                    Door::Once => self.asked.operation("history::once"),
                    Door::Retried => self.asked.operation("history::retried"),
                    Door::Verified => self.asked.operation("history::verified"),
                };
                let operation = operation.isolation(self.level);
                match plan.door {
                    Door::Verified => operation.retry(RETRIED.verify_commit()).run(body).await,
                    Door::Retried => operation.retry(RETRIED).run(body).await,
                    _ => operation.run(body).await,
                }
            }

            async fn carry_out(&self, session: &mut Session, plan: &Plan, attempt: &Arc<Attempt>) -> Result<(), Error> {
                let Some((last, first)) = plan.touches.split_last() else {
                    return Ok(());
                };
                for touch in first {
                    self.touch(session, *touch, attempt).await?;
                }
                match plan.course {
                    Course::Nested => nested(&mut *session, self, *last, attempt).await?,
                    Course::Undone => {
                        self.touch(session, *last, attempt).await?;
                        let _ = undone(&mut *session, self, *last).await;
                    }
                    Course::Swallows => {
                        self.touch(session, *last, attempt).await?;
                        let _ = sqlx::query("SELECT nothing FROM nowhere").execute(&mut *session).await;
                    }
                    Course::Joined => {
                        let _ = joined(&mut *session, self, *last, attempt).await;
                    }
                    _ => self.touch(session, *last, attempt).await?,
                }
                if plan.course == Course::Fails { Err(sqlx::Error::RowNotFound.into()) } else { Ok(()) }
            }

            async fn touch(&self, session: &mut Session, touch: Touch, attempt: &Attempt) -> Result<(), Error> {
                match touch {
                    Touch::Append(list) => {
                        let (key, value) = self.scribe.append(list);
                        // Noted first: if it is not there, that is seen in the end.
                        attempt.note(Step::Append(key, value));
                        let append = sqlx::query(sql(APPEND)).bind(format!("{value},")).bind(key);
                        let done = append.execute(&mut *session).await?;
                        assert_eq!(done.rows_affected(), 1, "list {key} is there");
                    }
                    Touch::Read(list) => {
                        let key = self.scribe.read(list);
                        let read = sqlx::query_scalar(sql("SELECT elements FROM lists WHERE id = $1")).bind(key);
                        let elements: String = read.fetch_one(&mut *session).await?;
                        attempt.note(Step::Read(key, parse(&elements)));
                    }
                }
                Ok(())
            }

            /// In autocommit.
            async fn alone(&self, plan: &Plan, attempt: &Attempt) -> Result<(), Error> {
                match plan.touches[0] {
                    Touch::Append(list) => {
                        let (key, value) = self.scribe.append(list);
                        attempt.note(Step::Append(key, value));
                        let append = sqlx::query(sql(APPEND)).bind(format!("{value},")).bind(key);
                        append.execute(&self.pool).await?;
                    }
                    Touch::Read(list) => {
                        let key = self.scribe.read(list);
                        let read = sqlx::query_scalar(sql("SELECT elements FROM lists WHERE id = $1")).bind(key);
                        let elements: String = read.fetch_one(&self.pool).await?;
                        attempt.note(Step::Read(key, parse(&elements)));
                    }
                }
                Ok(())
            }

            /// Holds what was written down against the lists, seen through a direct connection.
            async fn conclude(&self) {
                quiet(&self.pool).await;
                quiet(&self.asked).await;
                steadfast_tests::support::eventually("no transaction is open", || async {
                    self.place.open_transactions().await == 0
                })
                .await;
                let rows: Vec<(i64, String)> =
                    sqlx::query_as("SELECT id, elements FROM lists").fetch_all(&self.place.plain).await.unwrap();
                let lists: Lists = rows.into_iter().map(|(key, elements)| (key, parse(&elements))).collect();
                let (history, lies) = self.scribe.history();
                let guarantee = Guarantee::of(self.front.database, self.level);
                let anomalies = check(&history, &lists, guarantee);
                for what in lies.into_iter().chain(anomalies.iter().map(|anomaly| anomaly.told(&history))) {
                    self.front.violation(format_args!("at {}, {what}", self.level));
                }
                if anomalies.is_empty() {
                    // There, and allowed: the history is one that would show more.
                    let allowed = check(&history, &lists, Guarantee::STRICTEST).len();
                    self.front.report.count(ALLOWED, allowed as u64);
                }
                let fates = |fate| history.iter().filter(|transaction| transaction.fate == fate).count() as u64;
                self.front.report.count("committed", fates(Fate::Committed));
                self.front.report.count("aborted", fates(Fate::Aborted));
                self.front.report.count("unknown", fates(Fate::Unknown));
            }
        }

        /// Room for all that so many calls append.
        async fn prepare(place: &Place, calls: i64) {
            let rows: Vec<String> = (0..=plan::key(0, calls * 16)).map(|id| format!("({id}, '')")).collect();
            sqlx::raw_sql(sql(&format!(
                "CREATE TABLE lists (id BIGINT PRIMARY KEY, elements VARCHAR(4000) NOT NULL);
                 INSERT INTO lists VALUES {}",
                rows.join(", ")
            )))
            .execute(&place.plain)
            .await
            .unwrap();
            // Not by the product, in which a bug may be planted.
            sqlx::raw_sql(Pool::SCHEMA).execute(&place.plain).await.unwrap();
        }

        fn parse(elements: &str) -> Vec<Value> {
            let elements = elements.split_terminator(',');
            elements.map(|element| element.parse().unwrap()).collect()
        }

        #[with_session]
        async fn nested(session: &mut Session, work: &Work, touch: Touch, attempt: &Attempt) -> Result<(), Error> {
            work.touch(session, touch, attempt).await
        }

        #[with_session]
        async fn undone(session: &mut Session, work: &Work, touch: Touch) -> Result<(), Error> {
            work.touch(session, touch, &work.scribe.begin_in_vain()).await?;
            Err(transient())
        }

        #[with_session(nested = join)]
        async fn joined(session: &mut Session, work: &Work, touch: Touch, attempt: &Attempt) -> Result<(), Error> {
            if let Touch::Append(list) = touch {
                // It never comes to that.
                let (key, value) = work.scribe.append(list);
                attempt.note(Step::Append(key, value));
            }
            work.touch(session, Touch::Read(0), attempt).await?;
            Err(transient())
        }
    };
}
