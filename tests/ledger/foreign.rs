//! The ledger answers for the commit that it was told of, and for no other's work.

each_server! {
    use steadfast::{Category, Error, Outcome, SessionError, retry, with_session};
    use xtask::proxy::{Fault, Sent};

    /// The question, and not the commit.
    fn asks(sent: &Sent) -> bool {
        sent.runs("steadfast_ledger") && !sent.runs("; COMMIT")
    }

    #[with_session(timeout = "1s")]
    #[retry(immediate, verify_commit)]
    async fn payment(session: &mut Session) -> Result<(), Error> {
        note(session, 1).await?;
        Ok(())
    }

    /// Knows nothing of us.
    #[derive(Debug, thiserror::Error)]
    #[error("payments")]
    struct Foreign(#[source] Error);

    #[derive(Debug, thiserror::Error, SessionError)]
    enum OrderError {
        #[error(transparent)]
        Foreign(#[from] Foreign),
        #[session]
        #[error(transparent)]
        Db(Error),
    }

    #[with_session]
    async fn order(session: &mut Session, payments: &Pool, wrap: fn(Error) -> OrderError) -> Result<(), OrderError> {
        note(session, 2).await.map_err(Error::from)?;
        payment(payments).await.map_err(wrap)
    }

    /// The order is undone. That the payment stands, as its own error would say, is no answer to whether the order does.
    #[tokio::test]
    async fn of_another_session_it_says_nothing() {
        for wrap in [OrderError::Db, |error| Foreign(error).into()] {
            let place = Place::new().await;
            let (proxy, payments) = place.behind_proxy(2).await;
            payments.install().await.unwrap();
            let orders = place.pool(1).await;
            proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
            proxy.on_each(asks, Fault::CutBefore);
            let OrderError::Db(error) = in_time(order(&orders, &payments, wrap)).await.unwrap_err() else {
                panic!("it was told");
            };
            proxy.disarm();
            assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error:?}");
            eventually("the payment stands", || async { place.notes().await == [1] }).await;
            let asked = error.resolve(&payments).await.unwrap_err();
            assert_eq!((asked.category(), asked.outcome()), (Category::Programming, Outcome::Unknown), "{asked:?}");
        }
    }
}
