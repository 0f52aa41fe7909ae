//! Whether the protocol still does what it did: a refactoring must change nothing. The simulator
//! replays a seed to the byte, so a checksum of each run and of each quick experiment is enough.
//! They are written down before the first step, and compared after each.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Where the checksums are written down. One line each: what was run, and the CRC-32 of its output.
const FILE: &str = "crates/sim/same.txt";
const MODES: [&str; 3] = ["swim", "lifeguard", "verified"];
/// How many seeds are run in each mode, from 1 on.
const SEEDS: u64 = 200;
/// The experiments whose quick output depends on nothing but the code.
const EXPERIMENTS: [&str; 4] = ["swim", "lifeguard", "phi", "rapid"];
/// How many lines that differ are shown.
const SHOWN_MAX: usize = 10;

/// Writes the checksums down, or compares them with those that are.
///
/// # Errors
/// When the simulator does not build, or a checksum differs.
pub(crate) fn same(record: bool) -> Result<String> {
    let found = checksums()?;
    let path = shell::root().join(FILE);
    if record {
        std::fs::write(&path, &found).with_context(|| format!("{FILE} cannot be written"))?;
        return Ok(format!("wrote {} checksums to {FILE}", found.lines().count()));
    }
    let written = std::fs::read_to_string(&path).with_context(|| {
        format!("{FILE} cannot be read; write it with `cargo xtask sim same --record` before the first step")
    })?;
    let differing = differences(&written, &found);
    if !differing.is_empty() {
        let shown = differing[..differing.len().min(SHOWN_MAX)].join("\n");
        bail!("{} of {} outputs differ:\n{shown}", differing.len(), written.lines().count());
    }
    Ok(format!("{} outputs are the same", found.lines().count()))
}

fn checksums() -> Result<String> {
    shell::run(&mut shell::cargo(["build", "--release", "--package", "kinfolk-sim"]))?;
    let mut lines = String::new();
    for mode in MODES {
        for seed in 1..=SEEDS {
            let seed = seed.to_string();
            add(&mut lines, &["replay", "--mode", mode, "--seed", &seed])?;
        }
    }
    for experiment in EXPERIMENTS {
        add(&mut lines, &[experiment, "--quick"])?;
    }
    Ok(lines)
}

/// Runs the simulator, and adds a line about what it printed.
fn add(lines: &mut String, args: &[&str]) -> Result<()> {
    let mut command = std::process::Command::new(program());
    let output = shell::capture(command.args(args))?;
    let checksum = crc32fast::hash(output.as_bytes());
    writeln!(lines, "{} {checksum:08x}", args.join(" ")).expect("a String takes all");
    Ok(())
}

/// The simulator as cargo built it.
fn program() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), PathBuf::from);
    target.join("release/kinfolk-sim")
}

/// The lines of `found` that are not in the same place of `written`, and how many are missing.
fn differences(written: &str, found: &str) -> Vec<String> {
    let mut differing: Vec<String> = written
        .lines()
        .zip(found.lines())
        .filter(|(written, found)| written != found)
        .map(|(written, found)| format!("was {written}\nis  {found}"))
        .collect();
    let (before, now) = (written.lines().count(), found.lines().count());
    if before != now {
        differing.push(format!("{before} outputs were written down, and there are {now}"));
    }
    differing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_that_differs_is_shown() {
        assert_eq!(differences("a 1\nb 2\n", "a 1\nb 2\n"), Vec::<String>::new());
        assert_eq!(differences("a 1\nb 2\n", "a 1\nb 3\n"), ["was b 2\nis  b 3"]);
        assert_eq!(differences("a 1\n", "a 1\nb 2\n"), ["1 outputs were written down, and there are 2"]);
    }
}
