//! What is said when something is wrong with the file: what it is, and what to do. There is no server behind it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;

use sqlx::sqlite::SqliteConnectOptions;
use steadfast::{Category, Outcome};

use super::*;

#[track_caller]
fn says(error: &Error, code: &str, category: Category, words: &[&str]) {
    let said = error.to_string();
    assert_eq!(
        (error.code(), error.category(), error.is_retryable()),
        (Some(code), category, false),
        "{said}"
    );
    for word in words {
        assert!(said.contains(word), "`{word}`: {said}");
    }
    for foreign in ["server", "primary", "resource", "make room"] {
        assert!(!said.contains(foreign), "`{foreign}`: {said}");
    }
    let shown = error.user_message();
    assert!(
        !shown.contains("space") && !shown.contains("file"),
        "{shown}"
    );
}

async fn unopened(url: String) -> Error {
    Pool::connect(&url).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn that_it_cannot_be_opened_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display();
    for (url, words) in [
        (
            format!("sqlite://{folder}/missing.db"),
            ["there is no such file", "mode=rwc"],
        ),
        (
            format!("sqlite://{folder}/missing/some.db?mode=rwc"),
            ["folder of the file does not exist", "make it first"],
        ),
        (
            format!("sqlite://{folder}?mode=rwc"),
            ["names a folder", "name a file"],
        ),
    ] {
        let error = unopened(url).await;
        says(&error, "14", Category::Resource, &words);
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
}

/// What it is called shows in no text of ours, and nothing is made.
#[tokio::test]
async fn that_its_name_is_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"caf\xe9'; DROP TABLE notes; --.db");
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join(name))
        .create_if_missing(true);
    let began = std::time::Instant::now();
    let error = Pool::builder()
        .primary_with(options)
        .connect()
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(said.contains("must be valid UTF-8"), "{said}");
    assert_eq!(
        (error.outcome(), error.is_retryable()),
        (Outcome::NotSent, false),
        "{said}"
    );
    assert!(
        began.elapsed() < std::time::Duration::from_secs(5),
        "it is told at once"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn that_it_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    std::fs::write(&path, "no database, whatever its name\n".repeat(400)).unwrap();
    let error = unopened(format!("sqlite://{}", path.display())).await;
    says(
        &error,
        "26",
        Category::Resource,
        &["no SQLite database", "the right file"],
    );
}

#[tokio::test]
async fn that_it_is_damaged() {
    let place = Place::new().await;
    for id in 0..50_i64 {
        sqlx::query("INSERT INTO notes VALUES ($1, $1 || hex(zeroblob(1500)))")
            .bind(id)
            .execute(&place.plain)
            .await
            .unwrap();
    }
    // The last to close writes the WAL into the file.
    place.plain.close().await;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&place.name)
        .unwrap();
    for page in 1..40 {
        file.write_all_at(&[0xAA; 4096], page * 4096).unwrap();
    }
    let pool = place.pool(1).await;
    let damaged = ["damaged", "backup"];
    says(
        &read(&pool).await.unwrap_err(),
        "11",
        Category::Resource,
        &damaged,
    );
    says(
        &write(&pool, 100).await.unwrap_err(),
        "11",
        Category::Resource,
        &damaged,
    );
    assert_quiet(&pool);
}

#[tokio::test]
async fn that_it_takes_no_writes() {
    let place = Place::new().await;
    let pool = Pool::connect(&format!("sqlite://{}?mode=ro", place.name))
        .await
        .unwrap();
    assert_eq!(read(&pool).await.unwrap(), 0);
    let error = write(&pool, 1).await.unwrap_err();
    says(
        &error,
        "8",
        Category::ReadOnly,
        &["takes no writes", "mode=ro"],
    );
    assert_eq!(error.outcome(), Outcome::RolledBack);
}

#[with_session(read_only)]
async fn write_as_reader(session: &mut Session) -> Result<(), Error> {
    sqlx::query("INSERT INTO notes VALUES (1, 'one')")
        .execute(&mut *session)
        .await?;
    Ok(())
}

#[tokio::test]
async fn that_it_was_the_session_that_may_not_write() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let error = write_as_reader(&pool).await.unwrap_err();
    says(
        &error,
        "8",
        Category::Programming,
        &["the session is `read_only`"],
    );
}

#[with_session]
async fn checkpoint(session: &mut Session) -> Result<(), Error> {
    write(&mut *session, 1).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut *session)
        .await?;
    Ok(())
}

/// SQLITE_LOCKED without more is about the connection itself: no second attempt would find it otherwise.
#[tokio::test]
async fn that_a_checkpoint_never_runs_inside_a_transaction() {
    let place = Place::new().await;
    let pool = place.pool(1).await;
    let error = checkpoint(&pool).await.unwrap_err();
    says(
        &error,
        "6",
        Category::Programming,
        &["inside a transaction", "on the pool itself"],
    );
    assert_eq!(place.count("notes").await, 0);
    write(&pool, 1).await.unwrap();
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&pool)
        .await
        .unwrap();
}
