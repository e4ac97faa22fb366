use steadfast::with_session;

#[with_session]
async fn transfer(from: i64, to: i64) -> Result<i64, steadfast::Error> {
    Ok(from + to)
}

fn main() {}
