use steadfast::with_session;

#[with_session]
async fn transfer() -> Result<(), steadfast::Error> {
    session.execute("UPDATE accounts SET cents = 0").await?;
    Ok(())
}

fn main() {}
