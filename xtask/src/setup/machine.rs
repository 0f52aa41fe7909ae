//! What this machine has and allows: programs, rustup, and the right to install Debian packages.
//! Decides nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The ways to install something that this machine offers.
#[derive(Clone, Copy)]
pub(super) struct Machine {
    pub(super) has_rustup: bool,
    pub(super) packages: Packages,
}

/// How this machine installs Debian packages.
#[derive(Clone, Copy)]
pub(super) enum Packages {
    /// We are root: apt-get runs as it is.
    Root,
    /// `sudo -n` runs apt-get without a password.
    Sudo,
    /// There is an apt-get, but no right to run it as root.
    Forbidden,
    /// There is no apt-get: this is not Debian, nor a system derived from it.
    NoAptGet,
}

impl Machine {
    pub(super) fn look() -> Self {
        let packages = if !has_program("apt-get") {
            Packages::NoAptGet
        } else if rustix::process::geteuid().is_root() {
            Packages::Root
        } else if succeeds(Command::new(SUDO[0]).args(&SUDO[1..]).args(APT_GET).arg("--version")) {
            Packages::Sudo
        } else {
            Packages::Forbidden
        };
        Self { has_rustup: has_program("rustup"), packages }
    }
}

/// Runs the rest as root, or fails where that takes a password.
pub(super) const SUDO: [&str; 2] = ["sudo", "-n"];

/// apt-get that asks no question. `env` sets the variable, because sudo may drop those of its
/// caller.
pub(super) const APT_GET: [&str; 3] = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];

/// Whether a program of this name is in PATH, or where Debian keeps the programs of root. PATH
/// often lacks those folders for other users, and then `nft` would seem to be missing after each
/// installation.
pub(super) fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_root = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(of_root).any(|folder| folder.join(name).is_file())
}

/// Whether the command can be started and succeeds. Nothing of its output is shown.
pub(super) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name() {
        assert!(has_program("sh"));
        assert!(!has_program("no-such-program-exists"));
    }

    #[test]
    fn a_command_that_cannot_start_does_not_succeed() {
        assert!(succeeds(&mut Command::new("true")));
        assert!(!succeeds(&mut Command::new("false")));
        assert!(!succeeds(&mut Command::new("no-such-program-exists")));
    }
}
