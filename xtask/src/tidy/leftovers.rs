//! Finds what work in progress leaves behind: unfinished code, reminders in comments, and tests and
//! lints that are switched off without a reason.

use super::Finding;
use super::source::Source;

/// Macros for code that is not written yet, or that print a value while a developer writes code.
const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];

/// Words that mark a comment as a reminder. Open work belongs in an issue, where others see it.
const MARKERS: &[&str] = &["FIXME", "XXX", "HACK", "TODO"];

/// All findings in this file, rule by rule.
pub(super) fn find(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in MACROS {
        for line in source.lines_with(&[name, "!"]) {
            findings.push(
                source.finding(line, format!("`{name}!` must not stay in the code; finish or remove it")),
            );
        }
    }
    for line in source.lines_with(&["#", "[", "ignore", "]"]) {
        findings.push(source.finding(line, "say why the test is ignored: `#[ignore = \"...\"]`"));
    }
    // The compiler warns when an `expect` is no longer needed; an `allow` stays forever.
    for pattern in [&["#", "[", "allow", "("][..], &["#", "!", "[", "allow", "("]] {
        for line in source.lines_with(pattern) {
            findings.push(source.finding(line, "use `#[expect(lint, reason = \"...\")]` instead of `allow`"));
        }
    }
    findings.extend(markers(source));
    findings
}

fn markers(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(source.without_strings.lines()) {
        for word in line.split(|mark: char| !mark.is_alphanumeric() && mark != '_') {
            if MARKERS.contains(&word) {
                findings.push(source.finding(number, format!("{word}: do it, or open an issue")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::source;
    use super::*;

    fn found(text: &str) -> Vec<(usize, String)> {
        find(&source("a.rs", text)).into_iter().map(|finding| (finding.line, finding.message)).collect()
    }

    #[test]
    fn each_unfinished_macro_is_found() {
        assert_eq!(
            found("fn f() {\n todo!()\n}"),
            [(2, "`todo!` must not stay in the code; finish or remove it".to_owned())]
        );
        assert_eq!(found("fn f() { unimplemented!(\"x\") }").len(), 1);
        assert_eq!(found("fn f() { std::dbg!(1); }").len(), 1);
    }

    #[test]
    fn markers_in_strings_and_names_are_fine() {
        assert_eq!(found("fn todo() { \"todo!() FIXME XXX\"; let hack = 1; } // todo! is fine here"), []);
    }

    #[test]
    fn marker_words_in_comments_are_found() {
        assert_eq!(found("fn f() {} // FIXME: later").len(), 1);
        assert_eq!(found("/// A HACK.\nfn f() {}").len(), 1);
        assert_eq!(found("/* a\nXXX */").len(), 1);
        assert_eq!(found("// FIXMES and XXX_LEN"), []);
    }

    #[test]
    fn ignored_test_needs_a_reason() {
        assert_eq!(found("#[test]\n#[ignore]\nfn f() {}").len(), 1);
        assert_eq!(found("#[test]\n#[ignore = \"needs a network\"]\nfn f() {}"), []);
    }

    #[test]
    fn allow_is_found_and_expect_is_fine() {
        assert_eq!(found("#[allow(dead_code)]\nfn f() {}").len(), 1);
        assert_eq!(found("#![allow(dead_code)]\nfn f() {}").len(), 1);
        assert_eq!(found("#[expect(dead_code, reason = \"x\")]\nfn f() { allow(1) }"), []);
    }
}
