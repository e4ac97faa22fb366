//! Methods that call each other, private ones among them.

each_database! {
    use steadfast::{Error, Outcome, with_session};

    struct Bank {
        fee: i64,
    }

    impl Bank {
        #[with_session]
        async fn take(&self, session: &mut Session, id: i64) -> Result<(), Error> {
            pay(session, id, -self.fee).await?;
            Err(transient())
        }

        /// What it calls is managed, although it is its own and nobody else sees it.
        #[with_session]
        async fn move_on(&self, session: &mut Session) -> Result<(), Error> {
            pay(session, 2, self.fee).await?;
            let error = self.take(&mut *session, 1).await.unwrap_err();
            assert_eq!(error.outcome(), Outcome::RolledBack, "as a savepoint: {error}");
            let error = Self::take(self, &mut *session, 3).await.unwrap_err();
            assert_eq!(error.outcome(), Outcome::RolledBack, "whatever it is called by: {error}");
            Ok(())
        }

        /// A session of its own, as for any other caller.
        async fn alone(&self, pool: &Pool) -> Result<(), Error> {
            self.take(pool, 4).await
        }
    }

    /// Trap 2: a method that calls another one of its own type goes around the wrapper.
    #[tokio::test]
    async fn called_by_their_own_type_are_managed_all_the_same() {
        let place = Place::new().await;
        let pool = place.pool(1).await;
        let bank = Bank { fee: 7 };
        bank.move_on(&pool).await.unwrap();
        assert_eq!((place.cents(1).await, place.cents(2).await, place.cents(3).await), (1000, 1007, 1000));
        assert_eq!(bank.alone(&pool).await.unwrap_err().outcome(), Outcome::RolledBack);
        assert_eq!(place.cents(4).await, 1000);
        let counted = stats(concat!(module_path!(), "::take"));
        assert_eq!((counted.started, counted.rolled_back), (3, 3), "{counted:?}");
        assert_quiet(&pool);
    }
}
