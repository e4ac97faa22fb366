use steadfast::PgSessionPool;

#[derive(Debug)]
struct BankError;

async fn transfer(pool: &PgSessionPool) -> Result<(), BankError> {
    pool.session("bank::transfer", async |_| Err(BankError)).await
}

fn main() {}
