//! The steps of the gate that run one or a few cargo commands. Steps with their own rules have
//! their own files.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

use crate::setup;
use crate::shell::{self, Output};

/// The program, and its feature that no other package turns on. A build of the whole workspace
/// leaves it out, because users get the program without it.
const AGENT: &str = "kinfolk-agent";
const EXPORT: &str = "otel";

/// The code is formatted as rustfmt formats it.
pub(crate) fn fmt() -> Result<String> {
    setup::need(&setup::RUSTFMT)?;
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))
        .context("the code is not formatted; run `cargo fmt --all`")?;
    Ok("formatted".to_owned())
}

/// Clippy on every target of every crate; a warning is an error.
pub(crate) fn clippy() -> Result<String> {
    setup::need(&setup::CLIPPY)?;
    shell::run(&mut shell::cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let export =
        ["clippy", "--package", AGENT, "--features", EXPORT, "--all-targets", "--", "-D", "warnings"];
    shell::run(&mut shell::cargo(export))?;
    Ok("no warning".to_owned())
}

/// Unit and integration tests.
pub(crate) fn nextest() -> Result<String> {
    setup::need(&setup::NEXTEST)?;
    shell::run(&mut shell::cargo(["nextest", "run", "--package", AGENT, "--features", EXPORT, "otel::"]))?;
    let mut command = shell::cargo(["nextest", "run", "--workspace"]);
    // On a terminal nextest draws a live display, which it would not do for a pipe. So the output
    // is not read there, and the gate's table shows no counts.
    if std::io::stderr().is_terminal() {
        shell::run(&mut command)?;
        return Ok("all passed".to_owned());
    }
    let lines = shell::run_and_read(&mut command, Output::Stderr)?;
    Ok(nextest_summary(&lines).unwrap_or("all passed").to_owned())
}

/// Runs the examples in the documentation.
pub(crate) fn doctest() -> Result<String> {
    let lines = shell::run_and_read(&mut shell::cargo(["test", "--doc", "--workspace"]), Output::Stdout)?;
    Ok(format!("{} examples", tests_run(&lines)))
}

/// Builds the documentation without a warning, for developers and for users. Private items carry
/// most explanations, so developers need them. For users a link to a private item leads nowhere.
///
/// Programs and libraries are built separately, because the agent's program and the `kinfolk`
/// library would write to the same folder. The users' form comes last and stays in `target/doc`.
pub(crate) fn rustdoc() -> Result<String> {
    for targets in
        [&["--bins", "--document-private-items"][..], &["--lib", "--document-private-items"], &["--lib"]]
    {
        let mut command = shell::cargo(["doc", "--workspace", "--no-deps"]);
        shell::run(command.args(targets).env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok("programs, libraries with and without private items".to_owned())
}

/// Builds each crate by itself. In a build of the whole workspace a crate may use a feature that
/// only another crate turns on; such a crate fails here.
pub(crate) fn alone() -> Result<String> {
    let metadata = MetadataCommand::new().current_dir(shell::root()).no_deps().exec()?;
    let packages = metadata.workspace_packages();
    for package in &packages {
        shell::run(&mut shell::cargo(["check", "--package", package.name.as_str()]))?;
    }
    Ok(format!("{} crates", packages.len()))
}

/// The number of tests that libtest ran: the sum over all its `running N tests` lines.
pub(crate) fn tests_run(lines: &[String]) -> u64 {
    lines
        .iter()
        .filter_map(|line| {
            line.strip_prefix("running ")?
                .strip_suffix(" tests")
                .or(line.strip_prefix("running ")?.strip_suffix(" test"))
        })
        .filter_map(|count| count.parse::<u64>().ok())
        .sum()
}

/// The part `12 tests run: 12 passed, 0 skipped` of nextest's last line.
fn nextest_summary(lines: &[String]) -> Option<&str> {
    let line = lines.iter().rev().find(|line| line.trim_start().starts_with("Summary"))?;
    Some(line.split_once(']')?.1.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn libtest_counts_are_summed() {
        let output =
            lines("running 2 tests\ntest a ... ok\nrunning 1 test\nrunning 0 tests\nrunning wild tests");
        assert_eq!(tests_run(&output), 3);
        assert_eq!(tests_run(&lines("no tests at all")), 0);
    }

    #[test]
    fn nextest_summary_is_found() {
        let output = lines("   PASS a\n     Summary [   0.012s] 3 tests run: 3 passed, 0 skipped");
        assert_eq!(nextest_summary(&output), Some("3 tests run: 3 passed, 0 skipped"));
        assert_eq!(nextest_summary(&lines("nothing")), None);
    }
}
