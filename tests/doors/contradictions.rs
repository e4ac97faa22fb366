//! Options that cannot all be had are an error before anything is sent.

each_database! {
    use std::time::Duration;
    use steadfast::{Category, Error, Isolation, NamedOperation, Outcome, RetryPolicy};

    type Named<'p> = NamedOperation<'p, Db>;

    async fn refused(name: &'static str, ask: impl for<'p> Fn(Named<'p>) -> Named<'p>, policy: Option<RetryPolicy>) -> String {
        let pool = Pool::builder().primary(&Place::new().await.url).connect_lazy().unwrap();
        let body = async |_: &mut Session| -> Result<(), Error> { panic!("the body must not run") };
        let operation = ask(pool.operation(name));
        let error = match policy {
            None => operation.run(body).await,
            Some(policy) => operation.retry(policy).run(body).await,
        }.unwrap_err();
        assert_eq!((error.category(), error.outcome()), (Category::Programming, Outcome::NotSent), "{error}");
        assert_eq!(pool.stats().opened, 0);
        assert_quiet(&pool);
        assert_eq!(error.operation(), Some(name));
        error.to_string()
    }

    #[tokio::test]
    async fn each_says_what_contradicts_what() {
        const NAME_OF_ALL: &str = concat!(module_path!(), "::refused");
        let once = |ask: fn(Named<'_>) -> Named<'_>| refused(NAME_OF_ALL, ask, None);
        let text = once(|operation| operation.autocommit().isolation(Isolation::Serializable)).await;
        assert!(text.contains("`isolation`") && text.contains("`autocommit`"), "{text}");
        let text = once(|operation| operation.read_only().autocommit()).await;
        assert!(text.contains("`read_only`") && text.contains("`autocommit`"), "{text}");
        for (name, ask) in [
            ("`timeout`", (|operation| operation.timeout(Duration::ZERO)) as fn(Named<'_>) -> Named<'_>),
            ("`lock_timeout`", |operation| operation.lock_timeout(Duration::ZERO)),
            ("`statement_timeout`", |operation| operation.statement_timeout(Duration::ZERO)),
        ] {
            let text = once(ask).await;
            assert!(text.contains(name), "{text}");
        }
        let policy = RetryPolicy::immediate();
        let text = refused(NAME_OF_ALL, |operation| operation.autocommit(), Some(policy)).await;
        assert!(text.contains("a second attempt repeats"), "{text}");
        let text = refused(NAME_OF_ALL, |operation| operation.autocommit(), Some(policy.idempotent().verify_commit())).await;
        assert!(text.contains("`verify_commit`"), "{text}");
        let text = refused(NAME_OF_ALL, |operation| operation.read_only(), Some(policy.verify_commit())).await;
        assert!(text.contains("`verify_commit`") && text.contains("`read_only`"), "{text}");
        let counted = stats(NAME_OF_ALL);
        assert_eq!((counted.started, counted.not_sent, counted.failed(Category::Programming)), (8, 8, 8));
    }

    #[tokio::test]
    async fn what_can_be_had_runs() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let body = async |session: &mut Session| {
            sqlx::query("UPDATE accounts SET cents = cents + 1 WHERE id = 1").execute(&mut *session).await?;
            Ok::<_, Error>(())
        };
        let operation = || pool.operation(concat!(module_path!(), "::allowed"));
        operation().autocommit().retry(RetryPolicy::immediate().idempotent()).run(body).await.unwrap();
        operation().autocommit().retry(RetryPolicy::none()).run(body).await.unwrap();
        operation().isolation(Isolation::Serializable).timeout(Duration::MAX).lock_timeout(Duration::MAX)
            .statement_timeout(Duration::MAX).run(body).await.unwrap();
        assert_eq!(place.cents(1).await, 1003);
    }
}

mod sqlite_levels {
    use crate::support::sqlite::Pool;
    use steadfast::{Category, Error, Isolation};

    #[tokio::test]
    async fn sqlite_takes_no_weaker_isolation() {
        let pool = Pool::in_memory().await.unwrap();
        for level in [Isolation::ReadCommitted, Isolation::RepeatableRead] {
            let error = pool
                .operation("weak")
                .isolation(level)
                .run(async |_| Ok::<_, Error>(()))
                .await
                .unwrap_err();
            assert_eq!(error.category(), Category::Programming);
            assert!(error.to_string().contains("always serializable"), "{error}");
        }
    }
}
