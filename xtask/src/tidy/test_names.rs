//! A test's name says condition and result in few words. What does not fit goes into its doc comment.

use super::Finding;
use super::source::Source;

/// The longest name of a test, in characters: longer ones wrap in the output of the test runner.
const LONGEST: usize = 80;

/// Every test whose name is longer.
pub(super) fn find(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for at in 0..source.tokens.len() {
        if !source.stands_at(at, &["#", "["]) {
            continue;
        }
        let end = source.closing(at + 1);
        let last_word = source.tokens[at..end]
            .iter()
            .take_while(|token| token.text != "(")
            .filter(|token| token.is_word)
            .last();
        if last_word.is_none_or(|word| word.text != "test") {
            continue;
        }
        let name = source.tokens[end..].windows(2).find(|pair| pair[0].text == "fn").map(|pair| &pair[1]);
        if let Some(name) = name
            && name.text.len() > LONGEST
        {
            let length = name.text.len();
            findings.push(source.finding(
                name.line,
                format!("the test's name has {length} characters; {LONGEST} is the limit"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::source;
    use super::*;

    fn found(attribute: &str, length: usize) -> usize {
        find(&source("a.rs", &format!("#[{attribute}]\nfn {}() {{}}", "a".repeat(length)))).len()
    }

    #[test]
    fn name_of_80_characters_is_the_longest() {
        assert_eq!((found("test", 80), found("test", 81)), (0, 1));
        assert_eq!(found("tokio::test(start_paused = true)", 81), 1);
    }

    #[test]
    fn other_functions_may_have_longer_names() {
        assert_eq!(found("inline", 81), 0);
    }
}
