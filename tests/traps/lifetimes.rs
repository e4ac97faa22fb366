//! Connections that were opened together do not end together.

/// Opened in one moment.
const CONNECTIONS: u32 = 8;

each_database! {
    use super::CONNECTIONS;
    use std::time::{Duration, Instant};

    /// Takes every connection there may be, and gives it back: says how many were opened until now.
    async fn opened(pool: &Pool) -> u64 {
        let mut leases = Vec::new();
        for _ in 0..CONNECTIONS {
            leases.push(pool.acquire().await.unwrap());
        }
        for lease in leases {
            pool.release(lease).await.unwrap();
        }
        pool.stats().opened
    }

    /// How old they were, in milliseconds, when some of them had been replaced and others had not.
    async fn one_life(place: &Place, lifetime: Duration) -> Vec<(u128, u64)> {
        let began = Instant::now();
        let pool = place.builder(CONNECTIONS).max_lifetime(lifetime).connect().await.unwrap();
        let all = u64::from(CONNECTIONS);
        let mut seen = Vec::new();
        loop {
            let replaced = opened(&pool).await - all;
            // Without chance in it none would be replaced ahead of this.
            if began.elapsed() >= lifetime {
                return seen;
            }
            if 0 < replaced && replaced < all {
                seen.push((began.elapsed().as_millis(), replaced));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Trap 22: all connections die in the same second.
    #[tokio::test]
    async fn end_one_by_one() {
        let place = Place::new().await;
        // A busy machine opens them one by one, and sees nothing of it in a short life.
        for seconds in [1, 2, 4, 8, 16] {
            let seen = one_life(&place, Duration::from_secs(seconds)).await;
            if let (Some(first), Some(last)) = (seen.first(), seen.last()) {
                assert!(first.0 >= u128::from(seconds) * 750, "three quarters of it they all have: {seen:?}");
                println!(
                    "{NAME:9} | {CONNECTIONS} connections, {seconds} s | {} replaced after {} ms, {} after {} ms",
                    first.1, first.0, last.1, last.0
                );
                return;
            }
        }
        panic!("they end in the same moment");
    }
}
