//! The ways to a connection.

use steadfast::Error;

/// What came of one cell's sender.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The rows of its own whose insert was answered with `Ok`.
    pub(super) acknowledged: Vec<i64>,
    /// Statements of the poison that were refused before they were sent.
    pub(super) refused: usize,
    /// `None` where nobody was there to be told.
    pub(super) ended: Option<Result<(), Error>>,
}

impl Answer {
    /// Swallows what a statement of the poison came to.
    pub(super) fn swallow(&mut self, said: &Result<(), sqlx::Error>) {
        if let Err(sqlx::Error::AnyDriverError(_)) = said {
            self.refused += 1;
        }
    }
}

/// Writes what sends a cell's poison in a module of `each_database!`.
macro_rules! doors {
    () => {
        /// As text: not everything can be prepared. Read to its end, as there may be rows.
        async fn say(
            executor: impl sqlx::Executor<'_, Database = Db>,
            text: &str,
        ) -> sqlx::Result<()> {
            sqlx::raw_sql(sqlx::AssertSqlSafe(text))
                .fetch_all(executor)
                .await
                .map(drop)
        }

        /// A body that writes, misbehaves, writes, and swallows whatever that comes to.
        async fn misbehave(
            session: &mut Session,
            texts: &[String],
            cell: Cell,
            base: i64,
            answer: &mut Answer,
        ) {
            for id in [base + 1, base + 2] {
                if id == base + 2 {
                    for text in texts {
                        let said = match cell.door {
                            Door::Raw => match session.raw().await {
                                Ok(connection) => say(&mut *connection, text).await,
                                Err(error) => Err(error.into()),
                            },
                            _ => say(&mut *session, text).await,
                        };
                        if cell.door != Door::Raw {
                            answer.swallow(&said);
                        }
                    }
                }
                if insert(&mut *session, id).await.is_ok() {
                    answer.acknowledged.push(id);
                }
            }
        }

        #[with_session]
        async fn function(
            session: &mut Session,
            texts: &[String],
            cell: Cell,
            base: i64,
            answer: &mut Answer,
            reached: &Notify,
        ) -> Result<(), Error> {
            misbehave(session, texts, cell, base, answer).await;
            end(cell, reached).await
        }

        /// Of a body whose call ends it.
        async fn end(cell: Cell, reached: &Notify) -> Result<(), Error> {
            match cell.end {
                End::Keep => Ok(()),
                End::GiveUp => Err(sqlx::Error::RowNotFound.into()),
                End::Drop => {
                    reached.notify_one();
                    std::future::pending().await
                }
            }
        }

        async fn send(pool: &Pool, here: &str, cell: Cell, base: i64) -> Answer {
            let texts: Vec<String> = cell
                .poison
                .says
                .iter()
                .map(|text| text.replace("<here>", here))
                .collect();
            let mut answer = Answer::default();
            let reached = Notify::new();
            answer.ended = match cell.door {
                Door::Function | Door::Raw => {
                    ended(
                        function(pool, &texts, cell, base, &mut answer, &reached),
                        &reached,
                    )
                    .await
                }
                Door::Closure => {
                    let call = pool.session("poison::closure", async |session| {
                        misbehave(session, &texts, cell, base, &mut answer).await;
                        end(cell, &reached).await
                    });
                    ended(call, &reached).await
                }
                Door::ByHand => {
                    let mut session = pool.begin().await.unwrap();
                    misbehave(&mut session, &texts, cell, base, &mut answer).await;
                    match cell.end {
                        End::Keep => Some(session.commit().await),
                        End::GiveUp => Some(session.rollback().await),
                        End::Drop => None,
                    }
                }
                Door::Lease => {
                    let mut lease = pool.acquire().await.unwrap();
                    for id in [base + 1, base + 2] {
                        if id == base + 2 {
                            for text in &texts {
                                let _ = say(&mut *lease, text).await;
                            }
                        }
                        if insert(&mut *lease, id).await.is_ok() {
                            answer.acknowledged.push(id);
                        }
                    }
                    match cell.end {
                        End::Keep => Some(pool.release(lease).await),
                        _ => None,
                    }
                }
                Door::Pool => {
                    for id in [base + 1, base + 2] {
                        if id == base + 2 {
                            for text in &texts {
                                answer.swallow(&say(pool, text).await);
                            }
                        }
                        if insert(pool, id).await.is_ok() {
                            answer.acknowledged.push(id);
                        }
                    }
                    Some(Ok(()))
                }
            };
            answer
        }

        /// Drops a call that waits for that.
        async fn ended(
            call: impl Future<Output = Result<(), Error>>,
            reached: &Notify,
        ) -> Option<Result<(), Error>> {
            tokio::select! {
                biased;
                ended = call => Some(ended),
                () = reached.notified() => None,
            }
        }
    };
}
pub(super) use doors;
