//! Runs the storm: many requests over the transport, with cancellations, crashes, and evictions.
//! The gate runs a small part of it among the tests. The package `kinfolk-scenarios` contains it.

use anyhow::Result;

use crate::shell;

/// The crates that do most of the storm's work. The transport is among them because QUIC's generic
/// code is compiled as a part of it.
const OPTIMISED: &[&str] = &["kinfolk-core", "kinfolk-transport", "kinfolk-scenarios"];

/// Runs `kinfolk-scenarios storm` with these arguments.
///
/// # Errors
/// When the program does not build, or requests leave something behind. The last seed that the
/// program prints is the seed of the failing run.
pub(crate) fn run(args: &[String]) -> Result<String> {
    shell::run(shell::optimised_run("kinfolk-scenarios", OPTIMISED).arg("storm").args(args))?;
    Ok("the storm left nothing behind".to_owned())
}
