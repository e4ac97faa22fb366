use steadfast::with_session;

struct Account {
    cents: i64,
}

#[with_session]
async fn empty(account: &mut Account) -> Result<i64, steadfast::Error> {
    account.cents = 0;
    Ok(account.cents)
}

fn main() {}
