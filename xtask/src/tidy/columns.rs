//! A line with a comment ends at column 100: texts in narrow columns read faster, and two files fit
//! beside each other. rustfmt lets code run to 110 and does not wrap comments.

use super::Finding;
use super::source::Source;

/// The last column of a line that holds a comment.
const COLUMNS: usize = 100;

/// Every line with a comment that is longer.
pub(super) fn find(source: &Source) -> Vec<Finding> {
    let lines = (1..).zip(source.without_strings.lines().zip(source.text.lines()));
    lines
        .filter(|(_, (code, _))| code.contains("//"))
        .map(|(number, (_, text))| (number, text.chars().count()))
        .filter(|(_, columns)| *columns > COLUMNS)
        .map(|(number, columns)| {
            source.finding(number, format!("the comment ends at column {columns}; wrap it at {COLUMNS}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::source;
    use super::*;

    fn found(line: &str) -> usize {
        find(&source("a.rs", line)).len()
    }

    #[test]
    fn comment_may_end_at_column_100_and_not_later() {
        let comment = |columns: usize| format!("// {}", "ü".repeat(columns - 3));
        assert_eq!((found(&comment(100)), found(&comment(101))), (0, 1));
    }

    #[test]
    fn code_and_strings_may_be_longer() {
        assert_eq!(found(&format!("const A: &str = \"// {}\";", "x".repeat(100))), 0);
    }

    #[test]
    fn comment_behind_code_counts() {
        assert_eq!(found(&format!("fn {}() {{}} // x", "f".repeat(100))), 1);
    }
}
