use std::rc::Rc;

use steadfast::{PgSession, with_session};

#[with_session(recursive)]
async fn remove(session: &mut PgSession, folder: i64) -> Result<(), steadfast::Error> {
    let folder = Rc::new(folder);
    if *folder > 0 {
        remove(&mut *session, *folder - 1).await?;
    }
    sqlx::query("DELETE FROM folders WHERE id = $1")
        .bind(*folder)
        .execute(session)
        .await?;
    Ok(())
}

fn main() {}
