//! Every file opens with `//!`, saying what it is.

use super::Finding;
use super::source::Source;

/// A finding if the file does not open with a sentence of documentation.
pub(super) fn missing(source: &Source) -> Option<Finding> {
    let first = source.text.lines().next().unwrap_or_default();
    match first.strip_prefix("//!") {
        None => Some(source.finding(1, "open the file with `//!`: what it is and what it is not")),
        Some(rest) if rest.split_whitespace().count() < 2 => {
            Some(source.finding(1, "the opening `//!` line says nothing: write what the file is"))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::source;
    use super::*;

    #[test]
    fn a_file_must_open_with_documentation_that_says_something() {
        assert_eq!(missing(&source("a.rs", "//! What this is.\n")), None);
        assert!(missing(&source("a.rs", "//! .\n")).is_some());
        assert!(missing(&source("a.rs", "// A plain comment.\n//! Too late.\n")).is_some());
        assert!(missing(&source("a.rs", "")).is_some());
    }
}
