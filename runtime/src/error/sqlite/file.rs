//! What the codes of `SQLite` say about its file, in words: no server is there whose log, space or role could be meant.

use crate::error::wording::Words;

const OUR_SIDE: &str = "Something went wrong on our side.";
const NOTHING_SAVED: &str = "Nothing can be saved right now. Please try again later.";

const LOCKED: Words = Words {
    headline: "the same connection is using what the statement needs for itself",
    help: "run it on the pool itself (a checkpoint cannot run inside a transaction), and end what reads before that",
    at_opening: None,
    user_message: OUR_SIDE,
};

const NO_MEMORY: Words = Words {
    headline: "the process has no memory left",
    help: "read less at once, or give the process more memory",
    at_opening: None,
    user_message: "The service is out of memory right now. Please try again later.",
};

const READ_ONLY: Words = Words {
    headline: "the database file takes no writes",
    help: "see that this process may write the file and its folder, and that neither `mode=ro` nor `immutable` was asked for",
    at_opening: None,
    user_message: NOTHING_SAVED,
};

const FAILING_DISK: Words = Words {
    headline: "the database file could not be read or written",
    help: "look at the disk, and at what the operating system says of it",
    at_opening: None,
    user_message: OUR_SIDE,
};

const CORRUPT: Words = Words {
    headline: "the database file is damaged",
    help: "restore a backup, or save what can be read with the `.recover` command of the `sqlite3` shell",
    at_opening: None,
    user_message: OUR_SIDE,
};

const FULL: Words = Words {
    headline: "the disk is full, or the file has reached its `max_page_count`",
    help: "make room on the disk, or raise the limit",
    at_opening: None,
    user_message: "The service is out of space right now. Please try again later.",
};

const CANNOT_OPEN: Words = Words {
    headline: "the database file cannot be opened",
    help: "see that the file is still there, and that this process may write its folder and open more files",
    at_opening: Some(
        "see that the path names a file and that its folder exists and may be written; `?mode=rwc` makes the file",
    ),
    user_message: OUR_SIDE,
};

const NO_DATABASE: Words = Words {
    headline: "the file is no SQLite database",
    help: "see that the path names the right file; one that was a database is damaged or encrypted",
    at_opening: None,
    user_message: OUR_SIDE,
};

/// The words for an extended code, by its primary one.
pub(crate) fn words(extended: u32) -> Option<&'static Words> {
    Some(match extended & 0xff {
        6 if extended == 6 => &LOCKED,
        7 => &NO_MEMORY,
        8 => &READ_ONLY,
        10 => &FAILING_DISK,
        11 => &CORRUPT,
        13 => &FULL,
        14 => &CANNOT_OPEN,
        26 => &NO_DATABASE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Phase;

    #[test]
    fn the_words_keep_to_the_rules_of_all_words() {
        for code in [6, 7, 8, 1032, 10, 266, 11, 13, 14, 526, 26] {
            let words = words(code).expect("a code about the file");
            for said in [
                words.headline,
                words.help(Phase::Body),
                words.help(Phase::Acquire),
            ] {
                assert!(
                    said.starts_with(char::is_lowercase) && !said.ends_with('.'),
                    "{said}"
                );
                assert!(!said.contains("server"), "{said}");
            }
            let shown = words.user_message;
            assert!(
                shown.starts_with(char::is_uppercase) && shown.ends_with('.'),
                "{shown}"
            );
            for jargon in ["SQL", "database", "file", "`"] {
                assert!(!shown.contains(jargon), "{shown}");
            }
        }
    }

    #[test]
    fn other_codes_keep_the_words_of_their_category() {
        for code in [0, 1, 5, 262, 518, 787, 2067] {
            assert_eq!(words(code), None, "{code}");
        }
    }
}
