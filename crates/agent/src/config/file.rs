//! The configuration file: TOML, in which an unknown key is an error.

use std::path::Path;

use super::Settings;
use crate::exit::{Failure, Status};

/// The settings that the file at `path` gives.
pub(super) fn read(path: &Path) -> Result<Settings, Failure> {
    let fail = |message: String| Failure::new(Status::Config, message);
    let text = std::fs::read_to_string(path)
        .map_err(|error| fail(format!("the configuration {} cannot be read: {error}", path.display())))?;
    let settings =
        parse(&text).map_err(|wrong| fail(format!("the configuration {}, {wrong}", path.display())))?;
    Ok(settings.relative_to(path.parent().unwrap_or(Path::new("."))))
}

/// The settings in `text`, or the line and what is wrong in it.
pub(super) fn parse(text: &str) -> Result<Settings, String> {
    let settings: Settings = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.unwrap_or_default().matches('\n').count() + 1;
        format!("line {line}: {}", error.message())
    })?;
    for (name, number) in
        [("join_attempts", settings.join_attempts), ("pool_max_total", settings.pool_max_total)]
    {
        if number == Some(0) {
            return Err(format!("`{name}` is 0: give 1 or more"));
        }
    }
    Ok(settings)
}
