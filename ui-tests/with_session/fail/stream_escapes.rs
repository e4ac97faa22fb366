// Trap 23: a stream or a session outlives its transaction.
use std::pin::Pin;

use sqlx::postgres::PgRow;
use steadfast::{PgSession, with_session};

type Rows<'a> = Pin<Box<dyn futures_core::Stream<Item = Result<PgRow, sqlx::Error>> + Send + 'a>>;

#[with_session]
async fn accounts<'a>(session: &mut PgSession, query: &'a str) -> Result<Rows<'a>, sqlx::Error> {
    let _ = query;
    Ok(sqlx::query("SELECT * FROM accounts").fetch(session))
}

fn main() {}
