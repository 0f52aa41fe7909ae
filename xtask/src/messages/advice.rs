//! Reads the comment above a message: the meaning of the message, and what to do.

/// The words with which the advice in a comment begins.
const MARK: &str = "What to do:";

/// A comment, split at its mark.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Advice {
    /// What the message means; empty if there is no comment.
    pub(super) meaning: String,
    /// What the reader of the message should do; `None` without the mark.
    pub(super) action: Option<String>,
}

impl Advice {
    /// Splits the lines of a comment, with or without their slashes.
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let words: Vec<&str> = lines
            .map(|line| line.trim().trim_start_matches('/').trim())
            .filter(|line| !line.is_empty())
            .collect();
        let text = without_links(&words.join(" "));
        match text.split_once(MARK) {
            None => Self { meaning: text, action: None },
            Some((meaning, action)) => {
                let action = action.trim();
                let first = action.chars().next().map(|first| first.to_uppercase().to_string());
                let rest: String = action.chars().skip(1).collect();
                Self { meaning: meaning.trim().to_owned(), action: first.map(|first| first + &rest) }
            }
        }
    }

    /// The doc comment of the item whose attribute is on this line (counted from 1).
    pub(super) fn of_item(lines: &[&str], line: usize) -> Self {
        let above = lines[..line - 1].iter().rev().map(|line| line.trim());
        let mut docs: Vec<&str> =
            above.take_while(|line| line.starts_with("///") || line.starts_with("#[")).collect();
        docs.retain(|line| line.starts_with("///"));
        docs.reverse();
        Self::of(docs.into_iter())
    }

    /// The nearest comment with the mark above this line (counted from 1). The search ends at
    /// `after`, the line of the previous message: a comment above that line belongs to that
    /// message. The search is needed because a statement may begin some lines above its message.
    pub(super) fn of_statement(lines: &[&str], line: usize, after: usize) -> Self {
        let is_comment = |at: usize| {
            let text = lines[at].trim();
            text.starts_with("//") && !text.starts_with("///") && !text.starts_with("//!")
        };
        let mut end = line - 1;
        while end > after {
            if !is_comment(end - 1) {
                end -= 1;
                continue;
            }
            let mut start = end;
            while start > after && is_comment(start - 1) {
                start -= 1;
            }
            // A comment without the mark is about a step of the statement.
            let found = Self::of(lines[start..end].iter().copied());
            if found.action.is_some() {
                return found;
            }
            end = start;
        }
        Self::default()
    }
}

/// The text with each link of rustdoc, `[name]` or `[name](path)`, replaced by its name: the page
/// is not part of the documentation that the link is for.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain += before;
        let Some((name, behind)) = after.split_once(']') else {
            plain.push('[');
            rest = after;
            continue;
        };
        plain += name;
        let path = behind.strip_prefix('(').and_then(|path| path.split_once(')'));
        rest = path.map_or(behind, |(_, behind)| behind);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comment_is_split_at_its_mark() {
        let advice = Advice::of(
            ["/// The disk is [`Full`].", "///", "/// What to do: free", "/// space."].into_iter(),
        );
        assert_eq!(advice.meaning, "The disk is `Full`.");
        assert_eq!(advice.action.as_deref(), Some("Free space."));
    }

    #[test]
    fn links_become_their_names() {
        assert_eq!(without_links("a [`B`](crate::B), [c](Self::c), [`D`] (e) [f"), "a `B`, c, `D` (e) [f");
    }

    #[test]
    fn item_docs_are_found_above_other_attributes() {
        let lines =
            ["/// Another item.", "Other,", "/// Means. What to do: x.", "#[serde]", "#[error(\"e\")]"];
        assert_eq!(Advice::of_item(&lines, 5), Advice::of(["Means. What to do: x."].into_iter()));
        assert_eq!(Advice::of_item(&lines, 2).action, None);
    }

    #[test]
    fn statement_ignores_the_previous_message_s_comment() {
        let lines = ["// Means. What to do: x.", "warn!(\"a\");", "warn!(\"b\");"];
        assert_eq!(Advice::of_statement(&lines, 2, 0).action.as_deref(), Some("X."));
        assert_eq!(Advice::of_statement(&lines, 3, 2), Advice::default());
    }

    #[test]
    fn comment_without_the_mark_is_no_advice() {
        assert_eq!(Advice::of_statement(&["// Why this line.", "warn!(\"a\");"], 2, 0), Advice::default());
    }
}
