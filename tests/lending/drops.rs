//! What lends, and what is done on a lent connection, dropped at each of its polls; on servers through a proxy that
//! passes one byte at a time as well, so that there are as many of them as there can be.
//!
//! `STEADFAST_LONG=1` takes every point; without it they are a stride apart.

use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scenario {
    /// The session lends with its first words.
    Raw,
    RawBehindAStatement,
    RawInASavepoint,
    /// A helper begins.
    Begin,
    BeginOnTheSession,
    /// A helper from its `begin` to its `commit`.
    Helper,
    HelperThatNests,
}

const SCENARIOS: [Scenario; 7] = [
    Scenario::Raw,
    Scenario::RawBehindAStatement,
    Scenario::RawInASavepoint,
    Scenario::Begin,
    Scenario::BeginOnTheSession,
    Scenario::Helper,
    Scenario::HelperThatNests,
];

fn stride() -> usize {
    if std::env::var("STEADFAST_LONG").is_ok_and(|long| long == "1") {
        1
    } else {
        7
    }
}

/// What the sessions came to in which something was dropped.
#[derive(Debug, Default)]
struct Figures {
    points: usize,
    outcomes: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

each_database! {
    use super::*;
    use std::collections::BTreeSet;
    use steadfast::{Error, Outcome};
    use xtask::proxy::Proxy;

    helpers!();

    /// What is dropped.
    async fn run(session: &mut Session, scenario: Scenario) -> Result<(), Error> {
        match scenario {
            Scenario::Raw | Scenario::RawBehindAStatement => {
                session.raw().await?;
            }
            Scenario::RawInASavepoint => {
                session.savepoint(async |session| session.raw().await.map(drop)).await?;
            }
            Scenario::Begin => drop(session.raw().await?.begin().await?),
            Scenario::BeginOnTheSession => drop(sqlx::Acquire::begin(&mut *session).await?),
            Scenario::Helper => by_connection(session.raw().await?, 2, Ending::Commit).await?,
            Scenario::HelperThatNests => twice(session.raw().await?, 2, Ending::Commit, Ending::Commit).await?,
        }
        Ok(())
    }

    /// Drops the scenario at its `polls`th poll, goes on as if nothing had happened, and looks at what that comes to.
    /// `false` if the scenario had ended before.
    async fn point(place: &Place, pool: &Pool, proxy: Option<&Proxy>, scenario: Scenario, polls: usize, rolls_back: bool, figures: &mut Figures) -> bool {
        let mut rows = BTreeSet::new();
        let mut session = pool.begin().await.unwrap();
        if !matches!(scenario, Scenario::Raw | Scenario::BeginOnTheSession) {
            insert(&mut session, 1).await.unwrap();
            rows.insert(1);
        }
        if let Some(proxy) = proxy {
            proxy.trickle(1);
        }
        let ended = drop_at_poll(run(&mut session, scenario), polls).await;
        if let Some(proxy) = proxy {
            proxy.trickle(0);
        }
        if insert(&mut session, 4).await.is_ok() {
            rows.insert(4);
        }
        let answer = if rolls_back { session.rollback().await } else { session.commit().await };
        quiet(pool).await;
        let mut left: BTreeSet<i64> = notes(place).await.into_iter().collect();
        let what = match &answer {
            Ok(()) if rolls_back => "rolled back",
            Ok(()) => "committed",
            Err(error) => match error.outcome() {
                Outcome::Unknown => "unknown",
                Outcome::RolledBack => "refused: rolled back",
                Outcome::NotSent => "refused: not sent",
                _ => "refused: committed",
            },
        };
        *figures.outcomes.entry(what).or_default() += 1;
        figures.points += 1;
        let is_right = match what {
            "unknown" => true,
            "committed" => {
                // A helper whose `commit` was dropped may have committed.
                left.retain(|id| !matches!(id, 2 | 3));
                left == rows
            }
            _ => left.is_empty(),
        };
        let mut complain = |what: String| figures.wrong.push(format!("{scenario:?} at poll {polls}: {what}"));
        if !is_right {
            complain(format!("{answer:?}; acknowledged {rows:?}, left {left:?}"));
        }
        if ended.is_some() && what != if rolls_back { "rolled back" } else { "committed" } {
            complain(format!("undisturbed: {ended:?}, {answer:?}"));
        }
        // A connection that was closed the server may still have to notice.
        eventually("no transaction is open", || async { place.open_transactions().await == 0 }).await;
        // The next user, by herself and in a session that lends.
        if let Err(error) = insert(pool, 100).await {
            complain(format!("the next statement was refused: {error}"));
        }
        let mut session = pool.begin().await.unwrap();
        let lent = by_acquire(&mut session, 101, Ending::Commit).await;
        let next = session.commit().await;
        if lent.is_err() || next.is_err() {
            complain(format!("the next session was refused: {lent:?} {next:?}"));
        }
        let left = notes(place).await;
        if left.iter().filter(|&&id| id > 99).ne(&[100, 101]) {
            complain(format!("the next users left {left:?}"));
        }
        sqlx::query("DELETE FROM notes").execute(&place.plain).await.unwrap();
        ended.is_none()
    }

    async fn every_point(place: &Place, url: &str, proxy: Option<&Proxy>, scenario: Scenario) -> Figures {
        let mut figures = Figures::default();
        let pool = Pool::builder().primary(url).max_connections(1).connect().await.unwrap();
        // What is prepared on the way costs polls the first time alone.
        point(place, &pool, None, scenario, usize::MAX, false, &mut figures).await;
        let stride = if proxy.is_some() { stride() } else { 1 };
        for rolls_back in [false, true] {
            // A poll may find several answers at once: that it has ended before one point says little of the next.
            let mut ended = 0;
            for polls in (1..).step_by(stride) {
                let was_dropped = point(
                    place,
                    &pool,
                    proxy,
                    scenario,
                    polls,
                    rolls_back,
                    &mut figures,
                )
                .await;
                ended = if was_dropped { 0 } else { ended + 1 };
                if ended == 3 {
                    break;
                }
            }
        }
        figures
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn dropped_at_any_poll() {
        let place = Place::new().await;
        let proxy = (NAME != "sqlite").then(|| Proxy::before(&place.url).unwrap());
        let mut wrong = Vec::new();
        for scenario in SCENARIOS {
            for proxy in [None, proxy.as_ref()] {
                if proxy.is_none() && NAME != "sqlite" && !matches!(scenario, Scenario::Begin | Scenario::Helper) {
                    continue;
                }
                let url = proxy.map_or_else(|| place.url.clone(), Proxy::url);
                let mut figures = every_point(&place, &url, proxy, scenario).await;
                let how = if proxy.is_some() { "byte by byte" } else { "as it comes" };
                println!("{NAME:8} | {:19} | {how:12} | {:4} points: {:?}; {} wrong", format!("{scenario:?}"), figures.points, figures.outcomes, figures.wrong.len());
                assert!(figures.points > 2, "{figures:?}");
                wrong.append(&mut figures.wrong);
                if NAME == "sqlite" {
                    break;
                }
            }
        }
        for line in wrong.iter().take(30) {
            println!("{NAME}: {line}");
        }
        assert!(wrong.is_empty(), "{NAME}: {} wrong answers", wrong.len());
    }
}
