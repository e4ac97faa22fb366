//! The words for errors: the same in `on(…)` and in the arms of `#[db_error_handling]`.

use crate::suggest;

/// One word and the variant of `__private::Kind` that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    /// The groups this word belongs to, itself a group or not.
    groups: &'static [&'static str],
    /// Whether the database names a constraint with such an error.
    pub(crate) names_constraint: bool,
}

const fn word(name: &'static str, kind: &'static str, groups: &'static [&'static str]) -> Word {
    Word {
        name,
        kind,
        groups,
        names_constraint: false,
    }
}

const fn constraint(name: &'static str, kind: &'static str) -> Word {
    Word {
        name,
        kind,
        groups: &["integrity"],
        names_constraint: true,
    }
}

/// Every word there is, groups first.
pub(crate) const WORDS: [Word; 25] = [
    word("retryable", "Retryable", &[]),
    Word {
        names_constraint: true,
        ..word("integrity", "Integrity", &[])
    },
    word("programming", "Programming", &[]),
    word("query", "Query", &[]),
    word("conflict", "Conflict", &["retryable"]),
    word("connection", "Connection", &["retryable"]),
    word("capacity", "Capacity", &["retryable"]),
    word("lock_timeout", "LockTimeout", &["retryable"]),
    constraint("unique", "Unique"),
    constraint("foreign_key", "ForeignKey"),
    constraint("not_null", "NotNull"),
    constraint("check", "Check"),
    constraint("exclusion", "Exclusion"),
    word("data", "Data", &["programming"]),
    word("not_found", "NotFound", &["query"]),
    word("too_many_rows", "TooManyRows", &["query"]),
    word("access", "Access", &[]),
    word("resource", "Resource", &[]),
    word("timeout", "Timeout", &[]),
    word("cancelled", "Cancelled", &[]),
    word("read_only", "ReadOnly", &[]),
    word("pool_deadlock", "PoolDeadlock", &[]),
    word("commit_unknown", "CommitUnknown", &[]),
    word("closed", "Closed", &[]),
    word("internal", "Internal", &[]),
];

impl Word {
    /// Whether every error that `other` stands for is one of this word's too.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.name == other.name || other.groups.contains(&self.name)
    }
}

pub(crate) fn find(name: &str) -> Option<Word> {
    WORDS.into_iter().find(|word| word.name == name)
}

/// What a user who wrote `name` may have meant.
pub(crate) fn help(name: &str) -> String {
    let names = || WORDS.iter().map(|word| word.name);
    if let Some(meant) = suggest::nearest(name, names()) {
        return format!("did you mean `{meant}`?");
    }
    let known: Vec<_> = names().map(|name| format!("`{name}`")).collect();
    format!("the words are {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{WORDS, find, help};

    #[test]
    fn a_group_covers_its_members_and_no_others() {
        let covers = |left, right| {
            find(left)
                .expect(left)
                .covers(find(right).expect("a known word"))
        };
        assert!(covers("integrity", "unique"));
        assert!(covers("retryable", "lock_timeout"));
        assert!(covers("programming", "data"));
        assert!(covers("query", "not_found"));
        assert!(covers("unique", "unique"));
        assert!(!covers("unique", "integrity"));
        assert!(!covers("retryable", "timeout"));
    }

    #[test]
    fn each_word_is_the_snake_case_of_its_kind() {
        for word in WORDS {
            let camel: String = word
                .name
                .split('_')
                .map(|part| part[..1].to_uppercase() + &part[1..])
                .collect();
            assert_eq!(camel, word.kind);
        }
    }

    #[test]
    fn an_unknown_word_is_answered_with_its_neighbour_or_with_all() {
        assert!(find("uniq").is_none());
        assert_eq!(help("forein_key"), "did you mean `foreign_key`?");
        assert!(help("colour").contains("`pool_deadlock`"));
    }
}
