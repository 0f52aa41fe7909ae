//! Checks that a refactoring does not change what the protocol does. The simulator gives the same
//! output for the same seed, byte for byte. So a checksum of each run and of each quick experiment
//! is enough. The developer records them before the refactoring, and compares after each step.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell;

/// The file of the checksums. A line has the arguments of a run and the CRC-32 of its output.
const FILE: &str = "crates/sim/same.txt";
const MODES: [&str; 3] = ["swim", "lifeguard", "verified"];
/// The number of seeds in each mode. The first seed is 1.
const SEEDS: u64 = 200;
/// The experiments whose quick output depends only on the code, not on the machine or the time.
const EXPERIMENTS: [&str; 4] = ["swim", "lifeguard", "phi", "rapid"];
/// At most this many lines that differ are shown.
const SHOWN_MAX: usize = 10;

/// Records the checksums, or compares them with the recorded ones.
///
/// # Errors
/// When the simulator does not build, or a checksum differs.
pub(crate) fn same(record: bool) -> Result<String> {
    let found = checksums()?;
    let path = shell::root().join(FILE);
    if record {
        std::fs::write(&path, &found).with_context(|| format!("cannot write {FILE}"))?;
        return Ok(format!("wrote {} checksums to {FILE}", found.lines().count()));
    }
    let written = std::fs::read_to_string(&path).with_context(|| {
        format!("cannot read {FILE}; write it with `cargo xtask sim same --record` before you change code")
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

/// Runs the simulator, and adds a line with the checksum of its output.
fn add(lines: &mut String, args: &[&str]) -> Result<()> {
    let mut command = std::process::Command::new(program());
    let output = shell::capture(command.args(args))?;
    let checksum = crc32fast::hash(output.as_bytes());
    writeln!(lines, "{} {checksum:08x}", args.join(" ")).expect("writing to a String cannot fail");
    Ok(())
}

/// The path of the simulator that cargo built.
fn program() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), PathBuf::from);
    target.join("release/kinfolk-sim")
}

/// The lines of `found` that differ from the same line of `written`. If the numbers of lines
/// differ, a last text says so.
fn differences(written: &str, found: &str) -> Vec<String> {
    let mut differing: Vec<String> = written
        .lines()
        .zip(found.lines())
        .filter(|(written, found)| written != found)
        .map(|(written, found)| format!("was {written}\nis  {found}"))
        .collect();
    let (before, now) = (written.lines().count(), found.lines().count());
    if before != now {
        differing.push(format!("{before} outputs are recorded, and this run has {now}"));
    }
    differing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_are_shown() {
        assert_eq!(differences("a 1\nb 2\n", "a 1\nb 2\n"), Vec::<String>::new());
        assert_eq!(differences("a 1\nb 2\n", "a 1\nb 3\n"), ["was b 2\nis  b 3"]);
        assert_eq!(differences("a 1\n", "a 1\nb 2\n"), ["1 outputs are recorded, and this run has 2"]);
    }
}
