//! Runs other programs to their end: what fails is told with the command and with what it said.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Runs a program with `input` on its standard input, and gives its standard output.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(super) fn run(program: &str, args: &[&str], input: &str) -> Result<String> {
    let shown = || format!("`{program} {}`", args.join(" "));
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} cannot be started", shown()))?;
    let mut stdin = child.stdin.take().context("a piped standard input is there")?;
    // A program that ends without reading is judged by its status.
    let _unread = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().with_context(|| format!("{} cannot be waited for", shown()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {}", shown(), output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `ip` with these arguments, separated by spaces.
pub(super) fn ip(args: &str) -> Result<String> {
    run("ip", &args.split_whitespace().collect::<Vec<_>>(), "")
}
