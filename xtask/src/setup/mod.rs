//! Installs the tools that the gate needs and this machine lacks. This file carries out a plan;
//! which tools there are is in `requirement.rs`, what the machine allows in `machine.rs`, and every
//! decision in `plan.rs`.

mod machine;
mod plan;
mod requirement;

use std::process::{Command, Stdio};

use anyhow::{Result, anyhow, bail, ensure};

pub(crate) use self::requirement::{ALL, CLIPPY, DENY, NEXTEST, RUSTFMT, Requirement};

use self::machine::Machine;
use self::plan::{Install, Plan};
use crate::shell;

/// Installs what is missing, and says what it installs and what the gate must skip.
///
/// # Errors
/// When a tool is missing and this machine has no way to install it, or when an installation fails.
pub(crate) fn setup() -> Result<String> {
    let missing: Vec<&Requirement> = ALL.into_iter().filter(|tool| !tool.is_installed()).collect();
    if missing.is_empty() {
        return Ok("nothing to install".to_owned());
    }
    for tool in &missing {
        eprintln!("setup: {} is missing; the step {} needs it", tool.name, tool.step);
    }
    let plan = Plan::new(&missing, Machine::look()).map_err(|reasons| anyhow!(reasons))?;
    for install in &plan.installs {
        carry_out(install)?;
    }
    // After the installations, whose output would push it off the screen.
    if let Some(skip) = &plan.skip {
        eprintln!("*** SKIPPED: {} ***", skip.reason);
    }
    Ok(plan.note())
}

/// Refuses to start a step whose tool is missing.
///
/// # Errors
/// When the tool is missing.
pub(crate) fn need(tool: &Requirement) -> Result<()> {
    ensure!(tool.is_installed(), "{} is missing; `cargo xtask setup` installs it", tool.name);
    Ok(())
}

fn carry_out(install: &Install) -> Result<()> {
    if let Some(notice) = install.notice {
        eprintln!("setup: {notice}");
    }
    for words in &install.commands {
        shell::run_hidden(&mut command(words))
            .map_err(|error| anyhow!("{error:#}\nby hand: {}", install.by_hand))?;
    }
    for tool in &install.tools {
        if !tool.is_installed() {
            bail!("{} is still missing after its installation\nby hand: {}", tool.name, install.by_hand);
        }
    }
    Ok(())
}

/// In the workspace's root, where rustup finds the toolchain that the project pins.
fn command(words: &[String]) -> Command {
    let (program, args) = words.split_first().expect("a plan has no empty command");
    if program == "cargo" {
        return shell::cargo(args.iter().map(String::as_str));
    }
    let mut command = Command::new(program);
    command.args(args).current_dir(shell::root()).stdin(Stdio::null());
    command
}
