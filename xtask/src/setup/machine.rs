//! Detects what this machine has and allows: programs, rustup, and the right to install Debian
//! packages. It decides nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The ways in which this machine can install tools.
#[derive(Clone, Copy)]
pub(super) struct Machine {
    pub(super) has_rustup: bool,
    pub(super) packages: Packages,
}

/// How this machine installs Debian packages.
#[derive(Clone, Copy)]
pub(super) enum Packages {
    /// This process is root: it runs apt-get directly.
    Root,
    /// `sudo -n` runs apt-get without a password.
    Sudo,
    /// The system has apt-get, but this user may not run it as root.
    Forbidden,
    /// The system has no apt-get: it is not Debian or derived from Debian.
    NoAptGet,
}

impl Machine {
    pub(super) fn detect() -> Self {
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

/// Runs the rest of the command as root. `-n` makes sudo fail instead of asking for a password,
/// which would stop a gate without a user.
pub(super) const SUDO: [&str; 2] = ["sudo", "-n"];

/// apt-get that asks no question. `env` sets the variable, because sudo may drop the variables of
/// its caller.
pub(super) const APT_GET: [&str; 3] = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];

/// Whether a program of this name is in PATH, or in the folders where Debian keeps the programs of
/// root. PATH often lacks these folders for other users. Then `nft` would seem to be missing after
/// each installation.
pub(super) fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_root = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(of_root).any(|folder| folder.join(name).is_file())
}

/// Whether the command can be started and succeeds. Its output is hidden.
pub(super) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_is_found_by_its_name() {
        assert!(has_program("sh"));
        assert!(!has_program("no-such-program-exists"));
    }

    #[test]
    fn command_that_cannot_start_does_not_succeed() {
        assert!(succeeds(&mut Command::new("true")));
        assert!(!succeeds(&mut Command::new("false")));
        assert!(!succeeds(&mut Command::new("no-such-program-exists")));
    }
}
