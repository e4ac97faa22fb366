use steadfast::{PgSession, PgSessionPool, db_error_handling, retry, with_session};

#[with_session(isolatoin = serializable, timeout = "5")]
#[retry(max = 0)]
#[db_error_handling(uniqe => steadfast::Error::from(sqlx::Error::RowNotFound))]
async fn transfer(session: &mut PgSession, log: &mut Vec<String>) -> Result<(), steadfast::Error> {
    let _ = session;
    log.push("started".to_owned());
    Ok(())
}

/// The function is there all the same.
async fn caller(pool: PgSessionPool) -> Result<(), steadfast::Error> {
    transfer(&pool, &mut Vec::new()).await
}

fn main() {
    let _ = caller;
}
