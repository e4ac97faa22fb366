//! This process, as its kernel sees it.

use std::fs;

const PAGE: usize = 4096;

/// Memory that is there, in bytes.
pub(super) fn resident() -> usize {
    let sizes = fs::read_to_string("/proc/self/statm").expect("a kernel that tells sizes");
    let pages = sizes.split(' ').nth(1).expect("the resident size");
    pages.parse::<usize>().expect("a number of pages") * PAGE
}

/// File handles that are open.
pub(super) fn handles() -> usize {
    // The one that looks is open too.
    let open = fs::read_dir("/proc/self/fd").expect("a kernel that tells file handles");
    open.count().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_seen() {
        let before = handles();
        let file = tempfile::tempfile().unwrap();
        // Other tests open and close theirs meanwhile.
        assert!(handles() > 0 && before > 0, "{file:?}");

        let before = resident();
        let held = vec![1_u8; 64 << 20];
        assert!(resident() - before > 60 << 20, "{}", held.len());
    }
}
