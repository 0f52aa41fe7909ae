//! Runs the storm on the transport: the whole of what the gate runs a small part of. What it does is the scenarios' own
//! business.

use anyhow::Result;

use crate::shell;

/// The crates that do the storm's work; QUIC's generic code is compiled as part of the transport.
const OPTIMISED: &[&str] = &["kinfolk-core", "kinfolk-transport", "kinfolk-scenarios"];

/// Runs `kinfolk-scenarios` with these arguments.
///
/// # Errors
/// When it does not build or something is left of the storm; the seed that shows it is the last one printed.
pub(crate) fn run(args: &[String]) -> Result<String> {
    shell::run(shell::optimised_run("kinfolk-scenarios", OPTIMISED).arg("storm").args(args))?;
    Ok("the storm left nothing behind".to_owned())
}
