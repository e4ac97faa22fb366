use steadfast::{Backend, Session, with_session};

#[with_session(isolation = read_committed)]
async fn transfer<DB: Backend>(session: &mut Session<DB>) -> Result<(), steadfast::Error> {
    let _ = session;
    Ok(())
}

fn main() {}
