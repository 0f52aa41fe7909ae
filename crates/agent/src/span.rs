//! Durations in settings: `500ms`, `2s`, `5m`, `1h 30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration in a setting: numbers with their units, such as `500ms` or `1h 30m`. At most 30 days
/// (720 h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub Duration);

const LONGEST: Duration = Duration::from_hours(30 * 24);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The library reads "0" alone, without a unit. A setting always has one.
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(advice(text));
        }
        let duration = match humantime::parse_duration(text) {
            Ok(duration) => duration,
            Err(humantime::DurationError::NumberOverflow) => Duration::MAX,
            Err(_) => return Err(advice(text)),
        };
        if duration > LONGEST {
            return Err(format!("{text:?} is too long; give at most 720h"));
        }
        Ok(Self(duration))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

fn advice(text: &str) -> String {
    let why = match text {
        "" => "the value is empty".to_owned(),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => format!("{text:?} has no unit"),
        _ => format!("{text:?} is not a duration"),
    };
    format!("{why}; give a number with its unit, such as 500ms, 2s, 5m or 1h")
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
        assert_eq!((read("1.5s"), read("1h 30m"), read("2d")), (Ok(1_500), Ok(5_400_000), Ok(172_800_000)));
        for bad in ["", "0", "2", "s", "-1s", "2 x", "721h", "99999999999999999999s"] {
            assert!(read(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(read("99999999999999999999s").unwrap_err().contains("too long"));
        assert_eq!(Span(Duration::from_millis(5_400_100)).to_string(), "1h 30m 100ms");
    }
}
