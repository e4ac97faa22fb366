//! A broken constraint is told by its kind and name, also where it breaks at COMMIT alone.

each_database! {
    use steadfast::{with_session, Category, Error, Group, Integrity, Outcome, Phase};

    helpers!();

    #[with_session]
    async fn run(session: &mut Session, statement: &'static str) -> Result<(), Error> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_broken_constraint_is_named() {
        const TAKEN: &str = "INSERT INTO children VALUES (2, 1, 'secret-4711')";
        const SAME_KEY: &str = "INSERT INTO children VALUES (1, 1, 'other')";
        const NO_PARENT: &str = "INSERT INTO children VALUES (2, 99, 'secret-4712')";
        const IN_USE: &str = "DELETE FROM parents WHERE id = 1";
        const MISSING: &str = "INSERT INTO children VALUES (2, 1, NULL)";
        const TOO_BIG: &str = "INSERT INTO children VALUES (1001, 1, 'secret-4712')";

        let place = Place::new().await;
        schema(&place).await;
        let pool = place.pool(1).await;
        struct Expected {
            statement: &'static str,
            integrity: Integrity,
            code: &'static str,
            constraint: Option<&'static str>,
            table: Option<&'static str>,
            column: Option<&'static str>,
        }
        let children = Some("children");
        let expected = [
            Expected {
                statement: TAKEN,
                integrity: Integrity::Unique,
                code: on("23505", "1062", "2067"),
                constraint: on(Some("children_tag_key"), Some("children_tag_key"), None),
                table: on(children, None, children),
                column: on(None, None, Some("tag")),
            },
            Expected {
                statement: SAME_KEY,
                integrity: Integrity::Unique,
                code: on("23505", "1062", "1555"),
                constraint: on(Some("children_pkey"), Some("PRIMARY"), None),
                table: on(children, None, children),
                column: on(None, None, Some("id")),
            },
            Expected {
                statement: NO_PARENT,
                integrity: Integrity::ForeignKey,
                code: on("23503", "1452", "787"),
                constraint: on(Some("children_parent_fkey"), Some("children_parent_fkey"), None),
                table: on(children, children, None),
                column: on(None, Some("parent"), None),
            },
            Expected {
                statement: IN_USE,
                integrity: Integrity::ForeignKey,
                code: on("23503", "1451", "787"),
                constraint: on(Some("children_parent_fkey"), Some("children_parent_fkey"), None),
                table: on(children, children, None),
                column: on(None, Some("parent"), None),
            },
            Expected {
                statement: MISSING,
                integrity: Integrity::NotNull,
                code: on("23502", "1048", "1299"),
                constraint: None,
                table: on(children, None, children),
                column: Some("tag"),
            },
            Expected {
                statement: TOO_BIG,
                integrity: Integrity::Check,
                code: on("23514", "4025", "275"),
                constraint: Some("children_small"),
                table: on(children, children, None),
                column: None,
            },
        ];
        for expected in expected {
            let error = run(&pool, expected.statement).await.unwrap_err();
            let what = format!("{}: {error:?}", expected.statement);
            assert_eq!(error.category(), Category::Integrity(expected.integrity), "{what}");
            assert_eq!(error.category().group(), Group::Integrity);
            assert_eq!(error.code(), Some(expected.code), "{what}");
            assert_eq!(error.constraint(), expected.constraint, "{what}");
            assert_eq!(error.table(), expected.table, "{what}");
            assert_eq!(error.column(), expected.column, "{what}");
            assert_eq!((error.phase(), error.outcome()), (Phase::Body, Outcome::RolledBack), "{what}");
            assert!(!error.is_retryable(), "{what}");
            assert_eq!(error.operation(), Some(concat!(module_path!(), "::run")), "{what}");
            assert!(matches!(error.as_sqlx(), Some(sqlx::Error::Database(_))), "{what}");
            is_fit_for_users(&error);
        }
        assert_eq!(place.count("children").await, 1);
        let stats = stats(concat!(module_path!(), "::run"));
        assert!(stats.failed(Category::Integrity(Integrity::Unique)) >= 2);
        assert!(stats.failed(Category::Integrity(Integrity::Check)) >= 1);
    }
}

/// Constraints that are checked at COMMIT, and those that only one database knows.
mod postgres_only {
    use crate::support::postgres::*;
    use steadfast::{Category, Error, Integrity, Outcome, Phase, with_session};

    #[with_session]
    async fn run(session: &mut Session, statement: &'static str) -> Result<(), Error> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(())
    }

    #[with_session]
    async fn in_sqlx(session: &mut Session, statement: &'static str) -> sqlx::Result<()> {
        sqlx::query(statement).execute(&mut *session).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_deferred_constraint_fails_at_commit() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE late (n INT CONSTRAINT late_n_key UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO late VALUES (1)")
            .execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        let error = run(&pool, "INSERT INTO late VALUES (1)").await.unwrap_err();
        assert_eq!(
            (error.category(), error.code()),
            (Category::Integrity(Integrity::Unique), Some("23505"))
        );
        assert_eq!(
            (error.phase(), error.outcome()),
            (Phase::Commit, Outcome::RolledBack),
            "{error:?}"
        );
        assert_eq!(
            (error.constraint(), error.table()),
            (Some("late_n_key"), Some("late"))
        );
        assert!(!error.is_retryable());
        assert_eq!(
            (place.count("late").await, place.open_transactions().await),
            (1, 0)
        );
        let raw = in_sqlx(&pool, "INSERT INTO late VALUES (1)")
            .await
            .unwrap_err();
        assert_eq!(Error::from(raw).outcome(), Outcome::RolledBack);
    }

    #[tokio::test]
    async fn an_exclusion_constraint() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE rooms (during INT4RANGE, CONSTRAINT rooms_once EXCLUDE USING gist (during WITH &&)); INSERT INTO rooms VALUES ('[1,5)')")
            .execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        let error = run(&pool, "INSERT INTO rooms VALUES ('[4,9)')")
            .await
            .unwrap_err();
        assert_eq!(
            (error.category(), error.code()),
            (Category::Integrity(Integrity::Exclusion), Some("23P01"))
        );
        assert_eq!(
            (error.constraint(), error.table()),
            (Some("rooms_once"), Some("rooms"))
        );
        assert_eq!(
            error.user_message(),
            "This overlaps with something that already exists."
        );
    }

    #[tokio::test]
    async fn a_rule_of_the_schemas_own_code() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let error = run(&pool, "DO $$ BEGIN RAISE EXCEPTION 'no'; END $$")
            .await
            .unwrap_err();
        assert_eq!(
            (error.category(), error.code()),
            (Category::Integrity(Integrity::Check), Some("P0001"))
        );
    }
}

/// A foreign key of SQLite may be checked at COMMIT, which then keeps the transaction open.
mod sqlite_only {
    use crate::support::sqlite::*;
    use steadfast::{Category, Error, Integrity, Outcome, Phase, with_session};

    #[with_session]
    async fn orphan(session: &mut Session) -> Result<(), Error> {
        sqlx::query("INSERT INTO late VALUES (99)")
            .execute(&mut *session)
            .await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_deferred_foreign_key_fails_at_commit() {
        let place = Place::new().await;
        sqlx::raw_sql("CREATE TABLE late (account BIGINT REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED)")
            .execute(&place.plain).await.unwrap();
        let pool = place.pool(1).await;
        let error = orphan(&pool).await.unwrap_err();
        assert_eq!(
            (error.category(), error.code()),
            (Category::Integrity(Integrity::ForeignKey), Some("787"))
        );
        assert_eq!(
            (error.phase(), error.outcome()),
            (Phase::Commit, Outcome::RolledBack),
            "{error:?}"
        );
        assert_eq!(
            (place.count("late").await, place.open_transactions().await),
            (0, 0)
        );
        sqlx::query("INSERT INTO notes VALUES (1, 'x')")
            .execute(&pool)
            .await
            .unwrap();
        assert_eq!(
            place.count("notes").await,
            1,
            "the connection was left clean"
        );
    }
}
