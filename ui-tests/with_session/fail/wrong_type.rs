use steadfast::with_session;

#[with_session]
async fn transfer(session: &mut Vec<String>) -> Result<(), steadfast::Error> {
    session.clear();
    Ok(())
}

fn main() {}
