//! The words of `on(…)` and of arms.

use super::category::{Category, Group, Integrity};

/// One word of `#[retry(on(…))]` or of an arm: a category or a whole group.
///
/// `programming` names the group, which holds `data` too.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    Retryable,
    Integrity,
    Programming,
    Query,
    Conflict,
    Connection,
    Capacity,
    LockTimeout,
    Unique,
    ForeignKey,
    NotNull,
    Check,
    Exclusion,
    Data,
    NotFound,
    TooManyRows,
    Access,
    Resource,
    Timeout,
    Cancelled,
    ReadOnly,
    PoolDeadlock,
    CommitUnknown,
    Closed,
    Internal,
}

impl Kind {
    /// Whether `category` is what this word names.
    pub const fn matches(self, category: Category) -> bool {
        match self {
            Kind::Retryable => matches!(category.group(), Group::Retryable),
            Kind::Integrity => matches!(category.group(), Group::Integrity),
            Kind::Programming => matches!(category.group(), Group::Programming),
            Kind::Query => matches!(category.group(), Group::Query),
            Kind::Conflict => matches!(category, Category::Conflict),
            Kind::Connection => matches!(category, Category::Connection),
            Kind::Capacity => matches!(category, Category::Capacity),
            Kind::LockTimeout => matches!(category, Category::LockTimeout),
            Kind::Unique => matches!(category, Category::Integrity(Integrity::Unique)),
            Kind::ForeignKey => matches!(category, Category::Integrity(Integrity::ForeignKey)),
            Kind::NotNull => matches!(category, Category::Integrity(Integrity::NotNull)),
            Kind::Check => matches!(category, Category::Integrity(Integrity::Check)),
            Kind::Exclusion => matches!(category, Category::Integrity(Integrity::Exclusion)),
            Kind::Data => matches!(category, Category::Data),
            Kind::NotFound => matches!(category, Category::NotFound),
            Kind::TooManyRows => matches!(category, Category::TooManyRows),
            Kind::Access => matches!(category, Category::Access),
            Kind::Resource => matches!(category, Category::Resource),
            Kind::Timeout => matches!(category, Category::Timeout),
            Kind::Cancelled => matches!(category, Category::Cancelled),
            Kind::ReadOnly => matches!(category, Category::ReadOnly),
            Kind::PoolDeadlock => matches!(category, Category::PoolDeadlock),
            Kind::CommitUnknown => matches!(category, Category::CommitUnknown),
            Kind::Closed => matches!(category, Category::Closed),
            Kind::Internal => matches!(category, Category::Internal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINGLE: [Kind; 21] = [
        Kind::Conflict,
        Kind::Connection,
        Kind::Capacity,
        Kind::LockTimeout,
        Kind::Unique,
        Kind::ForeignKey,
        Kind::NotNull,
        Kind::Check,
        Kind::Exclusion,
        Kind::Data,
        Kind::NotFound,
        Kind::TooManyRows,
        Kind::Access,
        Kind::Resource,
        Kind::Timeout,
        Kind::Cancelled,
        Kind::ReadOnly,
        Kind::PoolDeadlock,
        Kind::CommitUnknown,
        Kind::Closed,
        Kind::Internal,
    ];

    #[test]
    fn a_single_word_matches_exactly_one_category() {
        for kind in SINGLE {
            let matched = Category::ALL
                .into_iter()
                .filter(|category| kind.matches(*category))
                .count();
            assert_eq!(matched, 1, "{kind:?}");
        }
    }

    #[test]
    fn a_group_matches_its_members() {
        let count = |kind: Kind| {
            Category::ALL
                .into_iter()
                .filter(|category| kind.matches(*category))
                .count()
        };
        assert_eq!(count(Kind::Retryable), 4);
        assert_eq!(count(Kind::Integrity), 5);
        assert_eq!(count(Kind::Programming), 2);
        assert_eq!(count(Kind::Query), 2);
    }
}
