//! Every file begins with a `//!` comment that says what the file is.

use super::Finding;
use super::source::Source;

/// A finding if the file does not begin with a sentence of documentation.
pub(super) fn missing(source: &Source) -> Option<Finding> {
    let first = source.text.lines().next().unwrap_or_default();
    match first.strip_prefix("//!") {
        None => Some(source.finding(1, "begin the file with `//!`: what the file is, and what it is not")),
        // One word is a title, not a sentence.
        Some(rest) if rest.split_whitespace().count() < 2 => {
            Some(source.finding(1, "the first `//!` line is too short; write what the file is"))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::source;
    use super::*;

    #[test]
    fn file_without_documentation_is_found() {
        assert_eq!(missing(&source("a.rs", "//! What this is.\n")), None);
        assert!(missing(&source("a.rs", "//! .\n")).is_some());
        assert!(missing(&source("a.rs", "// A plain comment.\n//! Too late.\n")).is_some());
        assert!(missing(&source("a.rs", "")).is_some());
    }
}
