//! Builds the program `kinfolk` as it is given to others: small, and with its symbols in a file beside it.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell;

/// Has the cryptographic library take its randomness from the system alone. Decision 16 says why.
const SYSTEM_RANDOMNESS: (&str, &str) = ("AWS_LC_SYS_NO_JITTER_ENTROPY", "1");

/// Builds it. Returns where it stands; its symbols are in `kinfolk.debug` beside it, where a debugger finds them.
///
/// # Errors
/// When it does not build, or `objcopy` of binutils fails.
pub(crate) fn build() -> Result<String> {
    let (name, value) = SYSTEM_RANDOMNESS;
    let mut cargo = shell::cargo(["build", "--profile", "dist", "--package", "kinfolk-agent"]);
    shell::run(cargo.env(name, value))?;
    let program = shell::target().join("dist").join("kinfolk");
    let symbols = program.with_extension("debug");
    let whole = program.to_str().context("the path of the target folder is no text")?;
    let apart = symbols.to_str().context("the path of the target folder is no text")?;
    // Cargo leaves a program that has not changed as it is; then its symbols stand in the file already.
    if has_symbols(whole)? {
        let link = format!("--add-gnu-debuglink={apart}");
        shell::run(Command::new("objcopy").args(["--only-keep-debug", whole, apart]))?;
        shell::run(Command::new("objcopy").args(["--strip-all", &link, whole]))?;
    }
    Ok(whole.to_owned())
}

fn has_symbols(program: &str) -> Result<bool> {
    let output = Command::new("objdump").args(["--syms", program]).output().context("there is no objdump")?;
    Ok(!String::from_utf8_lossy(&output.stdout).contains("no symbols"))
}
