use steadfast::with_session;

#[with_session]
async fn transfer<S>(session: &mut S) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
