//! `cargo xtask messages`: writes `docs/messages.md`, the table of all errors and log lines, from the code.
//!
//! The code is the only source: an error's meaning is its doc comment, a log line's meaning is the
//! comment above it. In both, the text after `What to do:` is the advice. `cargo xtask tidy` fails
//! when a message has no meaning or no advice, and when the page does not match the code.

mod advice;
mod errors;
mod page;
mod sites;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::shell;
use crate::tidy::source::Source;
use crate::tidy::{Finding, files, read};
use advice::Advice;

/// Where the page is, relative to the root.
const PAGE: &str = "docs/messages.md";

/// The crates whose messages an operator of the agent can see, in the order of the page. Tools and
/// tests are not among them.
const CRATES: &[&str] = &["core", "detector", "swim", "transport", "gossip", "cluster", "agent"];

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// An error type of a library, with its name: `OpenError::Unknown`.
    Error(String),
    /// A log line, with its level.
    Log(String),
    /// A line with which a command of the agent ends.
    Command,
}

/// One message of the code.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    kind: Kind,
    /// As it stands in the code, with its placeholders.
    text: String,
    line: usize,
    advice: Advice,
}

/// Writes the page.
///
/// # Errors
/// When a message has no meaning or no advice, or a file cannot be read or written.
pub(crate) fn write() -> Result<String> {
    let root = shell::root();
    let (page, findings) = make(&root)?;
    for finding in &findings {
        eprintln!("messages: {finding}");
    }
    if !findings.is_empty() {
        bail!("{} message(s) without a meaning or advice, listed above", findings.len());
    }
    fs::write(root.join(PAGE), &page).with_context(|| format!("cannot write {PAGE}"))?;
    Ok(format!("{PAGE} has {} lines", page.lines().count()))
}

/// What is wrong with the messages or with the page.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>> {
    let (page, mut findings) = make(root)?;
    if fs::read_to_string(root.join(PAGE)).unwrap_or_default() != page {
        findings.push(Finding::new(
            Path::new(PAGE),
            1,
            "does not match the code; `cargo xtask messages` writes it again",
        ));
    }
    Ok(findings)
}

/// The page as the code would have it, and the messages that say too little.
fn make(root: &Path) -> Result<(String, Vec<Finding>)> {
    let mut sections = Vec::new();
    let mut findings = Vec::new();
    for name in CRATES {
        let folder = Path::new("crates").join(name).join("src");
        let mut files_of_crate = Vec::new();
        for file in files::rust(root)?.into_iter().filter(|file| file.starts_with(&folder)) {
            // A file that is not Rust is a finding of tidy already.
            let Ok(source) = Source::parse(&file, read(root, &file)?) else { continue };
            if source.is_test_file() {
                continue;
            }
            let messages = messages_of(&source, *name == "agent");
            findings.extend(messages.iter().filter_map(|message| incomplete(&source, message)));
            files_of_crate.push((file, messages));
        }
        sections.push((*name, files_of_crate));
    }
    Ok((page::render(&sections), findings))
}

fn messages_of(source: &Source, ends_commands: bool) -> Vec<Message> {
    let mut messages = errors::find(source);
    messages.extend(sites::logs(source));
    if ends_commands {
        messages.extend(sites::failures(source));
    }
    messages.sort_by_key(|message| message.line);
    messages
}

fn incomplete(source: &Source, message: &Message) -> Option<Finding> {
    let missing = match (&message.advice.meaning, &message.advice.action) {
        (meaning, Some(_)) if !meaning.is_empty() => return None,
        (meaning, None) if !meaning.is_empty() => "a sentence that begins `What to do:`",
        _ => "a comment that says what it means, with a sentence that begins `What to do:`",
    };
    Some(source.finding(message.line, format!("the message {:?} needs {missing}", message.text)))
}
