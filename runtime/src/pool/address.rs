//! Where a database is, and the errors of a wrong address.

use std::time::Duration;

use sqlx::ConnectOptions;

use crate::backend::{Backend, Driver, Options};
use crate::error::{Category, Error, Phase};

/// What a builder was given.
pub(crate) enum Address<DB: Backend> {
    Url(String),
    Options(Options<DB>),
}

/// Parses a URL. The error never shows what may hold a password.
pub(crate) fn parse<DB: Backend>(url: &str) -> Result<Options<DB>, Error> {
    let Some((scheme, _)) = url.split_once(':') else {
        return Err(wrong(format!("the URL has no scheme; {}", example::<DB>())));
    };
    if !DB::URL_SCHEMES.contains(&scheme) {
        // `postgresql+asyncpg`, `mysql+pymysql`, `jdbc:…` and their kind.
        let shown: String = scheme.chars().take(40).collect();
        return Err(wrong(format!(
            "`{shown}` is not a URL scheme of {}; {}",
            DB::NAME,
            example::<DB>()
        )));
    }
    <DB as Driver>::parse(url).map_err(|error| {
        let detail = match &error {
            sqlx::Error::Configuration(cause) => without(url, &cause.to_string()),
            other => without(url, &other.to_string()),
        };
        wrong(format!(
            "the URL cannot be read: {detail}; {}",
            example::<DB>()
        ))
    })
}

/// Statement text belongs to the debug level, that of slow statements too, which sqlx logs as a warning.
pub(crate) fn quiet<O: ConnectOptions>(options: O) -> O {
    match "debug".parse() {
        Ok(level) => options.log_slow_statements(level, Duration::from_secs(1)),
        Err(_) => options,
    }
}

/// `text` with nothing of `url` in it that might be a secret.
fn without(url: &str, text: &str) -> String {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let secret = authority
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once(':'))
        .map_or("", |(_, password)| password);
    if secret.is_empty() {
        text.to_owned()
    } else {
        text.replace(secret, "***")
    }
}

fn example<DB: Driver>() -> String {
    let example = match DB::SYSTEM {
        "postgresql" => "postgres://user:password@host:5432/database",
        "mysql" => "mysql://user:password@host:3306/database",
        _ => "sqlite://path/to/file.db?mode=rwc",
    };
    format!("write `{example}`")
}

fn wrong(message: String) -> Error {
    Error::new(Category::Programming, Phase::Acquire, message)
}
