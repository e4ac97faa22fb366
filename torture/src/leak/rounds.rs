//! One call after the other, and a look at what a round of them has left.

/// Writes `Ground::phase` in a module of `each_database!`.
macro_rules! rounds {
    () => {
        impl Ground {
            /// So many calls; `false` where it makes no sense to go on.
            async fn phase(self: &Arc<Self>, calls: usize) -> bool {
                let before = self.front.report.violations();
                let first = self.next.load(Ordering::Relaxed);
                for round in (first..first + calls).step_by(ROUND) {
                    let end = (round + ROUND).min(first + calls);
                    let lanes = (0..LANES).map(|_| {
                        let ground = Arc::clone(self);
                        tokio::spawn(async move { ground.front.watch(ground.take(end)).await })
                    });
                    join_all(lanes.collect::<Vec<_>>()).await;
                    self.next.store(end, Ordering::Relaxed);
                    self.tidy().await;
                    if self.front.report.violations() > before {
                        return false;
                    }
                }
                true
            }

            /// Makes one call after the other, up to the `end` of the round.
            async fn take(&self, end: usize) {
                loop {
                    let number = self.next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return;
                    }
                    let mut chance = self.front.settings.chance(("leak", NAME, number));
                    let id = i64::try_from(number).unwrap() * ROWS;
                    self.run(Job::draw(number, id, HAS_SERVER, &mut chance))
                        .await;
                }
            }

            async fn run(&self, job: Job) {
                let call = AssertUnwindSafe(call(self, job)).catch_unwind();
                let has_deadline = job.kind.takes_a_session() || job.kind == Kind::Savepoint;
                let ended = match job.fate {
                    Fate::Late if !has_deadline => tokio::time::timeout(LATE, call).await.ok(),
                    Fate::Dropped(polls) => drop_at_poll(call, polls).await,
                    _ => Some(call.await),
                };
                let count = || self.front.report.count(job.fate.name(), 1);
                match ended {
                    None => count(),
                    Some(Err(_payload)) if job.fate == Fate::Panics => count(),
                    Some(Err(payload)) => std::panic::resume_unwind(payload),
                    Some(Ok(Err(error)))
                        if job.fate == Fate::Late && error.category() == Category::Timeout =>
                    {
                        count()
                    }
                    Some(Ok(Ok(_))) if job.fate == Fate::Well => count(),
                    Some(Ok(_)) => {}
                }
            }

            /// Looks at what the calls of a round have left open, and makes room for the next.
            async fn tidy(&self) {
                if let (_, Some(open)) = self
                    .beyond(Look::Brief, &Holdings::none(), &Holdings::none())
                    .await
                {
                    return self.front.violation(format_args!(
                        "{PATIENCE:?} behind the last call of a round there are {open}"
                    ));
                }
                sqlx::query("DELETE FROM notes")
                    .execute(&self.place.plain)
                    .await
                    .unwrap();
                if let Some(proxy) = &self.proxy {
                    proxy.reset();
                }
            }
        }
    };
}
pub(super) use rounds;
