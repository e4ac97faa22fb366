//! Panics at every boundary of a call's statements, in every form, while somebody else waits for its only slot: the
//! panic reaches the caller, the work is there whole or not at all, the slot goes to whoever waits.

mod blow;
mod calls;
mod control;
mod form;
mod fuse;
mod touchy;

use std::time::Duration;

use crate::campaign::{Campaign, attacks};

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "panic",
    databases: attacks!(Postgres: postgres, MySql: mysql, Sqlite: sqlite),
};

/// Calls that panic at once, each on a schema, database or file of its own.
const LANES: usize = 4;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long plain sqlx is waited for: what it holds it holds until the statement ends.
const ENOUGH: Duration = Duration::from_millis(500);

/// How often it is blown up in a statement that takes long.
const SLOW_ONES: usize = 10;

/// Room for the ids of one point's rows.
const ROOM: i64 = 8;

/// Boundaries that a call has at the most. One that has more is not over.
const MOST: usize = 200;

/// How somebody waits for the slot.
#[derive(Clone, Copy, Debug)]
enum Door {
    Session,
    Lease,
    Pool,
}

each_database! {
    use super::blow::{Blow, Kind, keep_quiet};
    use super::calls::calls;
    use super::control::{Moment, control};
    use super::form::Form;
    use super::fuse::{Answer, Brittle, Burnt, Fuse, Promise, Sore};
    use super::touchy::{FUSE, Touchy, Wordy};
    use super::{Door, ENOUGH, LANES, MOST, PATIENCE, ROOM, SLOW_ONES};
    use crate::campaign::Front;
    use crate::heir::Heir;
    use std::collections::VecDeque;
    use std::panic::AssertUnwindSafe;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};
    use fastrand::Rng;
    use futures_util::{FutureExt as _, TryStreamExt as _};
    use futures_util::future::join_all;
    use steadfast::{Error, RetryPolicy, db_error_handling, retry, with_session};
    use tokio::time::timeout;

    calls!();
    control!();

    type Forms = Arc<Mutex<VecDeque<Form>>>;

    pub(crate) async fn attack(front: Front) {
        keep_quiet();
        front.report.expect("panics", if front.settings.is_limited() { 60 } else { 1_000 });
        front.report.expect("waiters", if front.settings.is_limited() { 40 } else { 700 });
        front.report.expect("reached", if front.settings.is_limited() { 40 } else { 700 });
        let mut chance = front.settings.chance(("panic", NAME));
        let rounds = if front.settings.short { 1 } else { 8 };
        let mut forms = Form::ALL.repeat(rounds);
        chance.shuffle(&mut forms);
        let forms: Forms = Arc::new(Mutex::new(forms.into()));
        let lanes = (0..LANES).map(|lane| {
            let (front, forms) = (front.clone(), Arc::clone(&forms));
            let chance = front.settings.chance(("panic", NAME, lane));
            tokio::spawn(async move { front.watch(Box::pin(take(&front, &forms, chance))).await })
        });
        join_all(lanes.collect::<Vec<_>>()).await;
        let own = concat!(module_path!(), "::");
        for operation in steadfast::operations().filter(|operation| operation.name().starts_with(own)) {
            let stats = operation.stats();
            if stats.in_flight() != 0 {
                front.violation(format_args!("{} calls of {} have no end", stats.in_flight(), operation.name()));
            }
        }
        if !front.settings.short {
            front.watch(Box::pin(control(&front))).await;
        }
    }

    /// Takes one form after the other.
    async fn take(front: &Front, forms: &Forms, chance: Rng) {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut lane = Lane { front, place, pool, chance, points: 0, rows: 0 };
        loop {
            let form = forms.lock().unwrap().pop_front();
            let Some(form) = form.filter(|_| !front.is_over()) else {
                break;
            };
            if !lane.follow(form).await {
                // A place that somebody has spoiled shows nothing more.
                return;
            }
        }
        // What was undone stays undone, and what was there stays.
        let rows = lane.place.count("notes").await;
        if rows != lane.rows {
            front.violation(format_args!("{rows} rows are there in the end, and were {} at first", lane.rows));
        }
    }

    struct Lane<'f> {
        front: &'f Front,
        place: Place,
        pool: Pool,
        chance: Rng,
        points: i64,
        rows: i64,
    }

    /// What a call came to.
    #[derive(Debug)]
    enum Ended {
        Returned(Result<(), String>),
        /// The very panic that was thrown.
        Blown,
        /// Another one.
        Panicked(Option<String>),
    }

    impl Lane<'_> {
        /// Has a call panic at each of its boundaries. `false` if something was not as it must be.
        async fn follow(&mut self, form: Form) -> bool {
            for at in 0..MOST {
                let mut wrong = Vec::new();
                let (burnt, reached) = self.point(form, at, &mut wrong).await;
                for what in &wrong {
                    self.front.violation(format_args!("{form:?}, boundary {at}: {what}"));
                }
                if !wrong.is_empty() {
                    return false;
                }
                if burnt.blown.is_none() {
                    // This was the whole call.
                    let has_boundaries = at > 0 && (form != Form::AfterConnect || burnt.readied > 0);
                    if !has_boundaries {
                        self.front.violation(format_args!("{form:?} has none of its boundaries"));
                    }
                    return has_boundaries;
                }
                if self.front.is_over() {
                    return true;
                }
                self.front.report.count("panics", 1);
                self.front.report.count("reached", u64::from(reached));
                self.front.report.count("waiters", u64::from(burnt.waited));
            }
            self.front.violation(format_args!("{form:?} has no end"));
            false
        }

        async fn point(&mut self, form: Form, at: usize, wrong: &mut Vec<String>) -> (Burnt, bool) {
            static BLOWS: AtomicU64 = AtomicU64::new(0);
            let base = self.points * ROOM;
            self.points += 1;
            let kind = self.chance.choice(Kind::ALL).unwrap();
            let blow = Blow(BLOWS.fetch_add(1, Ordering::Relaxed));
            let pool = match form {
                Form::AfterConnect => self.unready(),
                _ => self.pool.clone(),
            };
            let fuse = Fuse::new(at, kind, blow, &pool);
            let door = self.chance.choice([Door::Session, Door::Lease, Door::Pool]).unwrap();
            let next = base + ROOM - 1;
            let waiter = tokio::spawn(wait(pool.clone(), fuse.clone(), door, next));
            let call = Box::pin(FUSE.scope(fuse.clone(), run(pool.clone(), form, base, fuse.clone())));
            let Ok(ended) = timeout(PATIENCE * 3, end(call, blow, self.chance.bool())).await else {
                wrong.push("it has not ended".to_owned());
                return (fuse.burnt(), false);
            };
            let reached = matches!(ended, Ended::Blown);
            // At once.
            let listed: Vec<_> = pool.sessions().into_iter().filter(|session| session.operation.contains("panic::")).collect();
            if form.ends_with_its_answer() && !listed.is_empty() {
                wrong.push(format!("it has ended, and is listed: {listed:?}"));
            }
            fuse.light();
            match timeout(PATIENCE, waiter).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => wrong.push(format!("who waited at {door:?} was refused: {error}")),
                Ok(Err(error)) => wrong.push(format!("who waited at {door:?} panicked: {error}")),
                Err(_) => wrong.push(format!("who waits at {door:?} has no answer after {PATIENCE:?}: {:?}", pool.sessions())),
            }
            let burnt = fuse.burnt();
            self.examine(form, &ended, &fuse, base, wrong).await;
            if !wrong.is_empty() {
                return (burnt, reached);
            }
            let is_free = timeout(PATIENCE, async {
                while !support::is_quiet(&pool) || self.place.open_transactions().await != 0 {
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
            });
            if is_free.await.is_err() {
                wrong.push(format!(
                    "after {PATIENCE:?} {} transactions are open: {:?} {:?}",
                    self.place.open_transactions().await, pool.stats(), pool.sessions(),
                ));
            }
            (burnt, reached)
        }

        /// A pool whose connections are made ready by what may panic.
        fn unready(&self) -> Pool {
            let builder = Pool::builder().primary(&self.place.url).max_connections(1);
            let builder = builder.after_connect(|_| {
                Box::pin(async {
                    // The waiter's, which may be made ready too, panic nowhere.
                    let pass = || FUSE.try_with(|fuse| {
                        fuse.readies();
                        fuse.pass(Promise::NOTHING);
                    });
                    let _ = pass();
                    tokio::task::yield_now().await;
                    let _ = pass();
                    Ok(())
                })
            });
            builder.connect_lazy().unwrap()
        }

        /// Compares what a call came to with what was promised.
        async fn examine(&mut self, form: Form, ended: &Ended, fuse: &Fuse, base: i64, wrong: &mut Vec<String>) {
            let left: Vec<i64> = sqlx::query_scalar(sql("SELECT id FROM notes WHERE id >= $1 AND id < $2 ORDER BY id"))
                .bind(base).bind(base + ROOM)
                .fetch_all(&self.place.plain).await.unwrap();
            self.rows += i64::try_from(left.len()).unwrap();
            let mut left: Vec<i64> = left.into_iter().map(|id| id - base).collect();
            if left.pop_if(|id| *id == ROOM - 1).is_none() {
                wrong.push("the write of who waited is lost".to_owned());
            }
            let burnt = fuse.burnt();
            let Promise { answer, rows } = burnt.blown.unwrap_or(form.whole());
            let came = match ended {
                Ended::Returned(Ok(())) => Answer::Value,
                Ended::Returned(Err(_)) => Answer::Error,
                Ended::Blown | Ended::Panicked(_) => Answer::Panic,
            };
            let is_kept = match answer {
                Answer::True if came == Answer::Value => left == rows,
                Answer::True => left.is_empty(),
                _ => left == rows,
            };
            if !is_kept {
                wrong.push(format!("rows {left:?} are there, and not {rows:?} ({came:?})"));
            }
            if answer != Answer::True && came != answer {
                wrong.push(format!("its caller was to have {answer:?}, and has {ended:?}"));
            }
            if let Ended::Panicked(text) = ended {
                wrong.push(format!("its caller has another panic: {text:?}"));
            }
            if form.has_hooks() && burnt.heard != 1 {
                wrong.push(format!("the hook behind those that panic ran {} times", burnt.heard));
            }
        }
    }

    /// Runs a call in a task of its own, or here.
    async fn end(call: impl Future<Output = Result<(), String>> + Send + 'static, blow: Blow, is_task: bool) -> Ended {
        let ended = if is_task {
            match tokio::spawn(call).await {
                Ok(returned) => Ok(returned),
                Err(error) => Err(error.into_panic()),
            }
        } else {
            AssertUnwindSafe(call).catch_unwind().await
        };
        match ended {
            Ok(returned) => Ended::Returned(returned),
            Err(payload) if blow.is_thrown(payload.as_ref()) => Ended::Blown,
            Err(payload) => Ended::Panicked(payload.downcast().ok().map(|text| *text)),
        }
    }

    /// Somebody else: queues for the slot once the call holds it, and writes.
    async fn wait(pool: Pool, fuse: Fuse, door: Door, id: i64) -> Result<(), Error> {
        fuse.lit().await;
        match door {
            Door::Session => pool.session("who waits", async |session| Ok::<_, Error>(note(session, id).await?)).await,
            Door::Pool => Ok(insert(&pool, id).await?),
            Door::Lease => {
                let mut lease = pool.acquire().await?;
                insert(&mut *lease, id).await?;
                pool.release(lease).await
            }
        }
    }
}
