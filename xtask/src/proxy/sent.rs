//! What a client sends, as far as tests care.

use std::fmt;

// Enough to recognise a statement by; a test that inserts megabytes must not keep them.
const LONGEST: usize = 4096;

/// One message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A statement as text: PG's simple query, `MySQL`'s `COM_QUERY`.
    Query(String),
    /// A statement to prepare.
    Prepare(String),
    /// The execution of a prepared statement, by its text.
    Execute(String),
    /// `MySQL`'s `COM_PING`; on PG a Sync that ends nothing.
    Ping,
}

impl Sent {
    /// Whether it makes the server run a statement that contains these whole `words`, in any case.
    pub fn runs(&self, words: &str) -> bool {
        match self {
            Self::Query(text) | Self::Execute(text) => {
                let text = unnamed(&text.to_ascii_lowercase());
                // `COMMIT` is not in `autocommit`, nor in `CALL commits()`.
                text.match_indices(&words.to_ascii_lowercase())
                    .any(|(at, found)| {
                        let (ahead, behind) = (&text[..at], &text[at + found.len()..]);
                        !ahead.ends_with(is_of_word) && !behind.starts_with(is_of_word)
                    })
            }
            Self::Prepare(_) | Self::Ping => false,
        }
    }
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Without the names that sessions give themselves: a function called `commits` sends no COMMIT by that.
fn unnamed(text: &str) -> String {
    text.split(';')
        .filter(|statement| !statement.contains("application_name"))
        .collect::<Vec<_>>()
        .join(";")
}

impl fmt::Display for Sent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(text) => write!(formatter, "query   {text}"),
            Self::Prepare(text) => write!(formatter, "prepare {text}"),
            Self::Execute(text) => write!(formatter, "execute {text}"),
            Self::Ping => formatter.write_str("ping"),
        }
    }
}

/// The text in `bytes`, shortened where it is long.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]).into_owned()
}
