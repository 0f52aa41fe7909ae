//! How long files and functions are: medians are told, long ones are pointed out, very long ones are findings.

use std::path::PathBuf;

use super::Finding;
use super::source::Source;

/// Lines from which a file wants a split, and from which it must have one.
const FILE_LONG: usize = 500;
const FILE_TOO_LONG: usize = 800;
/// Lines a function may have to fit on a screen, and lines that no function may exceed.
const FUNCTION_LONG: usize = 70;
const FUNCTION_TOO_LONG: usize = 120;

/// What was measured so far.
#[derive(Default)]
pub(super) struct Lengths {
    files: Vec<Length>,
    functions: Vec<Length>,
}

struct Length {
    file: PathBuf,
    line: usize,
    name: String,
    lines: usize,
}

impl Lengths {
    /// Adds a file and its functions, which are counted from `fn` to the closing brace, tests among them.
    pub(super) fn measure(&mut self, source: &Source) {
        let length = |line, name: &str, lines| Length {
            file: source.file.clone(),
            line,
            name: name.to_owned(),
            lines,
        };
        self.files.push(length(1, "the file", source.text.lines().count()));
        for (at, pair) in source.tokens.windows(2).enumerate() {
            // `fn` without a name after it is a type.
            if pair[0].text == "fn"
                && pair[1].is_word
                && let Some((_, close)) = source.body(at)
            {
                let lines = source.tokens[close].line - pair[0].line + 1;
                self.functions.push(length(pair[0].line, &format!("fn {}", pair[1].text), lines));
            }
        }
    }

    /// What must be split.
    pub(super) fn too_long(&self) -> Vec<Finding> {
        let over = |lengths: &[Length], limit| {
            let told = lengths.iter().filter(|length| length.lines > limit).map(|length| Finding {
                file: length.file.clone(),
                line: length.line,
                message: format!("{} has {} lines; {limit} is the limit", length.name, length.lines),
            });
            told.collect::<Vec<_>>()
        };
        let mut findings = over(&self.files, FILE_TOO_LONG);
        findings.extend(over(&self.functions, FUNCTION_TOO_LONG));
        findings
    }

    /// What wants a split but need not have one.
    pub(super) fn remarks(&self) -> Vec<String> {
        let between = |length: &&Length, long, limit| length.lines > long && length.lines <= limit;
        let files = self.files.iter().filter(|length| between(length, FILE_LONG, FILE_TOO_LONG));
        let functions =
            self.functions.iter().filter(|length| between(length, FUNCTION_LONG, FUNCTION_TOO_LONG));
        files
            .chain(functions)
            .map(|long| {
                format!("{}:{}: {} has {} lines", long.file.display(), long.line, long.name, long.lines)
            })
            .collect()
    }

    /// One line: how many, and the medians.
    pub(super) fn summary(&self) -> String {
        format!(
            "{} files of {} lines (median), {} functions of {}",
            self.files.len(),
            median(&self.files),
            self.functions.len(),
            median(&self.functions)
        )
    }
}

/// The middle value; the upper of the two where there are two, zero where there is none.
fn median(lengths: &[Length]) -> usize {
    let mut lines: Vec<usize> = lengths.iter().map(|length| length.lines).collect();
    lines.sort_unstable();
    lines.get(lines.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::source;
    use super::*;

    fn measured(text: &str) -> Lengths {
        let mut lengths = Lengths::default();
        lengths.measure(&source("a.rs", text));
        lengths
    }

    /// A function of exactly so many lines.
    fn function(lines: usize) -> String {
        format!("fn f() {{{}}}\n", "\n".repeat(lines - 1))
    }

    #[test]
    fn a_function_is_counted_from_its_keyword_to_its_closing_brace() {
        let lengths = measured("/// Doc.\n#[inline]\nfn f(\n) {\n}\n");
        assert_eq!((lengths.functions[0].line, lengths.functions[0].lines), (3, 3));
    }

    #[test]
    fn function_types_and_declarations_without_a_body_are_not_functions() {
        assert!(measured("struct S { run: fn(u8) -> u8 }\ntrait T { fn f(&self); }").functions.is_empty());
    }

    #[test]
    fn nested_functions_and_those_in_macros_count() {
        assert_eq!(measured("wrap! { fn a() { fn b() {} } }").functions.len(), 2);
    }

    #[test]
    fn functions_are_remarked_over_70_lines_and_found_over_120() {
        for (lines, remarks, findings) in [(70, 0, 0), (71, 1, 0), (120, 1, 0), (121, 0, 1)] {
            let lengths = measured(&function(lines));
            assert_eq!((lengths.remarks().len(), lengths.too_long().len()), (remarks, findings), "{lines}");
        }
    }

    #[test]
    fn files_are_remarked_over_500_lines_and_found_over_800() {
        for (lines, remarks, findings) in [(500, 0, 0), (501, 1, 0), (800, 1, 0), (801, 0, 1)] {
            let lengths = measured(&"//\n".repeat(lines));
            assert_eq!((lengths.remarks().len(), lengths.too_long().len()), (remarks, findings), "{lines}");
        }
    }

    #[test]
    fn the_summary_tells_medians() {
        let lengths = measured(&[function(1), function(2), function(30)].concat());
        assert_eq!(lengths.summary(), "1 files of 33 lines (median), 3 functions of 2");
        assert_eq!(Lengths::default().summary(), "0 files of 0 lines (median), 0 functions of 0");
    }
}
