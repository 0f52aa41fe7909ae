//! Words that the glossary replaces: one word for one thing. `docs/glossary.md` has the terms.
//!
//! Only words that a program can judge are in the list. A word in code counts wherever a reader
//! meets it: in a comment, in a string, and as a part of a name.

use std::path::Path;

use super::Finding;
use super::source::Source;

/// A word or phrase, in lower case, and what to write instead.
struct Word {
    text: &'static str,
    instead: &'static str,
    /// Files and folders where the word is right.
    except: &'static [&'static str],
}

const fn word(text: &'static str, instead: &'static str) -> Word {
    Word { text, instead, except: &[] }
}

const WORDS: &[Word] = &[
    word("acquainted", "new subject"),
    word("acquainting", "new subject"),
    word("anew", "again, from scratch"),
    word("at the least", "at least"),
    word("at the most", "at most"),
    word("bear witness", "answer an indirect probe"),
    word("bears witness", "answers an indirect probe"),
    word("fellow", "member"),
    word("fellows", "members"),
    word("former life", "earlier instance"),
    word("glance", "probe"),
    word("in good order", "in order, gracefully"),
    word("knock", "port check"),
    word("knocks", "port checks"),
    word("news", "gossip update"),
    word("patience", "time limit"),
    word("pronounce", "declare failed"),
    word("pronounced", "declared failed"),
    word("ride along", "piggyback"),
    word("rides along", "is piggybacked"),
    word("the sick", "the overloaded member"),
    word("town", "cluster"),
    word("whoever", "name the member or the peer"),
    word("whomever", "name the member or the peer"),
];

/// This file holds the list.
const LIST: &str = "xtask/src/tidy/words.rs";

/// Every such word in a Rust file.
pub(super) fn in_code(source: &Source) -> Vec<Finding> {
    find(&source.file, &source.text)
}

/// Every such word in a page.
pub(super) fn in_page(file: &Path, text: &str) -> Vec<Finding> {
    find(file, text)
}

fn find(file: &Path, text: &str) -> Vec<Finding> {
    if file == Path::new(LIST) {
        return Vec::new();
    }
    let words: Vec<&Word> =
        WORDS.iter().filter(|word| !word.except.iter().any(|folder| file.starts_with(folder))).collect();
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = spaced(line);
        for word in words.iter().filter(|word| line.contains(&format!(" {} ", word.text))) {
            findings.push(Finding::new(
                file,
                number,
                format!("write {:?} instead of {:?}", word.instead, word.text),
            ));
        }
    }
    findings
}

/// The words of a line in lower case, a space around each. The words of a name are words too:
/// `knock_after` and `KnockAfter` have two.
fn spaced(line: &str) -> String {
    let mut spaced = String::from(" ");
    let mut after_small = false;
    for mark in line.chars() {
        if !mark.is_alphanumeric() || (mark.is_uppercase() && after_small) {
            spaced.push(' ');
        }
        if mark.is_alphanumeric() {
            spaced.extend(mark.to_lowercase());
        }
        after_small = mark.is_lowercase();
    }
    spaced.push(' ');
    // Two spaces stand where marks stood side by side.
    spaced.split_whitespace().fold(String::from(" "), |line, word| line + word + " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        in_page(Path::new("a.md"), text).len()
    }

    #[test]
    fn word_is_found_in_texts_and_names() {
        for text in
            ["Knock, and wait.", "KNOCK_AFTER", "let knockAfter", "struct KnockAfter;", "at the   most"]
        {
            assert_eq!(found(text), 1, "{text}");
        }
    }

    #[test]
    fn part_of_another_word_is_fine() {
        assert_eq!(found("knocked newsletter whatsoever"), 0);
    }

    #[test]
    fn word_is_right_where_it_is_excepted() {
        let word = Word { text: "anew", instead: "again", except: &["crates/a"] };
        assert!(word.except.iter().any(|folder| Path::new("crates/a/src/b.rs").starts_with(folder)));
        assert!(in_page(Path::new(LIST), "anew").is_empty());
    }
}
