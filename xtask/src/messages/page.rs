//! The page: a table of errors for each crate, one of log lines, one of the commands' failures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Kind, Message};

/// The messages of one crate by file.
type Section = (&'static str, Vec<(PathBuf, Vec<Message>)>);

const HEAD: &str = "\
# Messages

Each error and each log line of Kinfolk: what it means, and what to do. `cargo xtask messages`
writes this page from the code, and `cargo xtask tidy` fails when the page does not match the code.

A part in braces stands for a value. The agent ends with one error line on standard error and an
exit status ([operations.md](operations.md)). A library returns the error as a value. An error that
only wraps another error has no line here: its text is that of the inner error.
";

/// The whole page.
pub(super) fn render(sections: &[Section]) -> String {
    let mut page = HEAD.to_owned();
    for (name, files) in sections {
        let rows: Vec<_> =
            messages(files).filter(|(_, message)| matches!(message.kind, Kind::Error(_))).collect();
        if !rows.is_empty() {
            let _ = write!(
                page,
                "\n## Errors of `crates/{name}`\n\n| error | message | meaning | what to do |\n|---|---|---|---|\n"
            );
        }
        for (_, message) in rows {
            if let Kind::Error(error) = &message.kind {
                row(&mut page, &format!("`{error}`"), message);
            }
        }
    }
    page += "\n## Log lines\n\n| level, file | message | meaning | what to do |\n|---|---|---|---|\n";
    for (file, message) in sections.iter().flat_map(|(_, files)| messages(files)) {
        if let Kind::Log(level) = &message.kind {
            row(&mut page, &format!("{level}, {}", link(file)), message);
        }
    }
    page += "\n## Failures of the agent's commands\n\n| file | message | meaning | what to do |\n|---|---|---|---|\n";
    for (file, message) in sections.iter().flat_map(|(_, files)| messages(files)) {
        if message.kind == Kind::Command {
            row(&mut page, &link(file), message);
        }
    }
    page
}

fn messages(files: &[(PathBuf, Vec<Message>)]) -> impl Iterator<Item = (&Path, &Message)> {
    files.iter().flat_map(|(file, messages)| messages.iter().map(|message| (file.as_path(), message)))
}

fn row(page: &mut String, first: &str, message: &Message) {
    let action = message.advice.action.as_deref().unwrap_or_default();
    let cells = [first, &message.text, &message.advice.meaning, action].map(cell);
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

/// A text without what a table of Markdown would take for its own.
fn cell(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|").replace('<', "\\<")
}

fn link(file: &Path) -> String {
    let short: PathBuf = file.iter().skip(1).filter(|part| *part != "src").collect();
    format!("[{}](../{})", short.display(), file.display())
}

#[cfg(test)]
mod tests {
    use super::super::advice::Advice;
    use super::*;

    fn message(kind: Kind, text: &str) -> Message {
        let advice = Advice::of(["Means | this. What to do: nothing."].into_iter());
        Message { kind, text: text.to_owned(), line: 1, advice }
    }

    #[test]
    fn each_kind_has_its_table() {
        let all = vec![
            message(Kind::Error("A::B".to_owned()), "no {x}"),
            message(Kind::Log("warn".to_owned()), "slow"),
            message(Kind::Command, "ended"),
        ];
        let page = render(&[("core", vec![(PathBuf::from("crates/core/src/a.rs"), all)])]);
        assert!(page.contains("\n| `A::B` | no {x} | Means \\| this. | Nothing. |\n"), "{page}");
        assert!(page.contains("\n| warn, [core/a.rs](../crates/core/src/a.rs) | slow |"), "{page}");
        assert!(page.contains("\n| [core/a.rs](../crates/core/src/a.rs) | ended |"), "{page}");
    }

    #[test]
    fn crate_without_errors_has_no_table() {
        assert!(!render(&[("core", Vec::new())]).contains("crates/core"));
    }
}
