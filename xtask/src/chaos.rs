//! Runs real agents in network namespaces under real faults. What is done to them, and what must follow, is the scenarios'
//! own business.

use anyhow::Result;

use crate::ci::SKIPPED;
use crate::shell;

/// Plays the scenarios; the quick form, that of the gate, with the dev profile, the full one with the release profile.
///
/// # Errors
/// When something does not build, or a scenario is broken.
pub(crate) fn chaos(args: &[String]) -> Result<String> {
    let is_quick = args.iter().any(|arg| arg == "--quick");
    run("chaos", !is_quick, args, "no scenario was broken")
}

/// Keeps agents under random faults, with the release profile.
///
/// # Errors
/// When something does not build, or the soak is broken; its seed is then told.
pub(crate) fn soak(args: &[String]) -> Result<String> {
    run("soak", true, args, "the soak was sound")
}

/// Builds the agent by itself, without the features that the scenarios add to the crates below it, and then the scenarios
/// beside it, which take the agent that they find there. Returns `passed`, or that nothing was run.
fn run(command: &str, release: bool, args: &[String], passed: &str) -> Result<String> {
    let profile = if release { &["--release"][..] } else { &[] };
    shell::run(shell::cargo(["build", "--package", "kinfolk-agent"]).args(profile))?;
    let mut scenarios = shell::cargo(["run", "--package", "kinfolk-scenarios"]);
    let was_run = shell::run_unless_skipped(scenarios.args(profile).args(["--", command]).args(args))?;
    Ok(if was_run { passed.to_owned() } else { format!("{SKIPPED}: no network namespaces") })
}
