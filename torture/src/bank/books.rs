//! Every order and what was said of it, held against what the database has in the end.

use std::collections::BTreeMap;
use std::fmt;

use super::order::{ACCOUNTS, BALANCE, Row, Told};
use crate::report::Report;

/// Accounts, each with what is in it.
pub(super) type Deposits = Vec<(i64, i64)>;

/// What makes the accounts, and a journal in which an order that is carried out twice stands twice: it has no key.
pub(super) fn tables() -> String {
    let accounts: Vec<String> = (0..ACCOUNTS)
        .map(|id| format!("({id}, {BALANCE})"))
        .collect();
    format!(
        "CREATE TABLE deposits (id BIGINT PRIMARY KEY, cents BIGINT NOT NULL);
         INSERT INTO deposits VALUES {};
         CREATE TABLE journal (id BIGINT NOT NULL, source BIGINT NOT NULL, target BIGINT NOT NULL, cents BIGINT NOT NULL);",
        accounts.join(", ")
    )
}

#[derive(Debug, Default)]
pub(super) struct Books {
    orders: BTreeMap<i64, Entry>,
}

#[derive(Debug)]
struct Entry {
    row: Row,
    /// For messages: how the order was given.
    how: String,
    told: Told,
}

impl Books {
    pub(super) fn begin(&mut self, row: Row, how: impl fmt::Debug) {
        let entry = Entry {
            row,
            how: format!("{how:?}"),
            told: Told::Nothing,
        };
        let known = self.orders.insert(row.0, entry);
        assert!(known.is_none(), "order {} was given twice", row.0);
    }

    pub(super) fn tell(&mut self, id: i64, told: Told) {
        if let Some(entry) = self.orders.get_mut(&id) {
            entry.told = told;
        }
    }

    fn count(&self, told: impl Fn(Told) -> bool) -> u64 {
        let found = self.orders.values().filter(|entry| told(entry.told));
        u64::try_from(found.count()).unwrap_or(u64::MAX)
    }

    pub(super) fn report(&self, report: &Report) {
        report.count("acknowledged", self.acknowledged());
        report.count("refused", self.count(|told| told == Told::Refused));
        report.count("panicked", self.count(|told| told == Told::Panicked));
        report.count("unknown", self.count(|told| told == Told::Unknown));
        report.count("nobody told", self.count(|told| told == Told::Nothing));
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.count(|told| told == Told::Acknowledged)
    }

    /// What is wrong with a journal, and with accounts and their balances.
    pub(super) fn audit(&self, journal: &[Row], balances: &[(i64, i64)]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut there: BTreeMap<i64, usize> = BTreeMap::new();
        let mut expected: BTreeMap<i64, i64> = (0..ACCOUNTS).map(|id| (id, BALANCE)).collect();
        for &row in journal {
            let (id, from, to, cents) = row;
            *there.entry(id).or_default() += 1;
            *expected.entry(from).or_default() -= cents;
            *expected.entry(to).or_default() += cents;
            match self.orders.get(&id) {
                None => faults.push(format!("nobody has ordered {row:?}")),
                Some(entry) if entry.row != row => {
                    faults.push(format!("{} has become {row:?}", entry.how));
                }
                Some(_) => {}
            }
        }
        for (id, Entry { how, told, .. }) in &self.orders {
            let times = there.get(id).copied().unwrap_or_default();
            let fault = match (told, times) {
                (_, 2..) => format!("is there {times} times (told {})", told.word()),
                (Told::Acknowledged | Told::Resolved(true), 0) => {
                    format!("is not there (told {})", told.word())
                }
                (Told::Refused | Told::Panicked | Told::Resolved(false), 1) => {
                    format!("is there (told {})", told.word())
                }
                (Told::Groundless, _) => "is in doubt, and it comes to no COMMIT".into(),
                (Told::Unresolved, _) => "is in doubt, and its ledger cannot be asked".into(),
                _ => continue,
            };
            faults.push(format!("{how} {fault}"));
        }
        let total: i64 = balances.iter().map(|(_, cents)| cents).sum();
        if total != ACCOUNTS * BALANCE {
            let more = total - ACCOUNTS * BALANCE;
            faults.push(format!("{more} cents too many in all accounts together"));
        }
        for &(id, cents) in balances {
            let expected = expected.remove(&id).unwrap_or_default();
            if cents != expected {
                let more = cents - expected;
                faults.push(format!(
                    "{more} cents in account {id} that no row of the journal explains"
                ));
            }
        }
        let missing = expected.into_keys();
        faults.extend(missing.map(|id| format!("account {id} is gone")));
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Order 7, 5 cents from account 1 to account 2, of which this was said.
    fn books(told: Told) -> Books {
        let mut books = Books::default();
        books.begin((7, 1, 2, 5), "order 7");
        books.tell(7, told);
        books
    }

    fn balances(changes: &[(i64, i64)]) -> Vec<(i64, i64)> {
        let change = |id| changes.iter().find(|(changed, _)| *changed == id);
        (0..ACCOUNTS)
            .map(|id| (id, BALANCE + change(id).map_or(0, |(_, cents)| *cents)))
            .collect()
    }

    const ROW: Row = (7, 1, 2, 5);
    const MOVED: [(i64, i64); 2] = [(1, -5), (2, 5)];

    #[track_caller]
    fn assert_right(told: Told, journal: &[Row], changes: &[(i64, i64)]) {
        let faults = books(told).audit(journal, &balances(changes));
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[track_caller]
    fn assert_wrong(told: Told, journal: &[Row], changes: &[(i64, i64)], fault: &str) {
        let faults = books(told).audit(journal, &balances(changes));
        assert!(faults.iter().any(|found| found == fault), "{faults:?}");
    }

    #[test]
    fn what_was_done_is_there_and_what_was_not_is_not() {
        assert_right(Told::Acknowledged, &[ROW], &MOVED);
        assert_right(Told::Resolved(true), &[ROW], &MOVED);
        assert_right(Told::Refused, &[], &[]);
        assert_right(Told::Resolved(false), &[], &[]);
        for told in [Told::Unknown, Told::Nothing] {
            assert_right(told, &[ROW], &MOVED);
            assert_right(told, &[], &[]);
        }
    }

    #[test]
    fn a_lost_order() {
        assert_wrong(
            Told::Acknowledged,
            &[],
            &[],
            "\"order 7\" is not there (told acknowledged)",
        );
        assert_wrong(
            Told::Resolved(true),
            &[],
            &[],
            "\"order 7\" is not there (told there)",
        );
    }

    #[test]
    fn a_refused_order_that_is_there() {
        for told in [Told::Refused, Told::Panicked, Told::Resolved(false)] {
            let fault = format!("\"order 7\" is there (told {})", told.word());
            assert_wrong(told, &[ROW], &MOVED, &fault);
        }
    }

    #[test]
    fn an_order_that_was_carried_out_twice() {
        let twice = [(1, -10), (2, 10)];
        for told in [
            Told::Nothing,
            Told::Acknowledged,
            Told::Refused,
            Told::Unknown,
        ] {
            let fault = format!("\"order 7\" is there 2 times (told {})", told.word());
            assert_wrong(told, &[ROW, ROW], &twice, &fault);
        }
    }

    #[test]
    fn doubt_that_stays() {
        let fault = "\"order 7\" is in doubt, and its ledger cannot be asked";
        assert_wrong(Told::Unresolved, &[ROW], &MOVED, fault);
        assert_wrong(Told::Unresolved, &[], &[], fault);
        let groundless = "\"order 7\" is in doubt, and it comes to no COMMIT";
        assert_wrong(Told::Groundless, &[], &[], groundless);
    }

    #[test]
    fn half_an_order() {
        let less = "-5 cents too many in all accounts together";
        assert_wrong(Told::Acknowledged, &[ROW], &MOVED[..1], less);
        let torn = "-5 cents in account 2 that no row of the journal explains";
        assert_wrong(Told::Acknowledged, &[ROW], &MOVED[..1], torn);
        let moved = "5 cents in account 2 that no row of the journal explains";
        assert_wrong(Told::Nothing, &[], &MOVED, moved);
    }

    #[test]
    fn what_nobody_ordered() {
        assert_wrong(
            Told::Nothing,
            &[(8, 1, 2, 5)],
            &MOVED,
            "nobody has ordered (8, 1, 2, 5)",
        );
        let other = (7, 1, 2, 6);
        let changed = [(1, -6), (2, 6)];
        assert_wrong(
            Told::Acknowledged,
            &[other],
            &changed,
            "\"order 7\" has become (7, 1, 2, 6)",
        );
    }

    #[test]
    fn an_account_that_is_gone() {
        let mut balances = balances(&[]);
        balances.remove(3);
        let faults = books(Told::Nothing).audit(&[], &balances);
        assert!(faults.contains(&"account 3 is gone".into()), "{faults:?}");
    }
}
