//! Errors of the domain, made from what the schema's constraints say.
//!
//! ```text
//! cargo run --example errors
//! ```
//!
//! The constraints decide, not a `SELECT` in front of them that another call may overtake; the arms translate.

use sqlx::Sqlite;
use steadfast::{
    SessionError, SessionPool, SqliteSession, SqliteSessionPool, db_error_handling, retry,
    with_session,
};

#[derive(Debug, thiserror::Error, SessionError)]
enum SignUpError {
    #[error("this address has an account already")]
    EmailTaken,
    #[error("there is no such company")]
    NoSuchCompany,
    #[error("one has to be 18")]
    TooYoung,
    #[error("there is no such user")]
    NoSuchUser,
    #[session]
    #[error(transparent)]
    Db(steadfast::Error),
}

/// PostgreSQL and MySQL name their constraints: `unique("users_email_key")`. SQLite names the columns.
#[with_session]
#[retry]
#[db_error_handling(
    unique("users.email") => SignUpError::EmailTaken,
    foreign_key => SignUpError::NoSuchCompany,
    check => SignUpError::TooYoung,
)]
async fn sign_up(
    session: &mut SqliteSession,
    email: &str,
    age: i64,
    company: i64,
) -> Result<i64, SignUpError> {
    let done = sqlx::query("INSERT INTO users (email, age, company) VALUES ($1, $2, $3)")
        .bind(email)
        .bind(age)
        .bind(company)
        .execute(&mut *session)
        .await?;
    Ok(done.last_insert_rowid())
}

#[with_session(read_only)]
#[db_error_handling(not_found => SignUpError::NoSuchUser)]
async fn age_of(session: &mut SqliteSession, email: &str) -> Result<i64, SignUpError> {
    Ok(sqlx::query_scalar("SELECT age FROM users WHERE email = $1")
        .bind(email)
        .fetch_one(&mut *session)
        .await?)
}

#[with_session]
#[db_error_handling]
async fn forgotten_migration(session: &mut SqliteSession) -> Result<(), SignUpError> {
    sqlx::query("INSERT INTO newsletter (email) VALUES ('ada@example.org')")
        .execute(&mut *session)
        .await?;
    Ok(())
}

async fn schema() -> Result<SqliteSessionPool, Box<dyn std::error::Error>> {
    let pool = SessionPool::<Sqlite>::in_memory().await?;
    sqlx::raw_sql("CREATE TABLE companies (id INTEGER PRIMARY KEY)")
        .execute(&pool)
        .await?;
    sqlx::raw_sql(
        "CREATE TABLE users (
             id INTEGER PRIMARY KEY,
             email TEXT NOT NULL UNIQUE,
             age INTEGER NOT NULL CHECK (age >= 18),
             company INTEGER NOT NULL REFERENCES companies (id)
         )",
    )
    .execute(&pool)
    .await?;
    sqlx::raw_sql("INSERT INTO companies VALUES (1)")
        .execute(&pool)
        .await?;
    Ok(pool)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = schema().await?;

    println!(
        "ada    {:?}",
        sign_up(&pool, "ada@example.org", 36, 1).await?
    );

    let taken = sign_up(&pool, "ada@example.org", 41, 1).await;
    println!("again  {taken:?}");
    assert!(matches!(taken, Err(SignUpError::EmailTaken)));

    let nowhere = sign_up(&pool, "bob@example.org", 41, 99).await;
    println!("bob    {nowhere:?}");
    assert!(matches!(nowhere, Err(SignUpError::NoSuchCompany)));

    let young = sign_up(&pool, "eve@example.org", 17, 1).await;
    println!("eve    {young:?}");
    assert!(matches!(young, Err(SignUpError::TooYoung)));

    let unknown = age_of(&pool, "eve@example.org").await;
    println!("age    {unknown:?}");
    assert!(matches!(unknown, Err(SignUpError::NoSuchUser)));

    // What no arm translates still says what happened, to whom, and what may be shown to a user.
    let Err(SignUpError::Db(error)) = forgotten_migration(&pool).await else {
        return Err("there is no such table".into());
    };
    println!("\nfor the log   {error}");
    println!("for a user    {}", error.user_message());
    println!(
        "category      {}, in {:?}, outcome {:?}",
        error.category(),
        error.phase(),
        error.outcome()
    );
    println!("operation     {}", error.operation().unwrap_or("none"));
    assert!(
        !error.user_message().contains("newsletter"),
        "a user is told nothing of the schema"
    );
    Ok(())
}
