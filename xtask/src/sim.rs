//! Runs the simulator's smoke test. What it simulates is the simulator's own business.
//!
//! It builds with the dev profile, its own crates optimised from the command line: nothing that the other steps built is
//! built again, and debug assertions and overflow checks stay on. For long runs use
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
    let mut command = shell::cargo(["run", "--package", "kinfolk-sim"]);
    for package in OPTIMISED {
        command.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=2"));
    }
    command.args(["--", "smoke"]).args(args);
    shell::run(&mut command)?;
    Ok("smoke passed".to_owned())
}
