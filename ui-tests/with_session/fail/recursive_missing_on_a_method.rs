use steadfast::{PgSession, PgSessionPool, with_session};

struct Folders;

impl Folders {
    #[with_session]
    async fn remove(&self, session: &mut PgSession, folder: i64) -> Result<(), steadfast::Error> {
        if folder > 0 {
            self.remove(&mut *session, folder - 1).await?;
        }
        Ok(())
    }
}

fn spawn(pool: PgSessionPool) {
    tokio::spawn(async move { Folders.remove(&pool, 1).await });
}

fn main() {
    let _ = spawn;
}
