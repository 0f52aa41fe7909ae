//! The configuration file in TOML. An unknown key is an error, because a misspelt setting would
//! otherwise be ignored silently.

use std::path::Path;

use super::Settings;
use crate::exit::{Failure, Status};

/// From this Jaro-Winkler similarity on (0 to 1), an unknown key is taken for a misspelt setting.
const SIMILAR_FROM: f64 = 0.8;
/// A message lists at most this many settings: those of a service or of a check fit into its line.
const LISTED_MAX: usize = 8;

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
            Some((unknown, known)) => {
                format!("line {number}: there is no setting {unknown:?}; {}", advice(unknown, &known))
            }
            None => match value_key(before).or_else(|| key(line)) {
                Some(key) => format!("line {number}, {key}: {}", error.message()),
                None => format!("line {number}: {}", error.message()),
            },
        }
    })
}

/// The key of the value that begins behind `before`. In an inline table it is not the first key of
/// the line. `None` if no value begins there.
fn value_key(before: &str) -> Option<&str> {
    let before = before.trim_end_matches([' ', '\t']).strip_suffix('=')?;
    let key = before.trim_end().rsplit(|c| !is_key_character(c)).next()?;
    (!key.is_empty()).then_some(key)
}

/// The key that a line of the file sets. `None` for other lines, such as those of a list.
fn key(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    (!key.is_empty() && key.chars().all(is_key_character)).then_some(key)
}

fn is_key_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// The key that is not a setting, and the settings of its table, if the TOML reader says that there
/// is such a key. serde has no other way to tell it than its message.
fn unknown(message: &str) -> Option<(&str, Vec<&str>)> {
    // Every second part is in backquotes: first the key, and then each setting.
    let mut quoted = message.strip_prefix("unknown field `")?.split('`').step_by(2);
    Some((quoted.next()?, quoted.collect()))
}

/// What to do about an unknown key: the most similar setting, or where all are listed.
fn advice(unknown: &str, known: &[&str]) -> String {
    let similarity = |name: &str| strsim::jaro_winkler(name, &unknown.replace('-', "_"));
    let nearest = known.iter().max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    match nearest.filter(|name| similarity(name) >= SIMILAR_FROM) {
        Some(name) => format!("did you mean {name:?}?"),
        None if known.len() <= LISTED_MAX => format!("give {}", known.join(", ")),
        None => "`kinfolk agent --help` lists all".to_owned(),
    }
}
