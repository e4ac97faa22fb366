//! sqlx's checked macros on a session and on a pool. Each database has its own words for a placeholder, so these are
//! written out; what they were checked against is in `tests/.sqlx`.

macro_rules! checked {
    ($database:ident, $insert:literal, $select:literal) => {
        mod $database {
            use crate::support::$database::*;
            use steadfast::with_session;

            #[with_session]
            async fn note(session: &mut Session, id: i64, body: &str) -> sqlx::Result<String> {
                sqlx::query!($insert, id, body)
                    .execute(&mut *session)
                    .await?;
                let row = sqlx::query!($select, id).fetch_one(&mut *session).await?;
                assert_eq!(row.id, id);
                Ok(row.body)
            }

            #[tokio::test]
            async fn run_on_a_session_and_on_a_pool() {
                let place = Place::new().await;
                let pool = place.pool(2).await;
                assert_eq!(note(&pool, 1, "one").await.unwrap(), "one");
                note(&pool, 2, "one").await.unwrap_err();
                assert_eq!(place.count("notes").await, 1);

                sqlx::query!($insert, 3, "three")
                    .execute(&pool)
                    .await
                    .unwrap();
                let row = sqlx::query!($select, 3).fetch_one(&pool).await.unwrap();
                assert_eq!((row.id, row.body.as_str()), (3, "three"));
                assert!(
                    sqlx::query!($select, 4)
                        .fetch_optional(&pool)
                        .await
                        .unwrap()
                        .is_none()
                );
                assert_eq!(place.count("notes").await, 2);
            }
        }
    };
}

checked!(
    postgres,
    "INSERT INTO notes (id, body) VALUES ($1, $2)",
    "SELECT id, body FROM notes WHERE id = $1"
);
checked!(
    mysql,
    "INSERT INTO notes (id, body) VALUES (?, ?)",
    "SELECT id, body FROM notes WHERE id = ?"
);
checked!(
    sqlite,
    "INSERT INTO notes (id, body) VALUES (?1, ?2)",
    "SELECT id, body FROM notes WHERE id = ?1"
);
