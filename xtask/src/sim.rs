//! Runs the simulator: its smoke test, and the quick form of an experiment. What it simulates is its own business. For
//! long runs use `cargo run --release -p kinfolk-sim -- ...` instead.

use anyhow::{Result, bail};

use crate::{same, shell};

/// The crates that do the simulator's work. The rest of its dependencies are optimised by the workspace's dev profile.
const OPTIMISED: &[&str] = &["kinfolk-core", "kinfolk-detector", "kinfolk-swim", "kinfolk-sim"];

/// The experiments that the gate runs, by their commands: those whose quick form is quick in debug builds too, and judges
/// enough to mean something.
const EXPERIMENTS: &[&str] = &["swim"];

/// The smoke run, or the comparison with what was written down.
///
/// # Errors
/// As [`smoke`] and [`same::same`].
pub(crate) fn sim(args: &[String]) -> Result<String> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["same"] => same::same(false),
        ["same", "--record"] => same::same(true),
        ["same", ..] => bail!("`sim same` takes nothing but `--record`"),
        _ => smoke(args),
    }
}

/// Runs `kinfolk-sim smoke` with these arguments after it.
///
/// # Errors
/// When it does not build or an invariant does not hold; the simulator then prints the seed that shows it.
pub(crate) fn smoke(args: &[String]) -> Result<String> {
    shell::run(shell::optimised_run("kinfolk-sim", OPTIMISED).arg("smoke").args(args))?;
    Ok("smoke passed".to_owned())
}

/// Runs each of them in its quick form.
///
/// # Errors
/// When it does not build or a promise is missed.
pub(crate) fn experiments() -> Result<String> {
    for name in EXPERIMENTS {
        shell::run(shell::optimised_run("kinfolk-sim", OPTIMISED).args([name, "--quick"]))?;
    }
    Ok(format!("{} experiments kept their promises", EXPERIMENTS.len()))
}
