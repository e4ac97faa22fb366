//! What lending relies on in sqlx, which promises none of it: should one of these fail behind an update of sqlx, then
//! `runtime/src/shield/lending.rs` is wrong.

each_database! {
    use sqlx::{Connection as _, Database, SqlSafeStr as _};
    use sqlx_core::transaction::TransactionManager;

    type Manager = <Db as Database>::TransactionManager;

    fn depth(connection: &Connection) -> usize {
        Manager::get_transaction_depth(connection)
    }

    async fn names(connection: &mut Connection, name: &'static str) -> bool {
        let release = sqlx::AssertSqlSafe(format!("SAVEPOINT probe; RELEASE SAVEPOINT {name}"));
        sqlx::raw_sql(release).execute(connection).await.is_ok()
    }

    /// A batch of ours ahead of which sqlx counts nothing makes it count one, also where it only sets a savepoint.
    #[tokio::test]
    async fn begin_with_a_statement_counts_one() {
        let place = Place::new().await;
        let mut connection = Connection::connect(&place.url).await.unwrap();
        assert_eq!(depth(&connection), 0);
        sqlx::raw_sql("BEGIN").execute(&mut connection).await.unwrap();
        assert_eq!(depth(&connection), 0, "raw SQL is not counted");
        Manager::begin(&mut connection, Some("SAVEPOINT ours".into_sql_str())).await.unwrap();
        assert_eq!(depth(&connection), 1);
        // Several statements are one begin.
        sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.unwrap();
        assert_eq!(depth(&connection), 1, "nor is it uncounted");

        let mut connection = Connection::connect(&place.url).await.unwrap();
        Manager::begin(&mut connection, Some("BEGIN; SAVEPOINT ours".into_sql_str())).await.unwrap();
        assert_eq!(depth(&connection), 1);
        // Where one is counted already a statement of ours is refused, so that we send it ourselves.
        let refused = Manager::begin(&mut connection, Some("SAVEPOINT more".into_sql_str())).await;
        assert!(matches!(refused, Err(sqlx::Error::InvalidSavePointStatement)), "{refused:?}");
    }

    /// From one on a transaction of sqlx's is a savepoint, with these names.
    #[tokio::test]
    async fn begin_commit_and_rollback_are_savepoints_from_one_on() {
        let place = Place::new().await;
        let mut connection = Connection::connect(&place.url).await.unwrap();
        Manager::begin(&mut connection, Some("BEGIN; SAVEPOINT ours".into_sql_str())).await.unwrap();
        for ending in 0..3 {
            let mut transaction = connection.begin().await.unwrap();
            assert_eq!(depth(&transaction), 2);
            let inner = transaction.begin().await.unwrap();
            assert_eq!(depth(&inner), 3);
            match ending {
                0 => inner.commit().await.unwrap(),
                1 => inner.rollback().await.unwrap(),
                _ => drop(inner),
            }
            sqlx::query("SELECT 1").execute(&mut *transaction).await.unwrap();
            assert_eq!(depth(&transaction), 2);
            assert!(names(&mut transaction, "_sqlx_savepoint_1").await, "the name of its savepoint");
            // Which the probe has released: the rollback of the transaction's drop finds none.
            sqlx::raw_sql("SAVEPOINT _sqlx_savepoint_1").execute(&mut *transaction).await.unwrap();
            drop(transaction);
            sqlx::query("SELECT 1").execute(&mut connection).await.unwrap();
            assert_eq!(depth(&connection), 1);
        }
        assert!(names(&mut connection, "ours").await, "ours is untouched");
    }

    /// The count is taken down when a rollback is queued, and the batch of `uncount` fits the names.
    #[tokio::test]
    async fn the_count_goes_down_with_each_rollback() {
        let place = Place::new().await;
        let mut connection = Connection::connect(&place.url).await.unwrap();
        Manager::begin(&mut connection, None).await.unwrap();
        Manager::begin(&mut connection, None).await.unwrap();
        Manager::begin(&mut connection, None).await.unwrap();
        sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.unwrap();
        assert_eq!(depth(&connection), 3);
        sqlx::raw_sql("BEGIN; SAVEPOINT _sqlx_savepoint_1; SAVEPOINT _sqlx_savepoint_2").execute(&mut connection).await.unwrap();
        for left in [2, 1, 0] {
            Manager::rollback(&mut connection).await.unwrap();
            assert_eq!(depth(&connection), left);
        }
        assert!(sqlx::raw_sql("BEGIN; ROLLBACK").execute(&mut connection).await.is_ok());
        let open: bool = place.open_transactions().await != 0;
        assert!(!open);
    }
}
