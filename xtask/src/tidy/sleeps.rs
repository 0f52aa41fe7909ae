//! Tests never sleep and hope. One that must sleep says why, in a comment that begins `// Sleeps because`. Where every
//! test of a file runs in tokio's paused time, as do all whole-stack scenarios, a sleep is the passing of virtual time and
//! needs no reason.

use super::Finding;
use super::source::Source;

const EXCUSE: &str = "// Sleeps because";

/// Here every test runs in a world whose clock is paused.
const VIRTUAL: &str = "crates/scenarios";

/// Every call of a sleep in test code that no comment explains.
pub(super) fn find(source: &Source) -> Vec<Finding> {
    if source.file.starts_with(VIRTUAL) || all_in_paused_time(source) {
        return Vec::new();
    }
    let regions = source.test_regions();
    let lines: Vec<&str> = source.text.lines().collect();
    (0..source.tokens.len())
        .filter(|&at| is_sleep(source, at) && regions.iter().any(|&(from, to)| from <= at && at <= to))
        .map(|at| source.tokens[at].line)
        .filter(|&line| !excused(&lines, line))
        .map(|line| {
            source.finding(line, format!("a test waits for an event, or explains itself: `{EXCUSE} ...`"))
        })
        .collect()
}

/// Whether the file has tests of tokio's, and the clock of each is paused.
fn all_in_paused_time(source: &Source) -> bool {
    let count =
        |pattern: &[&str]| (0..source.tokens.len()).filter(|&at| source.stands_at(at, pattern)).count();
    let tests = count(&["tokio", ":", ":", "test"]);
    tests > 0 && tests == count(&["start_paused", "=", "true"])
}

/// A call of a free function named `sleep`, with or without a path before it.
fn is_sleep(source: &Source, at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| source.tokens[before].text.as_str());
    source.stands_at(at, &["sleep", "("]) && !matches!(before, Some("." | "fn"))
}

/// Whether the line, or the block of comments right above it, carries the excuse. `line` counts from 1.
fn excused(lines: &[&str], line: usize) -> bool {
    let above = lines[..line - 1].iter().rev().take_while(|text| text.trim_start().starts_with("//"));
    lines[line - 1].contains(EXCUSE) || above.into_iter().any(|text| text.trim_start().starts_with(EXCUSE))
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::source;
    use super::*;

    fn lines(file: &str, text: &str) -> Vec<usize> {
        find(&source(file, text)).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_sleep_in_an_integration_test_is_found_in_every_spelling() {
        let text = "fn f() {\n std::thread::sleep(d);\n tokio::time::sleep(d).await;\n sleep(d);\n}";
        assert_eq!(lines("crates/gossip/tests/a.rs", text), [2, 3, 4]);
    }

    #[test]
    fn a_sleep_in_the_product_is_fine_and_one_in_its_test_module_is_not() {
        let text = "fn f() { sleep(d); }\n#[cfg(test)]\nmod tests {\n fn g() { thread::sleep(d); }\n}";
        assert_eq!(lines("crates/gossip/src/a.rs", text), [4]);
        assert!(
            lines("crates/gossip/src/a.rs", "#[cfg(not(test))]\nmod a { fn f() { sleep(d); } }").is_empty()
        );
    }

    #[test]
    fn sleeps_in_paused_time_are_fine_unless_one_test_of_the_file_is_not_paused() {
        let paused = "#[tokio::test(start_paused = true)]\nasync fn t() {\n sleep(d).await;\n}\n";
        assert!(lines("crates/gossip/tests/a.rs", paused).is_empty());
        let real = "#[tokio::test]\nasync fn u() {}";
        assert_eq!(lines("crates/gossip/tests/a.rs", &format!("{paused}{real}")), [3]);
    }

    #[test]
    fn scenarios_run_in_virtual_time_and_may_sleep() {
        assert!(lines("crates/scenarios/tests/a.rs", "#[test]\nfn t() { sleep(d); }").is_empty());
    }

    #[test]
    fn test_functions_count_without_a_test_module_too() {
        let text = "#[tokio::test]\nasync fn t() {\n sleep(d).await;\n}";
        assert_eq!(lines("crates/gossip/src/a.rs", text), [3]);
    }

    #[test]
    fn a_reason_on_the_line_or_above_it_excuses() {
        let text = "fn f() {\n // Sleeps because the kernel offers\n // no event for this.\n sleep(d);\n}";
        assert!(lines("crates/a/tests/a.rs", text).is_empty());
        assert!(lines("crates/a/tests/a.rs", "fn f() { sleep(d); } // Sleeps because of that.").is_empty());
        assert_eq!(lines("crates/a/tests/a.rs", "// Sleeps because\nfn f() {\n sleep(d); }"), [3]);
    }

    #[test]
    fn methods_and_definitions_named_sleep_are_not_sleeps() {
        assert!(
            lines("crates/a/tests/a.rs", "fn sleep(n: u8) { clock.sleep(n); sleep_until(n); }").is_empty()
        );
    }
}
