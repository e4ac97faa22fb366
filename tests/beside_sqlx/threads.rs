//! Row 10: what a pool has given is dropped on a thread without a runtime.

use crate::beside_sqlx::{Who, show};

/// Whether dropping it there panics.
fn panics(what: impl Send + 'static) -> bool {
    std::thread::spawn(move || drop(what)).join().is_err()
}

each_database! {
    use super::{Who, panics, show};
    use crate::beside_sqlx::{Doer, MENDED};

    async fn drops(who: Who) -> [bool; 2] {
        let place = Place::new().await;
        let doer = Doer::<Db>::connect(who, &place.url, 1).await;
        let before = doer.number(WHICH).await.unwrap();
        let connection = panics(doer.acquire().await.unwrap());
        if who == Who::Steadfast {
            eventually("its slot is free", || async { doer.is_free() }).await;
            assert_eq!(doer.number(WHICH).await.unwrap(), before, "the same connection");
        }
        let mut work = doer.begin().await.unwrap();
        work.note(1).await.unwrap();
        let transaction = panics(work);
        eventually("its slot is free", || async { doer.is_free() }).await;
        place.has_open(0).await;
        assert!(place.notes().await.is_empty());
        show(10, NAME, who, format_args!("dropped on a plain thread: a connection panics {connection}, a transaction {transaction}"));
        [connection, transaction]
    }

    /// Row 10 of the design's table.
    #[tokio::test]
    async fn dropping_outside_of_a_runtime_does_not_panic() {
        assert_eq!(drops(Who::Sqlx).await, [true, true], "{MENDED}");
        assert_eq!(drops(Who::Steadfast).await, [false, false]);
    }
}
