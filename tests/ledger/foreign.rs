//! The ledger answers for the commit that it was told of, and for no other's work.

each_server! {
    use steadfast::{Category, Error, Outcome, retry, with_session};
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

    #[with_session]
    async fn order(session: &mut Session, payments: &Pool) -> Result<(), Error> {
        note(session, 2).await?;
        payment(payments).await
    }

    /// The order is undone. That the payment stands, as its own error would say, is no answer to whether the order does.
    #[tokio::test]
    async fn of_another_session_it_says_nothing() {
        let place = Place::new().await;
        let (proxy, payments) = place.behind_proxy(2).await;
        payments.install().await.unwrap();
        let orders = place.pool(1).await;
        proxy.on(|sent| sent.runs("COMMIT"), Fault::CutAnswer);
        proxy.on_each(asks, Fault::CutBefore);
        let error = in_time(order(&orders, &payments)).await.unwrap_err();
        proxy.disarm();
        assert_eq!((error.category(), error.outcome()), (Category::CommitUnknown, Outcome::Unknown), "{error:?}");
        eventually("the payment stands", || async { place.notes().await == [1] }).await;
        let asked = error.resolve(&payments).await.unwrap_err();
        assert_eq!((asked.category(), asked.outcome()), (Category::Programming, Outcome::Unknown), "{asked:?}");
    }
}
