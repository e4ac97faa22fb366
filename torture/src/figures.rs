//! Figures that a campaign counts, and what each of its databases has to reach.

use std::fmt;

/// In the order in which they were named first.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    name: &'static str,
    value: u64,
    /// What it was when the database that is attacked now was begun with.
    before: u64,
    /// So many more are expected of that.
    at_least: u64,
}

/// One that has not become what it was to become.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    name: &'static str,
    done: u64,
    at_least: u64,
}

impl Figures {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// So many more.
    pub(crate) fn count(&mut self, name: &'static str, more: u64) {
        self.named(name).value += more;
    }

    /// The greatest of all that it was.
    pub(crate) fn greatest(&mut self, name: &'static str, value: u64) {
        let figure = self.named(name);
        figure.value = figure.value.max(value);
    }

    /// So many more are expected of the database that is attacked now.
    pub(crate) fn expect(&mut self, name: &'static str, at_least: u64) {
        self.named(name).at_least += at_least;
    }

    /// What the database that was attacked has not reached. The next one starts from here: what one of them does much
    /// of says nothing of another.
    pub(crate) fn settle(&mut self) -> Vec<Missed> {
        let settled = self.0.iter_mut().map(|figure| {
            let done = figure.value - figure.before;
            figure.before = figure.value;
            let at_least = std::mem::take(&mut figure.at_least);
            let name = figure.name;
            Missed {
                name,
                done,
                at_least,
            }
        });
        settled
            .filter(|figure| figure.done < figure.at_least)
            .collect()
    }

    fn named(&mut self, name: &'static str) -> &mut Figure {
        let at = self.0.iter().position(|figure| figure.name == name);
        let at = at.unwrap_or_else(|| {
            self.0.push(Figure {
                name,
                value: 0,
                before: 0,
                at_least: 0,
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = self
            .0
            .iter()
            .map(|Figure { name, value, .. }| format!("{name} {value}"));
        formatter.write_str(&figures.collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            done,
            at_least,
        } = self;
        write!(formatter, "too few {name}: {done} of {at_least}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_database_does_much_of_makes_up_for_nothing_on_another() {
        let mut figures = Figures::default();
        figures.expect("faults", 2);
        figures.expect("faults", 1);
        figures.count("faults", 7);
        assert_eq!(figures.settle(), []);
        figures.expect("faults", 3);
        figures.count("faults", 2);
        let missed = Missed {
            name: "faults",
            done: 2,
            at_least: 3,
        };
        assert_eq!(missed.to_string(), "too few faults: 2 of 3");
        assert_eq!(figures.settle(), [missed]);
        assert_eq!(figures.settle(), [], "of a third nothing was expected");
        assert_eq!(figures.to_string(), "faults 9");
    }
}
