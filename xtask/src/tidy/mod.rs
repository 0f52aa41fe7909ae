//! `cargo xtask tidy`: house rules that neither rustfmt nor clippy knows. This file gathers; each rule has a file.

mod clocks;
mod columns;
pub(crate) mod files;
mod leftovers;
mod lengths;
mod links;
mod module_docs;
mod sleeps;
pub(crate) mod source;
mod test_names;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{messages, shell};
use source::Source;

/// A place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    file: PathBuf,
    /// Counted from 1.
    line: usize,
    message: String,
}

impl Finding {
    /// A finding on a line, counted from 1.
    pub(crate) fn new(file: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_path_buf(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// Runs every rule on every file that git tracks or would track, and prints all findings.
///
/// # Errors
/// When a rule is broken, or a file cannot be read.
pub(crate) fn check() -> Result<String> {
    let root = shell::root();
    let mut findings = Vec::new();
    let mut lengths = lengths::Lengths::default();
    for file in files::rust(&root)? {
        match Source::parse(&file, read(&root, &file)?) {
            Ok(source) => check_source(&source, &mut lengths, &mut findings),
            Err(finding) => findings.push(finding),
        }
    }
    findings.extend(lengths.too_long());
    for file in files::markdown(&root)? {
        let text = read(&root, &file)?;
        findings.extend(links::broken(&root, &file, &text));
        findings.extend(words::in_page(&file, &text));
    }
    findings.extend(messages::check(&root)?);
    for remark in lengths.remarks() {
        eprintln!("tidy: note: {remark}");
    }
    if !findings.is_empty() {
        for finding in &findings {
            eprintln!("tidy: {finding}");
        }
        eprintln!("tidy: {}", lengths.summary());
        bail!("{} finding(s), listed above", findings.len());
    }
    Ok(lengths.summary())
}

fn check_source(source: &Source, lengths: &mut lengths::Lengths, findings: &mut Vec<Finding>) {
    findings.extend(module_docs::missing(source));
    findings.extend(leftovers::find(source));
    findings.extend(clocks::find(source));
    findings.extend(sleeps::find(source));
    findings.extend(columns::find(source));
    findings.extend(test_names::find(source));
    findings.extend(words::in_code(source));
    lengths.measure(source);
}

/// The text of a file, whose path is relative to the root.
///
/// # Errors
/// When the file cannot be read, or is not UTF-8.
pub(crate) fn read(root: &Path, file: &Path) -> Result<String> {
    std::fs::read_to_string(root.join(file)).with_context(|| format!("{} cannot be read", file.display()))
}
