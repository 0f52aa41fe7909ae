//! Runs the simulator: its smoke test, and the quick form of experiments. The package `kinfolk-sim`
//! decides what it simulates. For long runs use `cargo run --release -p kinfolk-sim -- ...`.

use anyhow::{Result, bail};

use crate::{same, shell};

/// The crates that do most of the simulator's work. The workspace's dev profile already optimises
/// the outside dependencies.
const OPTIMISED: &[&str] =
    &["kinfolk-coordinates", "kinfolk-core", "kinfolk-detector", "kinfolk-swim", "kinfolk-sim"];

/// The commands of the experiments that the gate runs. Their quick form is quick in debug builds
/// too, and checks enough to be useful.
const EXPERIMENTS: &[&str] = &["swim", "hostile", "coordinates"];

/// Runs the smoke test, or compares runs with the recorded checksums.
///
/// # Errors
/// As [`smoke`] and [`same::same`].
pub(crate) fn sim(args: &[String]) -> Result<String> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["same"] => same::same(false),
        ["same", "--record"] => same::same(true),
        ["same", ..] => bail!("`sim same` takes no argument but `--record`"),
        _ => smoke(args),
    }
}

/// Runs `kinfolk-sim smoke` with these arguments.
///
/// # Errors
/// When the simulator does not build, or an invariant does not hold. The simulator then prints the
/// seed of the failing run.
pub(crate) fn smoke(args: &[String]) -> Result<String> {
    shell::run(shell::optimised_run("kinfolk-sim", OPTIMISED).arg("smoke").args(args))?;
    Ok("smoke passed".to_owned())
}

/// Runs each experiment of the gate in its quick form.
///
/// # Errors
/// When the simulator does not build, or an experiment does not keep its promise.
pub(crate) fn experiments() -> Result<String> {
    for name in EXPERIMENTS {
        shell::run(shell::optimised_run("kinfolk-sim", OPTIMISED).args([name, "--quick"]))?;
    }
    Ok(format!("{} experiments kept their promises", EXPERIMENTS.len()))
}
