//! What work in progress leaves behind: unfinished code, marker words in comments, tests and lints switched off in silence.

use super::Finding;
use super::source::Source;

/// Macros that stand for code still to be written, or for a look at a value while writing it.
const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];

/// Words that mark a comment as a reminder. What is still to be done belongs into an issue.
const MARKERS: &[&str] = &["FIXME", "XXX", "HACK", "TODO"];

/// Everything left behind in this file, rule by rule.
pub(super) fn find(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in MACROS {
        for line in source.lines_with(&[name, "!"]) {
            findings.push(source.finding(line, format!("`{name}!` must not stay")));
        }
    }
    for line in source.lines_with(&["#", "[", "ignore", "]"]) {
        findings.push(source.finding(line, "say why the test is ignored: `#[ignore = \"...\"]`"));
    }
    for pattern in [&["#", "[", "allow", "("][..], &["#", "!", "[", "allow", "("]] {
        for line in source.lines_with(pattern) {
            findings
                .push(source.finding(line, "use `#[expect(lint, reason = \"...\")]` in place of `allow`"));
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
                findings.push(source.finding(number, format!("{word}: do it, or write an issue about it")));
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
        assert_eq!(found("fn f() {\n todo!()\n}"), [(2, "`todo!` must not stay".to_owned())]);
        assert_eq!(found("fn f() { unimplemented!(\"x\") }").len(), 1);
        assert_eq!(found("fn f() { std::dbg!(1); }").len(), 1);
    }

    #[test]
    fn the_words_alone_or_in_strings_are_fine() {
        assert_eq!(found("fn todo() { \"todo!() FIXME XXX\"; let hack = 1; } // todo! is fine here"), []);
    }

    #[test]
    fn marker_words_are_found_in_comments_and_in_docs() {
        assert_eq!(found("fn f() {} // FIXME: later").len(), 1);
        assert_eq!(found("/// A HACK.\nfn f() {}").len(), 1);
        assert_eq!(found("/* a\nXXX */").len(), 1);
        assert_eq!(found("// FIXMES and XXX_LEN"), []);
    }

    #[test]
    fn an_ignored_test_needs_a_reason() {
        assert_eq!(found("#[test]\n#[ignore]\nfn f() {}").len(), 1);
        assert_eq!(found("#[test]\n#[ignore = \"needs a network\"]\nfn f() {}"), []);
    }

    #[test]
    fn allow_is_found_on_items_and_on_files_but_expect_is_fine() {
        assert_eq!(found("#[allow(dead_code)]\nfn f() {}").len(), 1);
        assert_eq!(found("#![allow(dead_code)]\nfn f() {}").len(), 1);
        assert_eq!(found("#[expect(dead_code, reason = \"x\")]\nfn f() { allow(1) }"), []);
    }
}
