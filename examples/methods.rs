//! A service: methods that find their own pool, and a trait whose methods run in whatever session they are given.
//!
//! ```text
//! cargo run --example methods
//! ```

use sqlx::Sqlite;
use steadfast::{SessionPool, SqliteSession, SqliteSessionPool, operations, retry, with_session};

/// What other parts of a program ask for: somebody who keeps notes.
trait Notes {
    #[with_session]
    async fn add(&self, session: &mut SqliteSession, text: &str) -> anyhow::Result<i64>;
}

/// Writes every note with the name of who wrote it.
struct Diary {
    author: &'static str,
}

impl Notes for Diary {
    #[with_session]
    async fn add(&self, session: &mut SqliteSession, text: &str) -> anyhow::Result<i64> {
        let done = sqlx::query("INSERT INTO notes (author, text) VALUES ($1, $2)")
            .bind(self.author)
            .bind(text)
            .execute(&mut *session)
            .await?;
        Ok(done.last_insert_rowid())
    }
}

/// With `pool = self.pool` callers see no session: `service.publish("…")`.
struct NoteService {
    pool: SqliteSessionPool,
    diary: Diary,
}

impl NoteService {
    async fn start() -> anyhow::Result<Self> {
        let pool = SessionPool::<Sqlite>::in_memory().await?;
        sqlx::raw_sql(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, author TEXT NOT NULL, text TEXT NOT NULL)",
        )
        .execute(&pool)
        .await?;
        Ok(Self {
            pool,
            diary: Diary { author: "ada" },
        })
    }

    /// All of them or none.
    #[with_session(pool = self.pool, timeout = "2s")]
    #[retry(exponential, max = 3)]
    async fn publish(
        &self,
        session: &mut SqliteSession,
        texts: &[&str],
    ) -> anyhow::Result<Vec<i64>> {
        let mut ids = Vec::new();
        for text in texts {
            anyhow::ensure!(!text.is_empty(), "a note says something");
            ids.push(self.diary.add(&mut *session, text).await?);
        }
        Ok(ids)
    }

    #[with_session(pool = self.pool, read_only)]
    async fn count(&self, session: &mut SqliteSession) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT count(*) FROM notes")
            .fetch_one(&mut *session)
            .await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let service = NoteService::start().await?;

    let ids = service.publish(&["a first note", "a second note"]).await?;
    println!("published {ids:?}");

    let refused = service
        .publish(&["a third note", ""])
        .await
        .expect_err("one of them is empty");
    println!("refused: {refused}");
    assert_eq!(
        service.count().await?,
        2,
        "the third note went with the empty one"
    );

    // The trait's method by itself: the pool in place of a session.
    let id = service
        .diary
        .add(&service.pool, "a note of its own")
        .await?;
    println!("added {id}");
    assert_eq!(service.count().await?, 3);

    println!(
        "\n{:<28} started  committed  in a caller's session  rolled back",
        "operation"
    );
    let mut annotated: Vec<_> = operations().collect();
    annotated.sort_by_key(|operation| operation.name());
    for operation in annotated {
        let stats = operation.stats();
        println!(
            "{:<28} {:>7}  {:>9}  {:>21}  {:>11}",
            operation.name(),
            stats.started,
            stats.committed,
            stats.kept,
            stats.rolled_back
        );
    }
    Ok(())
}
