//! What the calls stand on, and what of it they hold.

/// Writes `Ground` in a module of `each_database!`.
macro_rules! ground {
    () => {
        #[derive(Clone, Copy)]
        enum Look {
            /// At what a call holds that has not ended.
            Brief,
            Thorough,
            /// At the server alone, through a connection of its own.
            Last,
        }

        struct Ground {
            front: Front,
            server: Server,
            place: Place,
            proxy: Option<Proxy>,
            /// Nothing is done to its connections that ends them on purpose.
            kept: Pool,
            /// Behind the proxy, where there is one.
            rough: Pool,
            /// Held by every hook.
            hooks: Arc<()>,
            next: AtomicUsize,
            /// Wires that a statement has cut.
            cut: AtomicU64,
        }

        impl Ground {
            async fn new(front: Front, server: Server, place: Place, proxy: Option<Proxy>) -> Self {
                let kept = place.builder(CONNECTIONS);
                let rough = match &proxy {
                    Some(proxy) => Pool::builder()
                        .primary(proxy.url())
                        .max_connections(CONNECTIONS),
                    None => place.builder(CONNECTIONS),
                };
                // Not by `install`, which a planted bug would stop.
                sqlx::raw_sql(Pool::SCHEMA)
                    .execute(&place.plain)
                    .await
                    .unwrap();
                let open = async |builder: steadfast::PoolBuilder<Db>| {
                    builder
                        .retry_budget(RetryBudget::unlimited())
                        .connect()
                        .await
                        .unwrap()
                };
                let (kept, rough) = (open(kept).await, open(rough).await);
                Self {
                    front,
                    server,
                    place,
                    proxy,
                    kept,
                    rough,
                    hooks: Arc::default(),
                    next: AtomicUsize::new(0),
                    cut: AtomicU64::new(0),
                }
            }

            fn pool(&self, job: Job) -> &Pool {
                if job.is_rough {
                    &self.rough
                } else {
                    &self.kept
                }
            }

            fn hook(&self) -> Arc<()> {
                Arc::clone(&self.hooks)
            }

            fn lose_next_answer(&self) {
                if let Some(proxy) = &self.proxy {
                    proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
                }
            }

            async fn expect_back(
                &self,
                look: Look,
                before: &Holdings,
                room: &Holdings,
                when: &str,
            ) -> Holdings {
                let (held, beyond) = self.beyond(look, before, room).await;
                if let Some(beyond) = beyond {
                    self.front
                        .violation(format_args!("{PATIENCE:?} {when} there are {beyond}"));
                }
                held
            }

            /// What is held in the end, and what of it does not come back to what it was.
            async fn beyond(
                &self,
                look: Look,
                before: &Holdings,
                room: &Holdings,
            ) -> (Holdings, Option<String>) {
                let until = Instant::now() + PATIENCE;
                loop {
                    let held = match look {
                        Look::Brief => self.open().await,
                        Look::Thorough => self.holdings().await,
                        Look::Last => Holdings {
                            prepared_by_all: self.prepared_by_all().await,
                            ..Holdings::none()
                        },
                    };
                    let beyond = held.beyond(before, room);
                    if beyond.is_none() || Instant::now() >= until {
                        return (held, beyond);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }

            /// What a call holds that has not ended.
            async fn open(&self) -> Holdings {
                Holdings {
                    transactions: usize::try_from(self.place.open_transactions().await).unwrap(),
                    slots: self.slots(),
                    hooks: Arc::strong_count(&self.hooks) - 1,
                    ..Holdings::none()
                }
            }

            /// With every connection open that there may be.
            async fn holdings(&self) -> Holdings {
                let pools = [&self.kept, &self.rough];
                let open: Vec<_> = pools.into_iter().filter(|pool| !pool.is_closed()).collect();
                let full = fill(&open, &self.place).await.unwrap_or_else(|error| {
                    self.front.violation(format_args!(
                        "{PATIENCE:?} behind the last call the pools serve nobody: {error}"
                    ));
                    Full::default()
                });
                Holdings {
                    connections: full.connections,
                    tasks: full.tasks,
                    prepared: full.prepared,
                    handles: process::handles(),
                    prepared_by_all: self.prepared_by_all().await,
                    resident: process::resident(),
                    ..self.open().await
                }
            }

            async fn prepared_by_all(&self) -> usize {
                Place::prepared(&self.server).await.unwrap_or_default()
            }

            fn slots(&self) -> usize {
                let taken = [&self.kept, &self.rough].map(|pool| {
                    let stats = pool.stats();
                    stats.in_use + stats.waiting + stats.reaping + pool.sessions().len()
                });
                taken.into_iter().sum()
            }
        }
    };
}
pub(super) use ground;
