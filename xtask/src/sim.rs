//! Runs the simulator's smoke test. What it simulates is the simulator's own business. For long runs use
//! `cargo run --release -p kinfolk-sim -- ...` instead.

use anyhow::Result;

use crate::shell;

/// The crates that do the simulator's work. The rest of its dependencies are optimised by the workspace's dev profile.
const OPTIMISED: &[&str] = &["kinfolk-core", "kinfolk-detector", "kinfolk-swim", "kinfolk-sim"];

/// Runs `kinfolk-sim smoke` with these arguments after it.
///
/// # Errors
/// When it does not build or an invariant does not hold; the simulator then prints the seed that shows it.
pub(crate) fn smoke(args: &[String]) -> Result<String> {
    shell::run(shell::optimised_run("kinfolk-sim", OPTIMISED).arg("smoke").args(args))?;
    Ok("smoke passed".to_owned())
}
