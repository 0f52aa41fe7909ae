//! Durations in settings: `500ms`, `2s`, `5m`, `1h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration in a setting: a whole number and one of the units `ms`, `s`, `m`, `h`. At most 30
/// days (720 h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub Duration);

const LONGEST: Duration = Duration::from_hours(30 * 24);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let millis_each = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(advice(text)),
        };
        let number: u64 = number.parse().map_err(|_| advice(text))?;
        let duration = Duration::from_millis(number.saturating_mul(millis_each));
        if duration > LONGEST {
            return Err(format!("{text:?} is too long; give at most 720h"));
        }
        Ok(Self(duration))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0.as_millis())
    }
}

fn advice(text: &str) -> String {
    let why = match text {
        "" => "the value is empty".to_owned(),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => format!("{text:?} has no unit"),
        _ => format!("{text:?} is not a duration"),
    };
    format!("{why}; give a whole number with its unit, such as 500ms, 2s, 5m or 1h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_read_and_others_are_refused() {
        let read = |text: &str| text.parse::<Span>().map(|span| span.0.as_millis());
        assert_eq!(read("500ms"), Ok(500));
        assert_eq!(read("2s"), Ok(2_000));
        assert_eq!(read("5m"), Ok(300_000));
        assert_eq!(read("720h"), Ok(2_592_000_000));
        for bad in ["", "2", "s", "-1s", "1.5s", "2 s", "2d", "721h", "99999999999999999999s"] {
            assert!(read(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
