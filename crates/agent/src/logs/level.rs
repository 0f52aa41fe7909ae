//! `--log-level`: one level for all targets, and levels for single targets.
//!
//! The filter of `tracing` accepts any word as a target and then logs nothing. So each word is
//! checked here first.

use std::fmt;
use std::str::FromStr;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
/// The targets that have log lines: our crates, and the QUIC library.
const TARGETS: [&str; 4] = ["kinfolk", "kinfolk_gossip", "kinfolk_transport", "s2n_quic"];

/// A checked list of levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLevel(String);

impl LogLevel {
    /// The valid values, as the end of a sentence that begins with "give".
    pub(crate) const WANTED: &'static str =
        "off, error, warn, info, debug or trace, or a list such as \"info,kinfolk_gossip=debug\"";

    /// The list in the syntax of the filter.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        for item in text.split(',').map(str::trim) {
            let (target, level) =
                item.split_once('=').map_or((None, item), |(target, level)| (Some(target), level));
            // The filter accepts levels in upper and lower case, so this check does too.
            if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
                return Err(format!("{level:?} is not a log level; give {}", Self::WANTED));
            }
            if let Some(target) = target.filter(|target| !is_known(target)) {
                return Err(format!(
                    "no log line has the target {target:?}; give one of {}",
                    TARGETS.join(", ")
                ));
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `target` is a crate that logs, or a module in such a crate.
fn is_known(target: &str) -> bool {
    // The QUIC library consists of many crates, such as `s2n_quic_core`.
    let crate_name = target.split("::").next().unwrap_or_default();
    TARGETS.contains(&crate_name) || crate_name.starts_with("s2n_quic_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_levels_are_read_and_wrong_words_refused() {
        let read = |text: &str| text.parse::<LogLevel>();
        for valid in
            ["info", "OFF", "warn,kinfolk_gossip=debug", "kinfolk::join=trace, error", "s2n_quic_core=info"]
        {
            assert!(read(valid).is_ok(), "{valid}");
        }
        assert_eq!(
            read("inof").unwrap_err(),
            "\"inof\" is not a log level; give off, error, warn, info, debug or trace, or a list such as \
             \"info,kinfolk_gossip=debug\""
        );
        for bad in ["", "info,", "kinfolk=inof", "kinfolk_gossip", "a=b=c"] {
            assert!(read(bad).unwrap_err().contains("is not a log level"), "{bad:?}");
        }
        let unknown = read("kinfolk_gosip=debug").unwrap_err();
        assert!(unknown.contains("\"kinfolk_gosip\"") && unknown.contains("kinfolk_gossip"), "{unknown}");
    }
}
