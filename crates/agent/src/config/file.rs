//! The configuration file in TOML. An unknown key is an error, because a misspelt setting would
//! otherwise be ignored silently.

use std::path::Path;

use clap::{Args as _, Command};

use super::Settings;
use crate::exit::{Failure, Status};

/// From this Jaro-Winkler similarity on (0 to 1), an unknown key is taken for a misspelt setting.
const SIMILAR_FROM: f64 = 0.8;

/// Reads the settings in the file at `path`.
///
/// # Errors
/// The file cannot be read, or it has a fault: the message names the line and the key.
pub(super) fn read(path: &Path) -> Result<Settings, Failure> {
    let fail = |message: String| Failure::new(Status::Config, message);
    // The file is missing, or this user may not read it. What to do: check the path and the
    // permissions.
    let text = std::fs::read_to_string(path)
        .map_err(|error| fail(format!("cannot read the configuration {}: {error}", path.display())))?;
    // A line of the file is wrong. What to do: correct the line that the message names.
    let settings =
        parse(&text).map_err(|fault| fail(format!("in the configuration {}, {fault}", path.display())))?;
    Ok(settings.relative_to(path.parent().unwrap_or(Path::new("."))))
}

/// Parses the settings in `text`. An error has the line, the key, and what is wrong.
pub(super) fn parse(text: &str) -> Result<Settings, String> {
    toml::from_str(text).map_err(|error| {
        // The span counts bytes. People need a line number.
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..at).unwrap_or_default();
        let number = before.matches('\n').count() + 1;
        let line = text.lines().nth(number - 1).unwrap_or_default();
        match unknown(error.message()) {
            Some(unknown) => format!("line {number}: there is no setting {unknown:?}; {}", advice(unknown)),
            None => match key(line) {
                Some(key) => format!("line {number}, {key}: {}", error.message()),
                None => format!("line {number}: {}", error.message()),
            },
        }
    })
}

/// The key that a line of the file sets. `None` for other lines, such as those of a list.
fn key(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!key.is_empty() && key.chars().all(is_key)).then_some(key)
}

/// The key that is not a setting, if the TOML reader says that there is one. serde has no other way
/// to tell it than its message.
fn unknown(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

/// What to do about an unknown key: the most similar setting, or where all are listed.
fn advice(unknown: &str) -> String {
    let settings = Settings::augment_args(Command::new("agent"));
    let names = settings.get_arguments().map(|argument| argument.get_id().as_str());
    let similarity = |name: &str| strsim::jaro_winkler(name, &unknown.replace('-', "_"));
    let nearest = names.max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    match nearest.filter(|name| similarity(name) >= SIMILAR_FROM) {
        Some(name) => format!("did you mean {name:?}?"),
        None => "`kinfolk agent --help` lists all".to_owned(),
    }
}
