//! Messages that statements make: log lines, and the failures with which a command of the agent ends.

use super::advice::Advice;
use super::{Kind, Message};
use crate::tidy::source::Source;

/// The macros of `tracing` that write a line.
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// All log lines in this file, without its tests.
pub(super) fn logs(source: &Source) -> Vec<Message> {
    let sites = outside_tests(source).filter(|&at| {
        LEVELS.contains(&source.tokens[at].text.as_str()) && source.stands_at(at + 1, &["!", "("])
    });
    let found = sites.filter_map(|at| {
        let text = first_literal(source, at + 2, 1)?;
        Some((Kind::Log(source.tokens[at].text.clone()), text, source.tokens[at].line))
    });
    with_advice(source, found.collect())
}

/// All failures that are made with a text of their own in this file, without its tests.
pub(super) fn failures(source: &Source) -> Vec<Message> {
    let sites = outside_tests(source).filter(|&at| source.stands_at(at, &["Failure", ":", ":", "new", "("]));
    let found = sites.filter_map(|at| {
        let text = first_literal(source, at + 4, usize::MAX)?;
        // A text that only joins other texts has its words elsewhere.
        text.split_whitespace().any(|word| !word.starts_with('{')).then_some(())?;
        Some((Kind::Command, text, source.tokens[at].line))
    });
    with_advice(source, found.collect())
}

/// The tokens that are not compiled for tests only.
fn outside_tests(source: &Source) -> impl Iterator<Item = usize> {
    let tests = source.test_regions();
    (0..source.tokens.len()).filter(move |at| !tests.iter().any(|(from, to)| from <= at && at <= to))
}

fn with_advice(source: &Source, found: Vec<(Kind, String, usize)>) -> Vec<Message> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut after = 0;
    let mut messages = Vec::new();
    for (kind, text, line) in found {
        let advice = Advice::of_statement(&lines, line, after);
        after = line;
        messages.push(Message { kind, text, line, advice });
    }
    messages
}

/// The first string in the brackets that open at `open`, at most so many brackets deep, which is
/// not the value of a field (`name = "..."`).
fn first_literal(source: &Source, open: usize, deepest: usize) -> Option<String> {
    let mut depth = 0_usize;
    for at in open..=source.closing(open) {
        match source.tokens[at].text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            text if depth <= deepest && source.tokens[at - 1].text != "=" => {
                if let Some(text) = literal(text) {
                    return Some(text);
                }
            }
            _ => {}
        }
    }
    None
}

/// What a token says, if it is a string.
pub(super) fn literal(token: &str) -> Option<String> {
    syn::parse_str::<syn::LitStr>(token).ok().map(|literal| literal.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::tests::source;

    fn texts(messages: Vec<Message>) -> Vec<(Kind, String)> {
        messages.into_iter().map(|message| (message.kind, message.text)).collect()
    }

    #[test]
    fn log_line_has_its_level_and_its_text_without_fields() {
        let text = "fn f() { tracing::warn!(%a, b = \"x\", c(\"y\"), \"cannot \\\n   do {}\", d); }";
        let found = texts(logs(&source("a.rs", text)));
        assert_eq!(found, [(Kind::Log("warn".to_owned()), "cannot do {}".to_owned())]);
    }

    #[test]
    fn tests_write_no_log_lines() {
        assert_eq!(texts(logs(&source("a.rs", "#[cfg(test)]\nmod tests { fn f() { info!(\"x\") } }"))), []);
    }

    #[test]
    fn failure_has_the_text_of_its_format() {
        let text = "fn f() { Failure::new(S, format_args!(\"no {x}\")); Failure::new(S, error);
                    Failure::new(S, format_args!(\"{a}: {b}\")); }";
        assert_eq!(texts(failures(&source("a.rs", text))), [(Kind::Command, "no {x}".to_owned())]);
    }
}
