//! Row 9: SQLite's writers that read first.

use futures_util::future::join_all;

use super::{Doer, Failure, MENDED, Who, show};
use crate::support::sqlite::{Db, Place};

const TASKS: usize = 64;

async fn reads_then_writes(doer: &Doer<Db>) -> Result<(), Failure> {
    let mut work = doer.begin().await?;
    work.number("SELECT cents FROM accounts WHERE id = 1")
        .await?;
    tokio::task::yield_now().await;
    work.execute("UPDATE accounts SET cents = cents + 1 WHERE id = 1")
        .await?;
    work.commit().await
}

/// How many of them failed.
async fn failures(who: Who) -> usize {
    let place = Place::new().await;
    // sqlx waits 5 s for a lock where nobody asks for another time.
    let doer = Doer::<Db>::connect(who, &place.url, 16).await;
    let tasks = (0..TASKS).map(|_| {
        let doer = doer.clone();
        tokio::spawn(async move { reads_then_writes(&doer).await })
    });
    let mut failed = 0;
    for answer in join_all(tasks).await {
        if let Err(failure) = answer.unwrap() {
            let text = failure.to_string();
            assert!(text.contains("locked"), "{text}");
            failed += 1;
        }
    }
    let added = place.cents(1).await - 1000;
    assert_eq!(added, (TASKS - failed) as i64, "what was acknowledged");
    show(
        9,
        "sqlite",
        who,
        format_args!("{failed} of {TASKS} tasks that read and then write are refused"),
    );
    failed
}

/// Row 9 of the design's table. On the servers a writer waits for a row and not for the whole database.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_writers_that_read_first_wait_for_each_other() {
    let failed = failures(Who::Sqlx).await;
    assert!(failed > 0, "{MENDED}");
    assert_eq!(failures(Who::Steadfast).await, 0);
}
