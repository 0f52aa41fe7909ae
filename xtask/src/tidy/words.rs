//! Words that may not come back into code or documents: one word for one thing. `docs/glossary.md`
//! defines the terms.
//!
//! The list has only words that are wrong wherever they stand, because a program cannot judge
//! others. A word in code counts in comments, in strings, and as a part of a name: readers see all
//! three.

use std::path::Path;

use super::Finding;
use super::source::Source;

/// A word or phrase, in lower case, and what to write instead.
struct Word {
    text: &'static str,
    instead: &'static str,
}

const fn word(text: &'static str, instead: &'static str) -> Word {
    Word { text, instead }
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
    word("find each other again", "a partition heals"),
    word("former life", "earlier instance"),
    word("former lives", "earlier instances"),
    word("glance", "probe"),
    word("glances", "probes"),
    word("has other work to do", "name the event loop or the task"),
    word("in good order", "in order, gracefully"),
    word("knock", "port check"),
    word("knocks", "port checks"),
    word("news", "gossip update"),
    word("page through", "exchange views"),
    word("pages through", "exchanges views"),
    word("parted", "partitioned"),
    word("patience", "time limit"),
    word("pronounce", "declare failed"),
    word("pronounced", "declared failed"),
    word("pronounces", "declares failed"),
    word("ride along", "piggyback"),
    word("rides along", "is piggybacked"),
    word("say again", "refute"),
    word("says again", "refutes"),
    word("the sick", "the overloaded member"),
    word("town", "cluster"),
    word("whoever", "name the member or the peer"),
    word("whomever", "name the member or the peer"),
];

/// The file with the list, which must contain the words.
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
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = spaced(line);
        for word in WORDS.iter().filter(|word| line.contains(&format!(" {} ", word.text))) {
            findings.push(Finding::new(
                file,
                number,
                format!("write {:?} instead of {:?}", word.instead, word.text),
            ));
        }
    }
    findings
}

/// The words of a line in lower case, with a space around each. The parts of a name are words too:
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
    fn only_the_list_itself_may_hold_the_words() {
        assert!(in_page(Path::new(LIST), "anew").is_empty());
        assert_eq!(in_page(Path::new("xtask/src/tidy/mod.rs"), "anew").len(), 1);
    }
}
