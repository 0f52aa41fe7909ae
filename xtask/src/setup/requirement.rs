//! The table of tools that the gate needs beyond Rust and a C compiler: the step that uses each
//! tool, how to detect the tool, and where it comes from.

use super::machine;
use crate::shell;

/// A tool, and what setup needs to know about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// The name that rustup, crates.io, or a shell uses for the tool.
    pub(crate) name: &'static str,
    /// The step of the gate that uses the tool.
    pub(crate) step: &'static str,
    /// Whether the step skips itself if the tool is missing.
    pub(super) is_optional: bool,
    pub(super) seen_by: SeenBy,
    pub(super) source: Source,
}

/// How to detect a tool.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SeenBy {
    /// `cargo SUBCOMMAND --version` succeeds. To find the file is not enough: rustup puts a
    /// `cargo-fmt` into PATH that fails without the component.
    CargoSubcommand(&'static str),
    /// A program of the tool's name is in PATH.
    Program,
}

/// Where a tool comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    RustupComponent,
    Crate,
    DebianPackage(&'static str),
}

pub(crate) const RUSTFMT: Requirement = Requirement {
    name: "rustfmt",
    step: "fmt",
    is_optional: false,
    seen_by: SeenBy::CargoSubcommand("fmt"),
    source: Source::RustupComponent,
};

pub(crate) const CLIPPY: Requirement = Requirement {
    name: "clippy",
    step: "clippy",
    is_optional: false,
    seen_by: SeenBy::CargoSubcommand("clippy"),
    source: Source::RustupComponent,
};

pub(crate) const NEXTEST: Requirement = Requirement {
    name: "cargo-nextest",
    step: "nextest",
    is_optional: false,
    seen_by: SeenBy::CargoSubcommand("nextest"),
    source: Source::Crate,
};

pub(crate) const DENY: Requirement = Requirement {
    name: "cargo-deny",
    step: "deny",
    is_optional: false,
    seen_by: SeenBy::CargoSubcommand("deny"),
    source: Source::Crate,
};

pub(super) const GIT: Requirement = Requirement {
    name: "git",
    step: "tidy",
    is_optional: false,
    seen_by: SeenBy::Program,
    source: Source::DebianPackage("git"),
};

/// Tests make certificates with it, as the own authority of an operator would.
pub(super) const OPENSSL: Requirement = Requirement {
    name: "openssl",
    step: "nextest",
    is_optional: false,
    seen_by: SeenBy::Program,
    source: Source::DebianPackage("openssl"),
};

pub(super) const IP: Requirement = Requirement {
    name: "ip",
    step: "chaos",
    is_optional: true,
    seen_by: SeenBy::Program,
    source: Source::DebianPackage("iproute2"),
};

pub(super) const NFT: Requirement = Requirement {
    name: "nft",
    step: "chaos",
    is_optional: true,
    seen_by: SeenBy::Program,
    source: Source::DebianPackage("nftables"),
};

/// Every tool, in the order in which setup reports it.
pub(crate) const ALL: [&Requirement; 8] = [&RUSTFMT, &CLIPPY, &NEXTEST, &DENY, &GIT, &OPENSSL, &IP, &NFT];

impl Requirement {
    /// Whether this machine has the tool.
    pub(super) fn is_installed(&self) -> bool {
        match self.seen_by {
            SeenBy::CargoSubcommand(subcommand) => {
                machine::succeeds(&mut shell::cargo([subcommand, "--version"]))
            }
            SeenBy::Program => machine::has_program(self.name),
        }
    }
}
