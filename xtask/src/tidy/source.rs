//! A Rust file as a flat list of tokens, which the rules search for short patterns.
//!
//! Tokens rather than text, so that a rule about code never trips over a string or a comment; tokens rather than a syntax
//! tree, so that code inside macros is seen like any other.

use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Finding;

/// A token and where it stands.
pub(crate) struct Token {
    /// As written; doc comments appear as the attributes that they stand for.
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) is_word: bool,
}

/// A file that could be split into tokens.
pub(crate) struct Source {
    /// Relative to the workspace's root.
    pub(crate) file: PathBuf,
    pub(crate) text: String,
    /// The text with the contents of every string blanked out: code and comments, line for line.
    pub(crate) without_strings: String,
    pub(crate) tokens: Vec<Token>,
}

impl Source {
    /// Splits the text into tokens.
    ///
    /// # Errors
    /// A finding, when the text is not Rust.
    pub(crate) fn parse(file: &Path, text: String) -> Result<Self, Finding> {
        let stream: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| Finding {
            file: file.to_path_buf(),
            line: error.span().start().line,
            message: "this is not Rust: a string, comment or bracket is left open".to_owned(),
        })?;
        let mut tokens = Vec::new();
        let mut blanked = text.clone().into_bytes();
        flatten(stream, &text, &mut tokens, &mut blanked);
        let without_strings = String::from_utf8(blanked).expect("whole literals became ASCII spaces");
        Ok(Self { file: file.to_path_buf(), text, without_strings, tokens })
    }

    /// The lines on which these tokens stand one after the other.
    pub(crate) fn lines_with<'a>(&'a self, pattern: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
        (0..self.tokens.len()).filter(|&at| self.stands_at(at, pattern)).map(|at| self.tokens[at].line)
    }

    /// Whether these tokens stand there, one after the other.
    pub(crate) fn stands_at(&self, at: usize, pattern: &[&str]) -> bool {
        let rest = &self.tokens[at..];
        rest.len() >= pattern.len() && rest.iter().zip(pattern).all(|(token, text)| token.text == *text)
    }

    /// The index of the bracket that closes the one at `open`.
    pub(crate) fn closing(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        unreachable!("the lexer accepts balanced brackets only")
    }

    /// The braces (both indices) of the item whose keyword or attribute is at `start`, if it has any before a semicolon.
    pub(crate) fn body(&self, start: usize) -> Option<(usize, usize)> {
        let mut at = start;
        while at < self.tokens.len() {
            match self.tokens[at].text.as_str() {
                "{" => return Some((at, self.closing(at))),
                "(" | "[" => at = self.closing(at),
                ";" | ")" | "]" | "}" => return None,
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// Ranges of tokens (both ends belong to it) that are compiled for tests only.
    pub(crate) fn test_regions(&self) -> Vec<(usize, usize)> {
        if self.is_test_file() {
            return vec![(0, self.tokens.len())];
        }
        let mut regions = Vec::new();
        for at in 0..self.tokens.len() {
            if !self.stands_at(at, &["#", "["]) {
                continue;
            }
            let end = self.closing(at + 1);
            let names =
                |word: &str| self.tokens[at..end].iter().any(|token| token.is_word && token.text == word);
            if names("test") && !names("not") {
                regions.extend(self.body(end + 1));
            }
        }
        regions
    }

    /// Integration tests, test modules with a file of their own, and the crate that is nothing but
    /// tests.
    pub(crate) fn is_test_file(&self) -> bool {
        let name = self.file.file_stem().unwrap_or_default().to_string_lossy();
        self.file.components().any(|part| part.as_os_str() == "tests")
            || self.file.starts_with("crates/scenarios")
            || name == "tests"
            || name.ends_with("_tests")
            || name.starts_with("loom_")
    }

    /// A finding in this file.
    pub(crate) fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { file: self.file.clone(), line, message: message.into() }
    }
}

fn flatten(stream: TokenStream, text: &str, tokens: &mut Vec<Token>, blanked: &mut [u8]) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line, is_word: false });
                let end = group.span_close().end().line;
                flatten(group.stream(), text, tokens, blanked);
                tokens.push(Token { text: close.to_owned(), line: end, is_word: false });
            }
            TokenTree::Ident(word) => tokens.push(Token { text: word.to_string(), line, is_word: true }),
            TokenTree::Punct(mark) => {
                tokens.push(Token { text: mark.as_char().into(), line, is_word: false });
            }
            TokenTree::Literal(literal) => {
                let range = literal.span().byte_range();
                // A doc comment is a literal too, but in the text it begins with a slash.
                if !text[range.clone()].starts_with('/') {
                    for byte in blanked[range].iter_mut().filter(|byte| **byte != b'\n') {
                        *byte = b' ';
                    }
                }
                tokens.push(Token { text: literal.to_string(), line, is_word: false });
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A made-up file, for the tests of the rules.
    pub(crate) fn source(file: &str, text: &str) -> Source {
        Source::parse(Path::new(file), text.to_owned()).unwrap()
    }

    #[test]
    fn patterns_are_found_in_code_but_not_in_strings_or_comments() {
        let source = source("a.rs", "// a::b\n/* a::b */ fn f() { \"a::b\"; r#\"\na::b\"#; }\nuse a::b;");
        assert_eq!(source.lines_with(&["a", ":", ":", "b"]).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn strings_are_blanked_line_for_line_and_comments_stay() {
        let source = source("a.rs", "/// dé\nfn f() { \"ü\nx\" } // end");
        assert_eq!(source.without_strings, "/// dé\nfn f() {    \n   } // end");
    }

    #[test]
    fn code_inside_macros_is_seen() {
        let source = source("a.rs", "wrap! { fn inner() { hit() } }");
        assert_eq!(source.lines_with(&["hit"]).count(), 1);
    }

    #[test]
    fn an_unfinished_file_is_a_finding() {
        let finding = Source::parse(Path::new("a.rs"), "fn f() {\n".to_owned()).err().unwrap();
        assert!(finding.message.contains("not Rust"));
    }

    #[test]
    fn a_body_is_found_behind_signatures_and_not_behind_a_semicolon() {
        let source = source("a.rs", "fn f(a: [u8; { 3 }]) -> u8 { 1 } fn g();");
        let (open, close) = source.body(0).unwrap();
        assert_eq!((source.tokens[open].text.as_str(), source.tokens[close].text.as_str()), ("{", "}"));
        assert_eq!(source.tokens[open + 1].text, "1");
        assert_eq!(source.body(close + 1), None);
    }
}
