// Trap 13: state captured by a failed attempt leaks into the next.
use steadfast::{Error, PgSessionPool, RetryPolicy};

async fn transfer(pool: &PgSessionPool, log: &mut Vec<u32>) -> Result<(), Error> {
    pool.operation("bank::transfer")
        .retry(RetryPolicy::exponential())
        .run(async |session| {
            log.push(session.attempt());
            Ok::<_, Error>(())
        })
        .await
}

fn main() {}
