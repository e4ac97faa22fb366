//! On functions without a session.
#![deny(warnings, clippy::pedantic)]
#![allow(dead_code)]

use steadfast::{Error, RetryPolicy, SessionError, db_error_handling, retry};

#[derive(Debug, SessionError)]
enum FetchError {
    Refused,
    #[session]
    Db(Error),
}

#[retry(immediate, max = 3)]
async fn plain(url: String, (a, b): (u8, u8), mut n: u8) -> Result<u8, FetchError> {
    std::future::ready(url).await;
    n += a;
    Ok(n + b)
}

#[retry(policy = policy)]
#[db_error_handling(unique("users_email_key") => FetchError::Refused)]
async fn with_a_policy(policy: RetryPolicy, url: &str) -> Result<usize, FetchError> {
    std::future::ready(()).await;
    Ok(url.len())
}

#[derive(Clone)]
struct Client {
    url: String,
}

impl Client {
    #[retry]
    async fn by_reference(&self) -> Result<usize, FetchError> {
        std::future::ready(()).await;
        Ok(self.url.len())
    }

    #[retry]
    async fn by_value(self) -> Result<String, FetchError> {
        std::future::ready(()).await;
        Ok(self.url)
    }
}

/// Declared, also where the receiver is taken by value.
#[allow(async_fn_in_trait)]
trait Fetch {
    #[retry]
    async fn once(self) -> Result<usize, FetchError>
    where
        Self: Sized + Clone;

    #[retry]
    async fn with_url(&self, url: String) -> Result<usize, FetchError>;

    #[retry]
    async fn provided(self) -> Result<usize, FetchError>
    where
        Self: Sized + Clone,
    {
        self.once().await
    }
}

impl Fetch for Client {
    #[retry]
    async fn once(self) -> Result<usize, FetchError> {
        std::future::ready(()).await;
        Ok(self.url.len())
    }

    #[retry]
    async fn with_url(&self, url: String) -> Result<usize, FetchError> {
        std::future::ready(()).await;
        Ok(self.url.len() + url.len())
    }
}

fn main() {}
