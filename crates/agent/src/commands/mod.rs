//! The commands that ask a running agent. Each is a client of the agent's API.

pub(crate) mod forget;
pub(crate) mod leave;
pub(crate) mod maintenance;
pub(crate) mod members;

use std::io::Write as _;

use crate::exit::Failure;

/// Writes a whole text to standard output.
fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}
