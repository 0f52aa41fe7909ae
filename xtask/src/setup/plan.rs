//! Decides what is installed, skipped, or refused, from what is missing and what the machine
//! allows. It is pure, so that tests can check each case: it reads no file and runs no program.

use super::machine::{APT_GET, Machine, Packages, SUDO};
use super::requirement::{Requirement, Source};

/// What setup does on this machine.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Quick installations first: their errors appear before the slow one begins.
    pub(super) installs: Vec<Install>,
    pub(super) skip: Option<Skip>,
}

/// A step of the gate that skips itself: without its tools it runs nothing and succeeds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skip {
    pub(super) step: &'static str,
    /// Which tools are missing, why they are not installed, and what to do about it.
    pub(super) reason: String,
}

/// One source's installation of one or more tools.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Install {
    pub(super) tools: Vec<&'static Requirement>,
    /// A text that is printed before the commands begin.
    pub(super) notice: Option<&'static str>,
    /// Each command is a program and its arguments.
    pub(super) commands: Vec<Vec<String>>,
    /// What the user does if a command fails.
    pub(super) by_hand: String,
}

impl Plan {
    /// Makes the plan for these missing tools.
    ///
    /// # Errors
    /// When this machine has no way to install a tool that the gate needs. The text names all such
    /// tools, and what to do about each, so that the user has to act only once.
    pub(super) fn new(missing: &[&'static Requirement], machine: Machine) -> Result<Self, String> {
        let mut plan = Self::default();
        let mut refused = Vec::new();
        let of = |is_source: fn(&Source) -> bool| -> Vec<&'static Requirement> {
            missing.iter().copied().filter(|tool| is_source(&tool.source)).collect()
        };
        plan.add_packages(of(|source| matches!(source, Source::DebianPackage(_))), machine, &mut refused);
        plan.add_components(of(|source| *source == Source::RustupComponent), machine, &mut refused);
        plan.add_crates(of(|source| *source == Source::Crate));
        if refused.is_empty() { Ok(plan) } else { Err(refused.join("\n")) }
    }

    /// What setup did, for the gate's table.
    pub(super) fn note(&self) -> String {
        let installed: Vec<_> = self.installs.iter().flat_map(|install| names(&install.tools)).collect();
        let skipped = self.skip.as_ref().map(|skip| format!("SKIPPED: the step {}", skip.step));
        let installed = (!installed.is_empty()).then(|| format!("installed {}", listed(&installed)));
        [installed, skipped].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn add_packages(
        &mut self,
        tools: Vec<&'static Requirement>,
        machine: Machine,
        refused: &mut Vec<String>,
    ) {
        if tools.is_empty() {
            return;
        }
        let packages: Vec<_> = tools.iter().filter_map(|tool| package(tool)).collect();
        let obstacle = match machine.packages {
            Packages::Root => return self.installs.push(debian(tools, &packages, &[])),
            Packages::Sudo => return self.installs.push(debian(tools, &packages, &SUDO)),
            Packages::Forbidden => {
                format!(
                    "Debian packages need root, and `sudo -n` does not work; {}",
                    debian_by_hand(&packages)
                )
            }
            Packages::NoAptGet => {
                let packages = listed(&packages);
                format!("this system has no apt-get; install what it has in place of Debian's {packages}")
            }
        };
        let what = listed(&names(&tools));
        if let Some(step) = optional_step(&tools) {
            let reason = format!("the step {step} cannot run without {what}: {obstacle}");
            self.skip = Some(Skip { step, reason });
        } else {
            refused.push(format!("cannot install {what}: {obstacle}"));
        }
    }

    fn add_components(
        &mut self,
        tools: Vec<&'static Requirement>,
        machine: Machine,
        refused: &mut Vec<String>,
    ) {
        let components = names(&tools);
        if components.is_empty() {
            return;
        }
        let what = listed(&components);
        if !machine.has_rustup {
            refused.push(format!(
                "cannot install {what}: there is no rustup; install it from https://rustup.rs, or install {what} of \
                 the release that `rustc --version` names"
            ));
            return;
        }
        self.installs.push(Install {
            tools,
            notice: None,
            commands: vec![words(&["rustup", "component", "add"], &components)],
            by_hand: format!(
                "run `rustup component add {}` where static.rust-lang.org can be reached, or choose a toolchain \
                 of `rustup toolchain list` that has {what}: `RUSTUP_TOOLCHAIN=NAME cargo xtask ci`",
                components.join(" ")
            ),
        });
    }

    fn add_crates(&mut self, tools: Vec<&'static Requirement>) {
        let crates = names(&tools);
        if crates.is_empty() {
            return;
        }
        self.installs.push(Install {
            notice: Some("the next command builds a large program, which takes several minutes"),
            commands: vec![words(&["cargo", "install", "--quiet", "--locked"], &crates)],
            by_hand: format!(
                "run `cargo install --locked {}` where crates.io can be reached, or put \
             these programs into a folder of PATH",
                crates.join(" ")
            ),
            tools,
        });
    }
}

/// `as_root` is the command that runs apt-get as root; empty if this process is root.
fn debian(tools: Vec<&'static Requirement>, packages: &[&str], as_root: &[&str]) -> Install {
    let apt_get = words(as_root, &APT_GET);
    let command = |args: &[&str]| [apt_get.clone(), words(args, &[])].concat();
    let install = command(&["install", "-y", "-qq", "--no-install-recommends"]);
    Install {
        tools,
        notice: None,
        // A fresh machine has no lists of packages, or old lists that name files which no longer
        // exist.
        commands: vec![command(&["update", "-qq"]), [install, words(packages, &[])].concat()],
        by_hand: format!(
            "{}; `apt-get update` warns of each mirror that it cannot reach",
            debian_by_hand(packages)
        ),
    }
}

fn debian_by_hand(packages: &[&str]) -> String {
    format!("run `apt-get update` and `apt-get install {}` as root", packages.join(" "))
}

/// The step that skips itself without these tools, if no other step uses them.
fn optional_step(tools: &[&'static Requirement]) -> Option<&'static str> {
    let step = tools.first()?.step;
    tools.iter().all(|tool| tool.is_optional && tool.step == step).then_some(step)
}

fn package(tool: &Requirement) -> Option<&'static str> {
    match tool.source {
        Source::DebianPackage(package) => Some(package),
        Source::RustupComponent | Source::Crate => None,
    }
}

fn names(tools: &[&'static Requirement]) -> Vec<&'static str> {
    tools.iter().map(|tool| tool.name).collect()
}

fn words(first: &[&str], rest: &[&str]) -> Vec<String> {
    first.iter().chain(rest).map(|&word| word.to_owned()).collect()
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
