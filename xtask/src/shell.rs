//! Runs other programs: in which folder, how the command is shown, and the text of a failure. It
//! knows no particular task.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, anyhow, bail};

/// The output of a program that is read as well as shown.
#[derive(Clone, Copy)]
pub(crate) enum Output {
    Stdout,
    Stderr,
}

/// The workspace's root. It does not depend on the folder in which the task was started.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable when it runs this program. A program that is started directly uses
    // the path at which it was compiled.
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).parent().expect("xtask is a folder of the workspace").to_path_buf()
}

/// The folder in which cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// A cargo command in the workspace's root. Its standard input is empty, so that no step can wait
/// for an answer.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

/// A command that builds a program with the dev profile and runs it. These crates of the workspace
/// are optimised. The command builds nothing again that other steps of the gate have built. Debug
/// assertions and overflow checks stay on.
pub(crate) fn optimised_run(package: &str, optimised: &[&str]) -> Command {
    let mut command = cargo(["run", "--package", package]);
    for package in optimised {
        command.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=2"));
    }
    command.arg("--");
    command
}

/// Runs the command with its output shown.
///
/// # Errors
/// When the command cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = announce(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    succeeded(status, &shown)
}

/// The exit status of a program that skipped its work. Without a status of its own, the gate would
/// take a skipped step for a passed one.
const SKIPPED: i32 = 77;

/// Runs the command with its output shown. Returns `false` if the command skipped its work.
///
/// # Errors
/// When the command cannot be started, or neither succeeds nor skips.
pub(crate) fn run_unless_skipped(command: &mut Command) -> Result<bool> {
    let shown = announce(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if status.code() == Some(SKIPPED) {
        return Ok(false);
    }
    succeeded(status, &shown).map(|()| true)
}

/// Runs the command with its output shown, and returns the lines of one of its outputs.
///
/// # Errors
/// When the command cannot be started or does not succeed, or its output cannot be read.
pub(crate) fn run_and_read(command: &mut Command, output: Output) -> Result<Vec<String>> {
    let shown = announce(command);
    match output {
        Output::Stdout => command.stdout(Stdio::piped()),
        Output::Stderr => command.stderr(Stdio::piped()),
    };
    let mut child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let lines = match output {
        Output::Stdout => pass_on(child.stdout.take().expect("stdout is a pipe"), &mut std::io::stdout()),
        Output::Stderr => pass_on(child.stderr.take().expect("stderr is a pipe"), &mut std::io::stderr()),
    };
    // The status is checked before the output: if the command failed, that is the error to report.
    let status = child.wait().with_context(|| format!("cannot wait for `{shown}`"))?;
    succeeded(status, &shown)?;
    lines.with_context(|| format!("cannot read the output of `{shown}`"))
}

/// Runs the command without showing anything, and returns its standard output.
///
/// # Errors
/// When the command cannot be started, does not succeed, or prints text that is not UTF-8.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    succeeded(output.status, &shown)?;
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed text that is not UTF-8"))
}

/// Runs the command with its output hidden, for commands that print much and seldom fail.
///
/// # Errors
/// When the command cannot be started or does not succeed. The error contains the first lines of
/// the command's standard error.
pub(crate) fn run_hidden(command: &mut Command) -> Result<()> {
    let shown = announce(command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    succeeded(output.status, &shown).map_err(|error| {
        anyhow!("{error}; its standard error:{}", first_lines(&String::from_utf8_lossy(&output.stderr)))
    })
}

/// The first 30 lines, because they contain the cause. A backtrace or a compiler's whole output can
/// follow them.
fn first_lines(text: &str) -> String {
    const MAX: usize = 30;
    let lines: Vec<&str> = text.trim().lines().collect();
    let (first, rest) = lines.split_at(lines.len().min(MAX));
    let mut shown: String = first.iter().flat_map(|line| ["\n    ", line]).collect();
    if !rest.is_empty() {
        write!(shown, "\n    ({} more lines)", rest.len()).expect("writing to a String cannot fail");
    }
    shown
}

/// Copies each line to `to` at once, so that the user sees progress. Returns all lines.
fn pass_on(from: impl Read, to: &mut impl Write) -> std::io::Result<Vec<String>> {
    let mut from = BufReader::new(from);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
    Ok(lines)
}

/// Prints the command, as a shell's trace does.
fn announce(command: &Command) -> String {
    let shown = show(command);
    eprintln!("$ {shown}");
    shown
}

/// The command as a user types it: variables, program, arguments.
fn show(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        let value = value.unwrap_or_default().to_string_lossy();
        words.push(format!("{}={}", name.to_string_lossy(), quoted(&value)));
    }
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    words.push(program.to_string_lossy().into_owned());
    words.extend(command.get_args().map(|word| quoted(&word.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains([' ', '*', '{', '\'']) {
        format!("{word:?}")
    } else {
        word.to_owned()
    }
}

fn succeeded(status: ExitStatus, shown: &str) -> Result<()> {
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_shown_as_a_user_types_it() {
        let mut command = cargo(["doc", "--no-deps"]);
        command.env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(show(&command), r#"RUSTDOCFLAGS="-D warnings" cargo doc --no-deps"#);
    }

    /// The returned lines have no line ends.
    #[test]
    fn lines_are_passed_on_unchanged() {
        let mut shown = Vec::new();
        let lines = pass_on(&b"one\r\ntwo"[..], &mut shown).unwrap();
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(shown, b"one\r\ntwo");
    }

    #[test]
    fn failed_command_is_named() {
        let error = run(&mut cargo(["no-such-subcommand-exists"])).unwrap_err();
        assert!(error.to_string().starts_with("`cargo no-such-subcommand-exists` failed"), "{error}");
    }

    #[test]
    fn status_77_means_skipped() {
        let ended = |status: &str| {
            let mut command = Command::new("sh");
            run_unless_skipped(command.args(["-c", &format!("exit {status}")]))
        };
        assert!(ended("0").unwrap());
        assert!(!ended("77").unwrap());
        assert!(ended("1").is_err());
    }

    #[test]
    fn hidden_command_that_fails_shows_its_standard_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo much; echo no route >&2; exit 3"]);
        let error = run_hidden(&mut command).unwrap_err().to_string();
        let (_, said) = error.split_once("failed (exit status: 3); ").unwrap();
        assert_eq!(said, "its standard error:\n    no route");
    }

    #[test]
    fn shown_standard_error_has_at_most_thirty_lines() {
        let lines = |count: usize| "x\n".repeat(count);
        assert_eq!(first_lines(&lines(30)).lines().filter(|line| *line == "    x").count(), 30);
        assert!(!first_lines(&lines(30)).contains("more lines"));
        assert!(first_lines(&lines(32)).ends_with("    x\n    (2 more lines)"));
    }
}
