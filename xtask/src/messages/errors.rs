//! The texts of error types: the `#[error("...")]` attributes of thiserror.

use super::advice::Advice;
use super::sites::literal;
use super::{Kind, Message};
use crate::tidy::source::Source;

/// All of them in this file. `transparent` errors have no text of their own.
pub(super) fn find(source: &Source) -> Vec<Message> {
    let lines: Vec<&str> = source.text.lines().collect();
    (0..source.tokens.len())
        .filter(|&at| source.stands_at(at, &["#", "[", "error", "("]))
        .filter_map(|at| {
            let text = literal(&source.tokens[at + 4].text)?;
            let line = source.tokens[at].line;
            let advice = Advice::of_item(&lines, line);
            Some(Message { kind: Kind::Error(name(source, at)), text, line, advice })
        })
        .filter(|message| !is_placeholder(&message.text))
        .collect()
}

/// Whether the text is only that of the error inside.
fn is_placeholder(text: &str) -> bool {
    text.starts_with('{') && text.find('}') == Some(text.len() - 1)
}

/// The name of the struct, or of the enum and its variant, to which the attribute at `at` belongs.
fn name(source: &Source, at: usize) -> String {
    let word = |at: usize| source.tokens.get(at).map_or("", |token| token.text.as_str());
    let mut next = source.closing(at + 1) + 1;
    while word(next) == "#" {
        next = source.closing(next + 1) + 1;
    }
    while matches!(word(next), "pub" | "struct" | "enum" | "(") {
        next = if word(next) == "(" { source.closing(next) + 1 } else { next + 1 };
    }
    match enclosing(source, at) {
        Some(owner) => format!("{owner}::{}", word(next)),
        None => word(next).to_owned(),
    }
}

/// The name of the enum in whose braces the token at `at` is.
fn enclosing(source: &Source, at: usize) -> Option<&str> {
    let mut depth = 0_usize;
    let open = (0..at).rev().find(|&before| match source.tokens[before].text.as_str() {
        "}" => {
            depth += 1;
            false
        }
        "{" if depth == 0 => true,
        "{" => {
            depth -= 1;
            false
        }
        _ => false,
    })?;
    let keyword =
        (0..open).rev().find(|&before| matches!(source.tokens[before].text.as_str(), "enum" | ";" | "}"))?;
    (source.tokens[keyword].text == "enum").then(|| source.tokens[keyword + 1].text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::tests::source;

    fn found(text: &str) -> Vec<(Kind, String)> {
        find(&source("a.rs", text)).into_iter().map(|message| (message.kind, message.text)).collect()
    }

    fn error(name: &str, text: &str) -> (Kind, String) {
        (Kind::Error(name.to_owned()), text.to_owned())
    }

    #[test]
    fn variants_and_structs_are_named() {
        let text = "enum A { #[error(\"no {x}\")] #[doc(hidden)] One { x: u8 }, #[error(\"two\")] Two(u8) }
                    #[error(\"three\")] pub(crate) struct B;";
        assert_eq!(found(text), [error("A::One", "no {x}"), error("A::Two", "two"), error("B", "three")]);
    }

    #[test]
    fn text_of_another_error_is_left_out() {
        assert_eq!(found("enum A { #[error(transparent)] One(B), #[error(\"{0}\")] Two(B) }"), []);
    }
}
