//! Installs the tools that the gate needs and this machine lacks. This file carries out a plan.
//! `requirement.rs` lists the tools, `machine.rs` detects what the machine allows, and `plan.rs`
//! makes every decision.

mod machine;
mod plan;
mod requirement;

use std::process::{Command, Stdio};

use anyhow::{Result, anyhow, bail, ensure};

pub(crate) use self::requirement::{ALL, CLIPPY, DENY, NEXTEST, RUSTFMT, Requirement};

use self::machine::Machine;
use self::plan::{Install, Plan};
use crate::shell;

/// Installs the missing tools. Prints what it installs and what the gate must skip.
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
    let plan = Plan::new(&missing, Machine::detect()).map_err(|reasons| anyhow!(reasons))?;
    for install in &plan.installs {
        carry_out(install)?;
    }
    // This line comes after the installations: their output would push it off the screen.
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
            .map_err(|error| anyhow!("{error:#}\nto install by hand: {}", install.by_hand))?;
    }
    // An installation can succeed without effect, for example into a folder that is not in PATH.
    for tool in &install.tools {
        if !tool.is_installed() {
            bail!(
                "{} is still missing after its installation\nto install by hand: {}",
                tool.name,
                install.by_hand
            );
        }
    }
    Ok(())
}

/// A command in the workspace's root, where rustup finds the toolchain that the project pins.
fn command(words: &[String]) -> Command {
    let (program, args) = words.split_first().expect("a plan has no empty command");
    if program == "cargo" {
        return shell::cargo(args.iter().map(String::as_str));
    }
    let mut command = Command::new(program);
    command.args(args).current_dir(shell::root()).stdin(Stdio::null());
    command
}
