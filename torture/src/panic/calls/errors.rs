//! Errors that are looked at.

macro_rules! errors {
    () => {
        #[with_session]
        #[db_error_handling]
        async fn fails(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Touchy> {
            note(session, base + 1).await?;
            fuse.held().await;
            insert(&mut *session, base + 1).await?;
            Ok(())
        }

        #[with_session]
        #[retry(immediate, max = 2)]
        #[db_error_handling]
        async fn fails_first(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Touchy> {
            note(session, base + 1).await?;
            fuse.held().await;
            if session.attempt() == 1 {
                Err(Touchy::transient())
            } else {
                Ok(())
            }
        }

        #[with_session]
        async fn fails_inside(
            session: &mut Session,
            base: i64,
            fuse: &Fuse,
            joins: bool,
        ) -> Result<(), Touchy> {
            note(session, base + 1).await?;
            fuse.held().await;
            let _ = if joins {
                refuses_joined(&mut *session, base).await
            } else {
                refuses(&mut *session, base).await
            };
            Ok(())
        }

        #[with_session]
        async fn refuses(session: &mut Session, base: i64) -> Result<(), Touchy> {
            note(session, base + 2).await?;
            Err(Touchy::of_the_domain())
        }

        #[with_session(nested = join)]
        async fn refuses_joined(session: &mut Session, base: i64) -> Result<(), Touchy> {
            note(session, base + 2).await?;
            Err(Touchy::transient())
        }

        /// A value that cannot be sent; its error is touchy.
        struct Unsendable;

        impl sqlx::Type<Db> for Unsendable {
            fn type_info() -> <Db as sqlx::Database>::TypeInfo {
                <i64 as sqlx::Type<Db>>::type_info()
            }
        }

        impl sqlx::Encode<'_, Db> for Unsendable {
            fn encode_by_ref(
                &self,
                _: &mut <Db as sqlx::Database>::ArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                Err(Box::new(Touchy::of_the_domain()))
            }
        }

        #[with_session]
        #[db_error_handling]
        async fn words(session: &mut Session, base: i64, fuse: &Fuse) -> Result<(), Error> {
            note(session, base + 1).await?;
            fuse.held().await;
            let unsendable =
                sqlx::query(sql("SELECT id FROM accounts WHERE id = $1")).bind(Unsendable);
            unsendable.execute(&mut *session).await?;
            Ok(())
        }
    };
}
pub(in crate::panic) use errors;
