//! Plain sqlx under the same checker: what the campaign looks for is there to be found. On PostgreSQL alone: its COMMIT
//! of a failed transaction answers without an error, and what was appended ahead of the failure is lost.

use std::sync::Arc;

use futures_util::future::join_all;
use sqlx::{PgConnection, PgPool};
use steadfast::Isolation;
use steadfast_tests::support::postgres::Place;

use super::LANES;
use super::anomaly::Anomaly;
use super::check::{Lists, check};
use super::guarantee::Guarantee;
use super::plan;
use super::scribe::{Attempt, Call, Scribe};
use super::transaction::{Fate, Step};
use crate::campaign::Front;

/// Transactions of each lane.
const CALLS: usize = 10;

/// One in so many swallows an error.
const SWALLOWED: usize = 3;

const LOST: &str = "lost appends";

pub(super) async fn attack(front: &Front) {
    front.report.expect_plain(LOST, 1);
    let place = Place::new().await;
    let rows = plan::key(0, i64::try_from(2 * LANES * CALLS).expect("a few"));
    let tables = format!(
        "CREATE TABLE lists (id BIGINT PRIMARY KEY, elements TEXT NOT NULL);
         INSERT INTO lists SELECT id, '' FROM generate_series(0, {rows}) AS id"
    );
    let made = sqlx::raw_sql(sqlx::AssertSqlSafe(tables));
    made.execute(&place.plain).await.expect("a table");
    let scribe = Arc::new(Scribe::default());
    let lanes = (0..LANES).map(|_| {
        let (plain, scribe) = (place.plain.clone(), Arc::clone(&scribe));
        tokio::spawn(async move {
            for number in 0..CALLS {
                let call = Call::default();
                // Whoever is told of an error knows nothing.
                if transact(&plain, &scribe.begin(&call), &scribe, number)
                    .await
                    .is_ok()
                {
                    scribe.end(&call, Fate::Committed);
                }
            }
        })
    });
    for lane in join_all(lanes.collect::<Vec<_>>()).await {
        lane.expect("no panic");
    }
    let rows: Vec<(i64, String)> = sqlx::query_as("SELECT id, elements FROM lists")
        .fetch_all(&place.plain)
        .await
        .expect("the lists");
    let lists: Lists = rows
        .into_iter()
        .map(|(key, elements)| {
            let elements = elements.split_terminator(',');
            (
                key,
                elements
                    .map(|element| element.parse().expect("a number"))
                    .collect(),
            )
        })
        .collect();
    let (history, _) = scribe.history();
    let guarantee = Guarantee::of(front.database, Isolation::ReadCommitted);
    let anomalies = check(&history, &lists, guarantee);
    let lost = anomalies
        .iter()
        .filter(|anomaly| matches!(anomaly, Anomaly::Lost { .. }))
        .count();
    front.report.count_plain(LOST, lost as u64);
}

async fn transact(
    plain: &PgPool,
    attempt: &Attempt,
    scribe: &Scribe,
    number: usize,
) -> sqlx::Result<()> {
    let mut transaction = plain.begin().await?;
    append(&mut transaction, attempt, scribe, number).await?;
    if number.is_multiple_of(SWALLOWED) {
        let _ = sqlx::query("SELECT nothing FROM nowhere")
            .execute(&mut *transaction)
            .await;
    }
    transaction.commit().await
}

async fn append(
    connection: &mut PgConnection,
    attempt: &Attempt,
    scribe: &Scribe,
    list: usize,
) -> sqlx::Result<()> {
    let (key, value) = scribe.append(list % plan::LISTS);
    attempt.note(Step::Append(key, value));
    let append = sqlx::query("UPDATE lists SET elements = elements || $1 WHERE id = $2");
    append
        .bind(format!("{value},"))
        .bind(key)
        .execute(connection)
        .await?;
    Ok(())
}
