use steadfast::{Lease, with_session};

#[with_session]
async fn transfer(lease: &mut Lease<sqlx::Postgres>) -> Result<(), steadfast::Error> {
    let _ = lease;
    Ok(())
}

fn main() {}
