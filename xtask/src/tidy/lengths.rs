//! Measures how long files and functions are. It prints medians, and a note for each long one. A
//! file or function over its limit is a finding.

use std::path::PathBuf;

use super::Finding;
use super::source::Source;

/// A file with more lines gets a note.
const FILE_LONG: usize = 500;
/// The limit of a file's lines.
const FILE_TOO_LONG: usize = 800;
/// A function with more lines gets a note: it does not fit on a screen.
const FUNCTION_LONG: usize = 70;
/// The limit of a function's lines.
const FUNCTION_TOO_LONG: usize = 120;

/// The lengths of all files and functions so far.
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
    /// Adds a file and its functions, tests too. The lines of a function are those from `fn` to the
    /// closing brace, so that docs and attributes do not count.
    pub(super) fn measure(&mut self, source: &Source) {
        let length = |line, name: &str, lines| Length {
            file: source.file.clone(),
            line,
            name: name.to_owned(),
            lines,
        };
        self.files.push(length(1, "the file", source.text.lines().count()));
        for (at, pair) in source.tokens.windows(2).enumerate() {
            // An `fn` without a name after it is a type.
            if pair[0].text == "fn"
                && pair[1].is_word
                && let Some((_, close)) = source.body(at)
            {
                let lines = source.tokens[close].line - pair[0].line + 1;
                self.functions.push(length(pair[0].line, &format!("fn {}", pair[1].text), lines));
            }
        }
    }

    /// The files and functions over their limit.
    pub(super) fn too_long(&self) -> Vec<Finding> {
        let over = |lengths: &[Length], limit| {
            let findings = lengths.iter().filter(|length| length.lines > limit).map(|length| Finding {
                file: length.file.clone(),
                line: length.line,
                message: format!("{} has {} lines; the limit is {limit}", length.name, length.lines),
            });
            findings.collect::<Vec<_>>()
        };
        let mut findings = over(&self.files, FILE_TOO_LONG);
        findings.extend(over(&self.functions, FUNCTION_TOO_LONG));
        findings
    }

    /// Notes about long files and functions that are within their limit.
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

    /// One line with the numbers of files and functions, and the medians.
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

/// The middle value. Of two middle values it is the upper one; without values it is 0.
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

    /// A function of exactly this many lines.
    fn function(lines: usize) -> String {
        format!("fn f() {{{}}}\n", "\n".repeat(lines - 1))
    }

    #[test]
    fn docs_of_a_function_do_not_count() {
        let lengths = measured("/// Doc.\n#[inline]\nfn f(\n) {\n}\n");
        assert_eq!((lengths.functions[0].line, lengths.functions[0].lines), (3, 3));
    }

    #[test]
    fn functions_without_a_body_do_not_count() {
        assert!(measured("struct S { run: fn(u8) -> u8 }\ntrait T { fn f(&self); }").functions.is_empty());
    }

    #[test]
    fn functions_in_functions_and_macros_count() {
        assert_eq!(measured("wrap! { fn a() { fn b() {} } }").functions.len(), 2);
    }

    /// Over 70 lines there is a note, over 120 a finding.
    #[test]
    fn functions_have_two_limits() {
        for (lines, remarks, findings) in [(70, 0, 0), (71, 1, 0), (120, 1, 0), (121, 0, 1)] {
            let lengths = measured(&function(lines));
            assert_eq!((lengths.remarks().len(), lengths.too_long().len()), (remarks, findings), "{lines}");
        }
    }

    /// Over 500 lines there is a note, over 800 a finding.
    #[test]
    fn files_have_two_limits() {
        for (lines, remarks, findings) in [(500, 0, 0), (501, 1, 0), (800, 1, 0), (801, 0, 1)] {
            let lengths = measured(&"//\n".repeat(lines));
            assert_eq!((lengths.remarks().len(), lengths.too_long().len()), (remarks, findings), "{lines}");
        }
    }

    #[test]
    fn summary_has_medians() {
        let lengths = measured(&[function(1), function(2), function(30)].concat());
        assert_eq!(lengths.summary(), "1 files of 33 lines (median), 3 functions of 2");
        assert_eq!(Lengths::default().summary(), "0 files of 0 lines (median), 0 functions of 0");
    }
}
