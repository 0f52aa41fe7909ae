//! Finds the parts of a file that are compiled for tests only. The rules about folders skip them.

use std::path::Path;

use crate::tidy::source::Source;

/// The first words of items. A field, a variant, or an argument begins with another word, and ends
/// at a comma. An item does not: its generics may contain commas.
const ITEMS: &[&str] = &[
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "impl",
    "let",
    "macro_rules",
    "mod",
    "pub",
    "static",
    "struct",
    "trait",
    "type",
    "unsafe",
    "use",
];

/// A file that is a test by its name: `tests.rs`, or any file in a folder `tests`.
pub(super) fn is_test_file(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem == "tests")
        || file.components().any(|part| part.as_os_str() == "tests")
}

/// Whether the attribute whose `#` is at `at` compiles what follows for tests only.
pub(super) fn is_test_attribute(source: &Source, at: usize) -> bool {
    let open = at + if source.stands_at(at + 1, &["!"]) { 2 } else { 1 };
    if !source.stands_at(open, &["["]) {
        return false;
    }
    if source.stands_at(open + 1, &["cfg", "("]) {
        return needs_test(source, open + 3);
    }
    // `#[test]`, `#[tokio::test]`, `#[tokio::test(...)]`.
    let mut name = open + 1;
    while source.stands_at(name + 1, &[":", ":"]) {
        name += 3;
    }
    source.stands_at(name, &["test", "]"]) || source.stands_at(name, &["test", "("])
}

/// The last token of the item to which the attribute belongs whose `#` is at `at`.
pub(super) fn end_of_item(source: &Source, at: usize) -> usize {
    let start = first_of_item(source, at);
    let is_item = ITEMS.contains(&text(source, start));
    let mut at = start;
    while at < source.tokens.len() {
        match text(source, at) {
            "{" => return source.closing(at),
            "(" | "[" => at = source.closing(at),
            ";" => return at,
            "," if !is_item => return at,
            ")" | "]" | "}" => break,
            _ => {}
        }
        at += 1;
    }
    at - 1
}

/// The name of the module, if the attribute at `at` belongs to a module in its own file.
pub(super) fn module_elsewhere(source: &Source, at: usize) -> Option<&str> {
    let mut start = first_of_item(source, at);
    if source.stands_at(start, &["pub"]) {
        start += 1;
        if source.stands_at(start, &["("]) {
            start = source.closing(start) + 1;
        }
    }
    let declared = text(source, start) == "mod" && text(source, start + 2) == ";";
    declared.then(|| text(source, start + 1))
}

/// The first token behind the attribute at `at` and the attributes that follow it.
fn first_of_item(source: &Source, mut at: usize) -> usize {
    while source.stands_at(at, &["#", "["]) {
        at = source.closing(at + 1) + 1;
    }
    at
}

/// Whether the condition at `at` is true in tests only: `all` with such a part, or `any` of such
/// parts alone. A `not` is never counted as such.
fn needs_test(source: &Source, at: usize) -> bool {
    if !source.stands_at(at + 1, &["("]) {
        return source.stands_at(at, &["test"]);
    }
    let end = source.closing(at + 1);
    let mut parts = Vec::new();
    let mut part = at + 2;
    while part < end {
        parts.push(needs_test(source, part));
        while part < end && text(source, part) != "," {
            part = if text(source, part) == "(" { source.closing(part) } else { part } + 1;
        }
        part += 1;
    }
    match text(source, at) {
        "all" => parts.contains(&true),
        "any" => !parts.is_empty() && !parts.contains(&false),
        _ => false,
    }
}

fn text(source: &Source, at: usize) -> &str {
    source.tokens.get(at).map_or("", |token| token.text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::tests::source;

    fn is_test(attribute: &str) -> bool {
        is_test_attribute(&source("a.rs", attribute), 0)
    }

    #[test]
    fn only_conditions_of_tests_count() {
        for attribute in [
            "#[test]",
            "#[tokio::test(start_paused = true)]",
            "#[cfg(test)]",
            "#![cfg(test)]",
            "#[cfg(all(test, not(kinfolk_loom)))]",
            "#[cfg(any(test, all(unix, test)))]",
        ] {
            assert!(is_test(attribute), "{attribute}");
        }
        for attribute in [
            "#[cfg(not(test))]",
            "#[cfg(any(test, feature = \"simulation\"))]",
            "#[cfg(all(unix, not(test)))]",
            "#[cfg_attr(test, derive(Debug))]",
            "#[doc = \"test\"]",
            "#[derive(test_case)]",
        ] {
            assert!(!is_test(attribute), "{attribute}");
        }
    }

    #[test]
    fn item_ends_at_body_semicolon_or_comma() {
        for (text, last) in [
            ("#[cfg(test)] #[inline] fn f<A, B>(a: A) { b } after", "}"),
            ("#[cfg(test)] use a::b; after", ";"),
            ("#[cfg(test)] a: B, after", ","),
        ] {
            let source = source("a.rs", text);
            let end = end_of_item(&source, 0);
            assert_eq!(source.tokens[end].text, last, "{text}");
            assert_eq!(source.tokens[end + 1].text, "after", "{text}");
        }
    }

    #[test]
    fn inline_module_is_not_elsewhere() {
        let name = |text: &str| module_elsewhere(&source("a.rs", text), 0).map(str::to_owned);
        assert_eq!(name("#[cfg(test)] #[cfg(unix)] pub(crate) mod fake;").as_deref(), Some("fake"));
        assert_eq!(name("#[cfg(test)] mod fake { }"), None);
        assert_eq!(name("#[cfg(test)] use fake;"), None);
    }

    #[test]
    fn test_file_is_known_by_its_name() {
        assert!(is_test_file(Path::new("crates/a/src/b/tests.rs")));
        assert!(is_test_file(Path::new("crates/a/src/b/tests/c.rs")));
        assert!(!is_test_file(Path::new("crates/a/src/b/attests.rs")));
    }
}
