use steadfast::{Backend, with_session};

#[with_session]
async fn transfer<DB: Backend>(connection: &mut DB::Connection) -> Result<(), steadfast::Error> {
    let _ = connection;
    Ok(())
}

fn main() {}
