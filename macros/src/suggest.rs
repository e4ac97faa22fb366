//! "Did you mean": the nearest known word to one that is not known.

/// The candidate that `word` was most likely meant to be, if one is near enough to be worth a line. Case is no
/// difference: `NotFound` is `not_found`.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    // A third of the word may be wrong: more than that suggests words that merely look alike.
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = distance(&word, candidate);
            let near = distance <= limit || adorned(&word, candidate);
            near.then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether `word` is the candidate with more said before or after it: `max_attempts`, `unique_violation`.
fn adorned(word: &str, candidate: &str) -> bool {
    let before = word.strip_prefix(candidate);
    let after = word.strip_suffix(candidate);
    before.is_some_and(|rest| rest.starts_with('_'))
        || after.is_some_and(|rest| rest.ends_with('_'))
}

/// Edits between two words: a letter added, lost, changed, or two neighbours swapped.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let width = right.len() + 1;
    let mut table = vec![0; (left.len() + 1) * width];
    for (row, chunk) in table.chunks_mut(width).enumerate() {
        chunk[0] = row;
    }
    for (column, cell) in table.iter_mut().take(width).enumerate() {
        *cell = column;
    }
    for row in 1..=left.len() {
        for column in 1..=right.len() {
            let changed = usize::from(left[row - 1] != right[column - 1]);
            let mut best = (table[(row - 1) * width + column] + 1)
                .min(table[row * width + column - 1] + 1)
                .min(table[(row - 1) * width + column - 1] + changed);
            let swapped = row > 1
                && column > 1
                && left[row - 1] == right[column - 2]
                && left[row - 2] == right[column - 1];
            if swapped {
                best = best.min(table[(row - 2) * width + column - 2] + 1);
            }
            table[row * width + column] = best;
        }
    }
    table[left.len() * width + right.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    const OPTIONS: [&str; 5] = ["pool", "isolation", "read_only", "timeout", "nested"];

    #[test]
    fn a_slip_finds_its_word() {
        assert_eq!(nearest("isolatoin", OPTIONS), Some("isolation"));
        assert_eq!(nearest("readonly", OPTIONS), Some("read_only"));
        assert_eq!(nearest("time_out", OPTIONS), Some("timeout"));
        assert_eq!(nearest("pol", OPTIONS), Some("pool"));
    }

    #[test]
    fn case_is_no_difference() {
        assert_eq!(nearest("ReadOnly", OPTIONS), Some("read_only"));
        assert_eq!(nearest("POOL", OPTIONS), Some("pool"));
    }

    #[test]
    fn more_words_than_there_should_be_find_theirs() {
        assert_eq!(nearest("isolation_level", OPTIONS), Some("isolation"));
        assert_eq!(nearest("the_pool", OPTIONS), Some("pool"));
        assert_eq!(nearest("poolside_view", OPTIONS), None);
    }

    #[test]
    fn a_stranger_finds_nothing() {
        assert_eq!(nearest("colour", OPTIONS), None);
        assert_eq!(nearest("x", OPTIONS), None);
    }

    #[test]
    fn a_swap_is_one_edit() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
