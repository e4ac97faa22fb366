//! What processes that were killed had said of their commits, held against the file that they leave.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;

/// Rows of one transaction, which are there together or not at all.
pub(super) const ROWS: i64 = 8;

/// What all of them have said so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    began: BTreeSet<i64>,
    committed: BTreeSet<i64>,
}

impl Seen {
    pub(super) fn learn(&mut self, began: BTreeSet<i64>, committed: BTreeSet<i64>) {
        self.began.extend(began);
        self.committed.extend(committed);
    }

    /// An entry that nobody has begun.
    pub(super) fn next(&self) -> i64 {
        self.began.last().map_or(0, |last| last + 1)
    }

    pub(super) fn acknowledged(&self) -> u64 {
        u64::try_from(self.committed.len()).unwrap_or(u64::MAX)
    }

    /// What is wrong with the file, through a connection of plain sqlx.
    pub(super) async fn compare(&self, direct: &mut SqliteConnection) -> Vec<String> {
        let rows: Vec<(i64, i64)> =
            sqlx::query_as("SELECT id, count(DISTINCT part) FROM entries GROUP BY id")
                .fetch_all(&mut *direct)
                .await
                .expect("the file is whole");
        let all: i64 = sqlx::query_scalar("SELECT count(*) FROM entries")
            .fetch_one(&mut *direct)
            .await
            .expect("the file is whole");
        let rows: BTreeMap<i64, i64> = rows.into_iter().collect();
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let mut faults = Vec::new();
        if rows.values().any(|parts| *parts != ROWS) || all != count * ROWS {
            faults.push(format!(
                "a killed COMMIT is there in part, or twice: {rows:?}"
            ));
        }
        if let Some(lost) = self.committed.iter().find(|id| !rows.contains_key(id)) {
            faults.push(format!(
                "entry {lost} was acknowledged, and is not there behind a kill"
            ));
        }
        if let Some(made_up) = rows.keys().find(|id| !self.began.contains(id)) {
            faults.push(format!("entry {made_up} was never to be committed"));
        }
        let tokens: i64 = sqlx::query_scalar("SELECT count(*) FROM steadfast_ledger")
            .fetch_one(&mut *direct)
            .await
            .expect("the file is whole");
        if tokens != count {
            faults.push(format!(
                "{count} entries are there, and {tokens} tokens of them"
            ));
        }
        let check: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&mut *direct)
            .await
            .expect("an answer");
        if check != "ok" {
            faults.push(format!("the file is broken: {check}"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr, raw_sql};
    use steadfast::SqliteSessionPool;

    use super::*;
    use crate::commit::children::TABLE;

    /// Of three entries that were begun the first was acknowledged.
    fn seen() -> Seen {
        let mut seen = Seen::default();
        seen.learn(BTreeSet::from([0, 1]), BTreeSet::from([0]));
        seen.learn(BTreeSet::from([2]), BTreeSet::new());
        seen
    }

    async fn file(entries: &[i64]) -> SqliteConnection {
        let mut file = SqliteConnection::connect(":memory:").await.expect("a file");
        for sql in [TABLE, SqliteSessionPool::SCHEMA] {
            run(&mut file, sql).await;
        }
        for id in entries {
            enter(&mut file, *id, 0..ROWS).await;
            let token = format!("INSERT INTO steadfast_ledger VALUES ('{id}', 1, 1, 0)");
            run(&mut file, AssertSqlSafe(token)).await;
        }
        file
    }

    async fn enter(file: &mut SqliteConnection, id: i64, parts: std::ops::Range<i64>) {
        for part in parts {
            let row = format!("INSERT INTO entries VALUES ({id}, {part}, x'00')");
            run(file, AssertSqlSafe(row)).await;
        }
    }

    async fn run(file: &mut SqliteConnection, sql: impl SqlSafeStr) {
        let ran = raw_sql(sql).execute(file).await;
        ran.expect("it may be done");
    }

    #[track_caller]
    fn assert_one(faults: &[String], fault: &str) {
        assert_eq!(faults, [fault]);
    }

    #[tokio::test]
    async fn what_was_begun_may_be_there_and_what_was_acknowledged_is() {
        for entries in [&[0][..], &[0, 1], &[0, 2], &[0, 1, 2]] {
            let faults = seen().compare(&mut file(entries).await).await;
            assert!(faults.is_empty(), "{entries:?}: {faults:?}");
        }
        assert_eq!((seen().next(), seen().acknowledged()), (3, 1));
    }

    #[tokio::test]
    async fn an_acknowledged_entry_that_is_lost() {
        for entries in [&[][..], &[1, 2]] {
            let faults = seen().compare(&mut file(entries).await).await;
            assert_one(
                &faults,
                "entry 0 was acknowledged, and is not there behind a kill",
            );
        }
    }

    #[tokio::test]
    async fn an_entry_that_is_there_twice() {
        let mut file = file(&[0, 1]).await;
        enter(&mut file, 1, 0..ROWS).await;
        assert_one(
            &seen().compare(&mut file).await,
            "a killed COMMIT is there in part, or twice: {0: 8, 1: 8}",
        );
    }

    #[tokio::test]
    async fn an_entry_of_which_a_part_is_there() {
        let torn = "a killed COMMIT is there in part, or twice: {0: 8, 1: 5}";
        let mut half = file(&[0, 1]).await;
        run(&mut half, "DELETE FROM entries WHERE id = 1 AND part > 4").await;
        assert_one(&seen().compare(&mut half).await, torn);
        // As many rows as a whole one has.
        enter(&mut half, 1, 0..3).await;
        assert_one(&seen().compare(&mut half).await, torn);
    }

    #[tokio::test]
    async fn an_entry_that_nobody_has_begun() {
        let faults = seen().compare(&mut file(&[0, 3]).await).await;
        assert_one(&faults, "entry 3 was never to be committed");
    }

    #[tokio::test]
    async fn an_entry_without_its_token_and_a_token_without_its_entry() {
        let mut file = file(&[0, 1]).await;
        run(&mut file, "DELETE FROM entries WHERE id = 1").await;
        assert_one(
            &seen().compare(&mut file).await,
            "1 entries are there, and 2 tokens of them",
        );
        run(&mut file, "DELETE FROM steadfast_ledger").await;
        assert_one(
            &seen().compare(&mut file).await,
            "1 entries are there, and 0 tokens of them",
        );
    }

    #[tokio::test]
    async fn a_broken_file() {
        let mut file = file(&[0]).await;
        let sql = "CREATE TABLE odd (number INT CHECK (number > 0)); PRAGMA ignore_check_constraints = on;
                   INSERT INTO odd VALUES (0); PRAGMA ignore_check_constraints = off";
        run(&mut file, sql).await;
        assert_one(
            &seen().compare(&mut file).await,
            "the file is broken: CHECK constraint failed in odd",
        );
    }
}
