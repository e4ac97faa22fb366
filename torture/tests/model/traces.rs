//! The same traces through the model and through the implementation, on real databases. `STEADFAST_SEED` repeats a run.

/// Drawn by chance, beside those that are given.
const TRACES: usize = 48;

each_database! {
    use std::future::pending;
    use std::panic::AssertUnwindSafe;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::Duration;
    use futures_util::{FutureExt as _, TryStreamExt as _};
    use steadfast::{Error, RetryPolicy};
    use tokio::sync::Notify;
    use xtask::proxy::{Fault, Proxy};
    use super::TRACES;
    use crate::implementation::{arm, begins, ended};
    use crate::trace::{End, Piece, Played, Trace};
    use crate::world::{Outcome, Over, Rules, Told};

    const HAS_WIRE: bool = !matches!(NAME.as_bytes(), b"sqlite");
    const OPERATION: &str = concat!(module_path!(), "::trace");
    const RULES: Rules = Rules { statements: u8::MAX, errors: u8::MAX, errors_doom: ERROR_DOOMS, plant: None, flaw: None };

    /// A model of another database, so that it says something that both come to the same.
    const ELSEWHERE: Rules = Rules { errors_doom: !ERROR_DOOMS, ..RULES };

    /// Where nothing is to be answered.
    const COMMIT_TIMEOUT: Duration = Duration::from_millis(150);

    struct Stage {
        place: Place,
        proxy: Option<Proxy>,
        pool: Pool,
        /// The row before those of the trace.
        base: i64,
        answers: Mutex<Vec<Option<bool>>>,
        /// The body has come to its end, or where it is to be dropped.
        is_there: Notify,
        /// The statement at the end runs, or was refused.
        is_at_end: AtomicBool,
    }

    impl Stage {
        async fn new() -> Self {
            let place = Place::new().await;
            let proxy = HAS_WIRE.then(|| Proxy::before(&place.url).unwrap());
            let pool = Self::pool(&place, proxy.as_ref(), None);
            Self { place, proxy, pool, base: 0, answers: Mutex::default(), is_there: Notify::new(), is_at_end: AtomicBool::new(false) }
        }

        /// With the row that `Duplicate` inserts once more, and a connection that is open.
        async fn ready() -> Self {
            let stage = Self::new().await;
            let noted = sqlx::query("INSERT INTO notes (id, body) VALUES (0, 'note 0')");
            noted.execute(&stage.place.plain).await.unwrap();
            stage.pool.session(OPERATION, async |_| Ok::<_, Error>(())).await.unwrap();
            stage
        }

        fn pool(place: &Place, proxy: Option<&Proxy>, commit_timeout: Option<Duration>) -> Pool {
            let builder = match proxy {
                Some(proxy) => Pool::builder().primary(proxy.url()).max_connections(1),
                None => place.builder(1),
            };
            let builder = match commit_timeout {
                Some(limit) => builder.commit_timeout(limit),
                None => builder,
            };
            builder.connect_lazy().unwrap()
        }

        fn proxy(&self) -> &Proxy {
            self.proxy.as_ref().expect("a database with a wire")
        }

        async fn until_struck(&self, fired: u64) {
            eventually("the fault strikes", || async { self.proxy().fired() > fired }).await;
        }

        async fn piece(&self, session: &mut Session, piece: Piece, row: i64) {
            let answer = match piece {
                Piece::Insert => Some(note(session, row).await.is_ok()),
                Piece::Duplicate => Some(note(session, 0).await.is_ok()),
                Piece::Peek => Some(sqlx::query("SELECT id FROM accounts").fetch(&mut *session).try_next().await.is_ok()),
                Piece::Slow => tokio::select! {
                    // It is sent, or refused, before anybody looks.
                    biased;
                    ended = sqlx::query(SLOW).execute(&mut *session) => Some(ended.is_ok()),
                    () = self.place.slow_is_running() => None,
                },
                Piece::LostInBegin => {
                    let fired = self.proxy().fired();
                    self.proxy().on(begins, Fault::CutBefore);
                    let is_noted = note(session, row).await.is_ok();
                    assert_eq!(self.proxy().fired(), fired + 1, "BEGIN is lost once");
                    Some(is_noted)
                }
                Piece::LeftInBegin | Piece::CutInBegin => {
                    let fired = self.proxy().fired();
                    self.proxy().on(begins, Fault::HoldAnswer);
                    let left = tokio::select! {
                        ended = note(session, row) => Some(ended.is_ok()),
                        () = self.until_struck(fired) => None,
                    };
                    if piece == Piece::CutInBegin {
                        assert!(self.proxy().cut() > 0);
                        eventually("the connections are gone", || async { self.proxy().cut() == 0 }).await;
                    }
                    self.proxy().resume();
                    left
                }
            };
            self.answers.lock().unwrap().push(answer);
        }

        async fn body(&self, session: &mut Session, trace: &Trace) -> Result<(), Error> {
            self.answers.lock().unwrap().clear();
            let end = trace.end(session.attempt());
            for (row, piece) in (self.base + 1..).zip(&trace.pieces) {
                self.piece(session, *piece, row).await;
            }
            if let Some(proxy) = &self.proxy {
                arm(proxy, end).await;
            }
            self.end(session, end).await
        }

        async fn end(&self, session: &mut Session, end: End) -> Result<(), Error> {
            match end {
                End::Returns(Over::Ok) | End::Cut | End::CutBeforeCommit | End::CutAnswer | End::SilenceAtCommit { .. } => Ok(()),
                End::Returns(Over::Err) | End::CutBeforeRollback => Err(transient()),
                // Past the hook that would print it.
                End::Returns(Over::Panicked) => std::panic::resume_unwind(Box::new("as planned")),
                End::Returns(Over::Late) => pending().await,
                End::Dropped => {
                    self.is_there.notify_one();
                    pending().await
                }
                End::DroppedInBegin => {
                    note(session, self.base + 1).await?;
                    Ok(())
                }
                End::DroppedInStatement | End::LateInStatement => {
                    // A doomed session answers at once.
                    let _ = sqlx::query(SLOW).execute(&mut *session).await;
                    self.is_at_end.store(true, Relaxed);
                    self.is_there.notify_one();
                    pending().await
                }
            }
        }

        /// What the caller is told, with a deadline that is far enough for all that comes before the end.
        async fn call(&self, trace: &Trace, limit: Option<Duration>) -> Option<Told> {
            let operation = self.pool.operation(OPERATION);
            let operation = match limit {
                Some(limit) => operation.timeout(limit),
                None => operation,
            };
            let policy = match trace.first {
                Some(_) => RetryPolicy::immediate().max(2),
                None => RetryPolicy::none(),
            };
            let fired = self.proxy.as_ref().map(Proxy::fired);
            let operation = operation.retry(policy);
            let call = AssertUnwindSafe(operation.run(async |session| self.body(session, trace).await)).catch_unwind();
            let ended = match trace.end {
                End::Dropped => tokio::select! {
                    ended = call => Some(ended),
                    () = self.is_there.notified() => None,
                },
                End::DroppedInBegin => tokio::select! {
                    ended = call => Some(ended),
                    () = self.until_struck(fired.unwrap_or_default()) => None,
                },
                End::DroppedInStatement => tokio::select! {
                    ended = call => Some(ended),
                    () = self.is_there.notified() => None,
                    () = self.slow_at_the_end(trace) => None,
                },
                End::LateInStatement => tokio::select! {
                    ended = call => Some(ended),
                    never = self.watch_the_end(trace) => never,
                },
                _ => Some(call.await),
            };
            ended.map(|ended| match ended {
                Ok(Ok(())) => Told::Ok,
                Ok(Err(error)) => Told::Err(error.outcome().into()),
                Err(_payload) => Told::Panicked,
            })
        }

        async fn slow_at_the_end(&self, trace: &Trace) {
            eventually("all pieces are there", || async {
                self.answers.lock().unwrap().len() == trace.pieces.len()
            }).await;
            self.place.slow_is_running().await;
        }

        async fn watch_the_end(&self, trace: &Trace) -> ! {
            self.slow_at_the_end(trace).await;
            self.is_at_end.store(true, Relaxed);
            pending().await
        }

        /// `None` where the deadline has passed ahead of the end.
        async fn play(&self, trace: &Trace, limit: Option<Duration>) -> Option<Played> {
            let before = stats(OPERATION);
            let told = self.call(trace, limit).await;
            if trace.end == End::DroppedInBegin {
                self.proxy().resume();
            }
            quiet(&self.pool).await;
            if trace.is_silent() {
                // What is held is lost with its connection.
                self.proxy().cut();
            }
            self.place.has_open(0).await;
            let now = stats(OPERATION);
            let outcome = ended(before, now);
            let attempts = now.retried - before.retried + 1;
            let answers = std::mem::take(&mut *self.answers.lock().unwrap());
            let is_at_end = self.is_at_end.swap(false, Relaxed) || trace.end != End::LateInStatement;
            let in_time = limit.is_none() || (is_at_end && answers.len() == trace.pieces.len());
            let inserted = answers.iter().zip(&trace.pieces).filter(|(ok, piece)| piece.inserts() && **ok == Some(true)).count();
            let there = self.place.count(&format!("notes WHERE id > {}", self.base)).await;
            let all = i64::try_from(inserted).unwrap();
            assert!(there == 0 || there == all, "{trace:?}: {there} of {all} rows are there");
            let is_applied = (all > 0).then_some(there == all);
            in_time.then_some(Played { answers, told, outcome, attempts, is_applied })
        }

        /// Makes ready for the next trace.
        async fn renew(&mut self, trace: &Trace) {
            self.base += 16;
            let _ = self.is_there.notified().now_or_never();
            eventually("no slow statement runs", || async { !self.place.runs_slow().await }).await;
            if let Some(proxy) = &self.proxy {
                proxy.disarm();
                proxy.reset();
            }
            if trace.is_cut() || trace.is_silent() {
                self.open_pool(None).await;
            }
        }

        /// The connection that the trace begins with is a new one, or has served before.
        async fn prepare(&mut self, trace: &Trace) {
            let limit = trace.is_silent().then_some(COMMIT_TIMEOUT);
            if trace.is_cold || limit.is_some() {
                self.open_pool(limit).await;
            }
            if !trace.is_cold {
                sqlx::query("SELECT 1").execute(&self.pool).await.unwrap();
            }
        }

        async fn open_pool(&mut self, commit_timeout: Option<Duration>) {
            self.pool.close().await;
            self.pool = Self::pool(&self.place, self.proxy.as_ref(), commit_timeout);
        }
    }

    #[tokio::test]
    async fn the_model_and_the_implementation_come_to_the_same() {
        let seed = seed();
        println!("STEADFAST_SEED={seed}");
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut stage = Stage::ready().await;
        let (mut ends, mut others, mut differ) = (std::collections::BTreeMap::<Outcome, usize>::new(), 0, Vec::new());
        let mut traces = Trace::given(HAS_WIRE);
        traces.extend((0..TRACES).map(|_| Trace::draw(HAS_WIRE, &mut chance)));
        for (number, trace) in traces.iter().enumerate() {
            let expected = trace.play(RULES);
            let mut limit = trace.has_deadline().then_some(Duration::from_millis(150));
            let played = loop {
                stage.prepare(trace).await;
                let played = stage.play(trace, limit).await;
                stage.renew(trace).await;
                match played {
                    Some(played) => break played,
                    None => limit = limit.map(|limit| 2 * limit),
                }
            };
            let mut allowed = vec![expected.clone()];
            if trace.has_deadline() {
                // The caller waits no longer for the proof of the rollback than 100 ms.
                allowed.push(Played { told: Some(Told::Err(Outcome::NotSent)), ..expected.clone() });
            }
            if !allowed.contains(&played) {
                differ.push(format!("trace {number}, {trace:?}, came to {played:?}, and in the model to {expected:?}"));
            }
            others += usize::from(played != trace.play(ELSEWHERE));
            *ends.entry(played.outcome).or_default() += 1;
        }
        assert!(differ.is_empty(), "of seed {seed}: {differ:#?}");
        assert!(others > 0, "no trace of seed {seed} tells this database from one on which errors do otherwise");
        println!("{NAME:9} | {} traces | {ends:?} | the same in the model; {others} not in that of another database", traces.len());
    }
}
