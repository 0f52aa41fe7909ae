//! Runs other programs to their end. A failure names the command and holds its standard error.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Runs a program with `input` on its standard input. Returns its standard output.
///
/// # Errors
/// The program cannot be started, or it fails.
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
    // A program may end without reading its input. Its exit status is what counts.
    let _unread = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().with_context(|| format!("{} cannot be waited for", shown()))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {}", shown(), output.status, stderr.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `ip` with these arguments, separated by spaces.
pub(super) fn ip(args: &str) -> Result<String> {
    run("ip", &args.split_whitespace().collect::<Vec<_>>(), "")
}
