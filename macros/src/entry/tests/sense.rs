//! What the attributes and the derive stand on where nobody has made a mistake.

use proc_macro2::TokenStream;
use quote::quote;

use crate::stack::Door;

/// What stands in the parentheses of an attribute and what it stands on, without a mistake.
pub(super) struct Managed {
    pub(super) door: Door,
    pub(super) options: TokenStream,
    pub(super) function: TokenStream,
}

pub(super) fn managed() -> Vec<Managed> {
    let managed = |door, options, function| Managed {
        door,
        options,
        function,
    };
    vec![
        managed(
            Door::WithSession,
            quote!(timeout = "5s", isolation = serializable, nested = join),
            quote! {
                #[retry(exponential, max = 5, jitter = equal)]
                #[db_error_handling(unique => BankError::Taken, retryable => BankError::Busy)]
                pub async fn transfer(session: &mut PgSession, from: i64, cents: u32) -> Result<(), BankError> { Ok(()) }
            },
        ),
        managed(
            Door::WithSession,
            quote!(
                autocommit,
                pool = self.pool,
                name = "a::b",
                crate = steadfast
            ),
            quote! {
                async fn named<'a, T: Send>(&self, session: &mut PgSession, note: &'a str, one: T) -> Result<T, Error>
                where T: Clone { Ok(one) }
            },
        ),
        managed(
            Door::WithSession,
            quote!(
                recursive,
                read_only,
                lock_timeout = "250ms",
                statement_timeout = "1s"
            ),
            quote! {
                async fn walk<DB: Backend>(session: &mut Session<DB>, (from, to): (i64, i64)) -> Result<u32, Error> { Ok(0) }
            },
        ),
        managed(
            Door::Retry,
            quote!(
                exponential,
                max = 5,
                base = "10ms",
                cap = "1s",
                factor = 3,
                within = "10s",
                on(unique, timeout),
                verify_commit
            ),
            quote! {
                #[with_session]
                async fn lent(connection: &mut PgConnection) -> Result<(), sqlx::Error> { Ok(()) }
            },
        ),
        managed(
            Door::Retry,
            quote!(policy = HOT_ROWS, idempotent),
            quote! {
                async fn count(pool: &SqlitePool, mut seen: Vec<i64>) -> Result<i64, sqlx::Error> { Ok(0) }
            },
        ),
        managed(
            Door::DbErrorHandling,
            quote! {
                unique("users_email_key") => SignUpError::EmailTaken(email),
                foreign_key => SignUpError::NoSuchTenant,
                crate = steadfast,
            },
            quote! {
                #[steadfast::with_session(timeout = "1.5s")]
                async fn sign_up(session: &mut PgSession, email: String) -> Result<(), SignUpError> { Ok(()) }
            },
        ),
        managed(
            Door::DbErrorHandling,
            quote!(not_found => Missing, query => SomeError::Query { code: 7 }),
            quote! {
                fn plain() -> Result<(), SomeError> { Ok(()) }
            },
        ),
    ]
}

/// What the derive stands on, without a mistake.
pub(super) fn errors() -> Vec<TokenStream> {
    vec![
        quote! {
            #[session(crate = steadfast)]
            enum Failure<T> where T: Clone {
                #[error("busy")] Busy,
                #[error(transparent)] #[session] Db(steadfast::Error),
                #[error("other")] Other { source: std::io::Error, more: T },
            }
        },
        quote! {
            pub(crate) enum ServiceError {
                #[error(transparent)]
                Repo(#[from] RepoError),
                #[error("the price list cannot be read")]
                Prices(#[source] Box<dyn std::error::Error + Send + Sync>),
                #[session]
                Db(#[source] Error),
            }
        },
    ]
}
