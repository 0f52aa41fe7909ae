//! Runs real agents in network namespaces under real faults. The package `kinfolk-scenarios`
//! decides which faults it makes, and checks what follows.

use anyhow::Result;

use crate::ci::SKIPPED;
use crate::shell;

/// Runs the scenarios. The quick form, which the gate uses, takes the dev profile. The full form
/// takes the release profile.
///
/// # Errors
/// When a package does not build, or a scenario fails.
pub(crate) fn chaos(args: &[String]) -> Result<String> {
    let is_quick = args.iter().any(|arg| arg == "--quick");
    run("chaos", !is_quick, args, "no scenario failed")
}

/// Runs agents under random faults for a long time, with the release profile.
///
/// # Errors
/// When a package does not build, or the soak fails; the program then prints the seed.
pub(crate) fn soak(args: &[String]) -> Result<String> {
    run("soak", true, args, "the soak passed")
}

/// Builds the agent first and by itself: the scenarios add features to the crates below the agent,
/// and the tested agent must not have them. Then it runs the scenarios. They use the agent that
/// they find in their own folder. Returns `passed`, or a note that nothing was run.
fn run(command: &str, release: bool, args: &[String], passed: &str) -> Result<String> {
    let profile = if release { &["--release"][..] } else { &[] };
    shell::run(shell::cargo(["build", "--package", "kinfolk-agent"]).args(profile))?;
    let mut scenarios = shell::cargo(["run", "--package", "kinfolk-scenarios"]);
    let was_run = shell::run_unless_skipped(scenarios.args(profile).args(["--", command]).args(args))?;
    Ok(if was_run { passed.to_owned() } else { format!("{SKIPPED}: no network namespaces") })
}
