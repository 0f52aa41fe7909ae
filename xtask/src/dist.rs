//! Builds the program `kinfolk` for distribution: stripped, with its symbols in a separate file.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell;

/// Makes the cryptographic library take its randomness from the system alone. Its other source
/// costs 58 ms of CPU at each start, see decision 16.
const SYSTEM_RANDOMNESS: (&str, &str) = ("AWS_LC_SYS_NO_JITTER_ENTROPY", "1");

/// Builds the program and returns its path. Its symbols are in `kinfolk.debug` in the same folder,
/// where a debugger finds them.
///
/// # Errors
/// When the program does not build, or `objcopy` or `objdump` of binutils fails or is missing.
pub(crate) fn build() -> Result<String> {
    let (name, value) = SYSTEM_RANDOMNESS;
    let mut cargo = shell::cargo(["build", "--profile", "dist", "--package", "kinfolk-agent"]);
    shell::run(cargo.env(name, value))?;
    let program = shell::target().join("dist").join("kinfolk");
    let symbols = program.with_extension("debug");
    let program = program
        .to_str()
        .context("the path of the target folder is not UTF-8; choose another target folder")?;
    let symbols = symbols
        .to_str()
        .context("the path of the target folder is not UTF-8; choose another target folder")?;
    // Cargo does not build an unchanged program again. Then the program is stripped already, and
    // another extraction would overwrite the symbols with a file that has none.
    if has_symbols(program)? {
        let link = format!("--add-gnu-debuglink={symbols}");
        shell::run(Command::new("objcopy").args(["--only-keep-debug", program, symbols]))?;
        shell::run(Command::new("objcopy").args(["--strip-all", &link, program]))?;
    }
    Ok(program.to_owned())
}

fn has_symbols(program: &str) -> Result<bool> {
    let output = Command::new("objdump")
        .args(["--syms", program])
        .output()
        .context("cannot start objdump; install binutils")?;
    Ok(!String::from_utf8_lossy(&output.stdout).contains("no symbols"))
}
