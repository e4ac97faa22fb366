//! Durations as options write them: `"250ms"`, `"1.5s"`, `"2m"`, `"1h"`.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("min", 60_000),
    ("m", 60_000),
    ("h", 3_600_000),
];

/// Reads a number, which may have a fraction, and its unit. What is left below a millisecond is
/// refused rather than rounded: nothing here waits that precisely.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if text.trim().is_empty() {
        return Err("there is none between the quotes".to_owned());
    }
    if text.starts_with('-') {
        return Err(format!("`{text}` is negative"));
    }
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(if unit.is_empty() {
            format!("`{text}` has no unit")
        } else {
            format!("`{unit}` is not a unit of time")
        });
    };
    if is_too_long(number, *scale) {
        return Err(format!("`{text}` is too long"));
    }
    millis(number, *scale)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is not a whole number of milliseconds"))
}

fn is_too_long(number: &str, scale: u64) -> bool {
    let whole = number.split('.').next().unwrap_or_default();
    let millis = || whole.parse::<u64>().ok()?.checked_mul(scale);
    !whole.is_empty() && millis().is_none()
}

/// How a duration is written, for every message that refuses one.
pub(crate) const EXAMPLES: &str =
    "write a number and a unit, such as `\"250ms\"`, `\"5s\"`, `\"1.5s\"`, `\"2m\"` or `\"1h\"`";

/// `number × scale`, if that is a whole number which fits.
fn millis(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() {
        return None;
    }
    let parts = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scaled = fraction.parse::<u64>().ok()?.checked_mul(scale)?;
    if !scaled.is_multiple_of(parts) {
        return None;
    }
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(scale)?
        .checked_add(scaled / parts)
}

/// The duration in the largest unit that shows it without a fraction.
pub(crate) fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, scale) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis != 0 && millis.is_multiple_of(scale) {
            return format!("{}{unit}", millis / scale);
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{parse, show};

    #[test]
    fn every_unit_is_read() {
        for (text, millis) in [
            ("0ms", 0),
            ("250ms", 250),
            ("5s", 5_000),
            ("5 s", 5_000),
            ("1.5s", 1_500),
            ("0.25s", 250),
            ("2m", 120_000),
            ("2min", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, why) in [
            ("5", "has no unit"),
            ("", "none between the quotes"),
            (" ", "none between the quotes"),
            ("5sec", "`sec` is not a unit"),
            ("-5s", "`-5s` is negative"),
            ("5S", "`S` is not a unit"),
            ("s", "not a whole number of milliseconds"),
            (".5s", "not a whole number of milliseconds"),
            ("5.s", "not a whole number of milliseconds"),
            ("1.2.3s", "not a whole number of milliseconds"),
            ("1.5ms", "not a whole number of milliseconds"),
            ("0.0001s", "not a whole number of milliseconds"),
            ("99999999999999999999s", "is too long"),
            ("99999999999999999999ms", "is too long"),
            ("9999999999999999h", "is too long"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["0ms", "250ms", "5s", "1500ms", "2m", "1h", "90m"] {
            assert_eq!(show(parse(text).expect(text)), text);
        }
    }
}
