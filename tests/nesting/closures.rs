//! `session.savepoint(async |session| …)`.

each_database! {
    use std::panic::AssertUnwindSafe;
    use futures_util::FutureExt as _;
    use steadfast::{with_session, Category, Error, Integrity, Outcome};
    use tokio::sync::Notify;

    #[with_session]
    async fn mixes(session: &mut Session, offset: &i64) -> Result<&'static str, Error> {
        note(session, offset + 1).await?;
        let answer = session
            .savepoint(async |session| {
                note(session, offset + 2).await?;
                Ok::<_, Error>("kept")
            })
            .await?;
        let refused = session
            .savepoint(async |session| {
                note(session, offset + 3).await?;
                note(session, offset + 1).await?;
                Ok::<_, Error>(())
            })
            .await
            .unwrap_err();
        assert_eq!(refused.category(), Category::Integrity(Integrity::Unique));
        let panicked = AssertUnwindSafe(session.savepoint(async |session| -> Result<(), Error> {
            note(session, offset + 4).await?;
            panic!("inside")
        }))
        .catch_unwind()
        .await;
        assert!(panicked.is_err());
        let is_noted = Notify::new();
        let never_ends = session.savepoint(async |session| -> Result<(), Error> {
            note(session, offset + 5).await?;
            is_noted.notify_one();
            std::future::pending().await
        });
        drop_when(is_noted.notified(), never_ends).await;
        note(session, offset + 6).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn each_confines_what_happens_in_it() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        assert_eq!(mixes(&pool, &10).await.unwrap(), "kept");
        assert_quiet(&pool);
        assert_eq!(place.notes().await, [11, 12, 16]);
        assert_eq!((place.open_transactions().await, pool.stats().opened), (0, 1));
    }

    #[with_session]
    async fn deep(session: &mut Session, well: [bool; 3]) -> Result<(), Error> {
        let judge = |well: bool| if well { Ok(()) } else { Err(transient()) };
        let _ = session.savepoint(async |session| {
            note(session, 1).await?;
            let _ = session.savepoint(async |session| {
                note(session, 2).await?;
                let _ = session.savepoint(async |session| {
                    note(session, 3).await?;
                    judge(well[2])
                }).await;
                note(session, 4).await?;
                judge(well[1])
            }).await;
            note(session, 5).await?;
            judge(well[0])
        }).await;
        note(session, 6).await?;
        Ok(())
    }

    #[tokio::test]
    async fn three_deep() {
        for mask in 0..8 {
            let place = Place::new().await;
            let pool = place.pool(1).await;
            let well = [0, 1, 2].map(|bit| mask & (1 << bit) != 0);
            deep(&pool, well).await.unwrap();
            let mut expected = vec![6];
            if well[0] {
                expected.extend([1, 5]);
                if well[1] {
                    expected.extend([2, 4]);
                    if well[2] {
                        expected.push(3);
                    }
                }
            }
            expected.sort_unstable();
            assert_eq!(place.notes().await, expected, "{well:?}");
            assert_quiet(&pool);
        }
    }

    #[tokio::test]
    async fn a_swallowed_error_inside_is_answered_at_its_end() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        let result = session.savepoint(async |session| {
            note(session, 2).await?;
            note(session, 1).await.unwrap_err();
            Ok::<_, Error>(())
        }).await;
        assert_eq!(result.is_err(), ERROR_DOOMS);
        if let Err(error) = result {
            assert_eq!((error.category(), error.outcome()), (Category::Integrity(Integrity::Unique), Outcome::RolledBack));
        }
        note(&mut session, 3).await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(place.notes().await, if ERROR_DOOMS { vec![1, 3] } else { vec![1, 2, 3] });
    }

    /// Nothing that a savepoint does can undo a doom of what is around it.
    #[tokio::test]
    async fn inside_a_doomed_session_nothing_runs() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        note(&mut session, 1).await.unwrap_err();
        let inner = session.savepoint(async |session| Ok::<_, Error>(note(session, 2).await?)).await;
        assert_eq!(inner.is_err(), ERROR_DOOMS, "{inner:?}");
        assert_eq!(session.commit().await.is_err(), ERROR_DOOMS);
        assert_quiet(&pool);
        assert_eq!(place.notes().await, if ERROR_DOOMS { vec![] } else { vec![1, 2] });
    }

    #[tokio::test]
    async fn set_rollback_only_inside_holds_for_the_whole_session() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let mut session = pool.begin().await.unwrap();
        note(&mut session, 1).await.unwrap();
        session.savepoint(async |session| {
            session.set_rollback_only();
            Ok::<_, Error>(note(session, 2).await?)
        }).await.unwrap();
        assert_eq!(session.commit().await.unwrap_err().outcome(), Outcome::RolledBack);
        assert_quiet(&pool);
        assert!(place.notes().await.is_empty());
    }
}
