//! What setup installs, skips, and refuses, with the exact commands and texts.

use super::super::requirement::{ALL, CLIPPY, GIT, IP, NEXTEST, NFT, RUSTFMT};
use super::*;

const ROOT: Machine = Machine { has_rustup: true, packages: Packages::Root };
const SUDOER: Machine = Machine { has_rustup: true, packages: Packages::Sudo };
const USER: Machine = Machine { has_rustup: true, packages: Packages::Forbidden };
const NOT_DEBIAN: Machine = Machine { has_rustup: true, packages: Packages::NoAptGet };
const NO_RUSTUP: Machine = Machine { has_rustup: false, packages: Packages::Root };

/// The commands of a plan that skips nothing, one a line.
fn commands(missing: &[&'static Requirement], machine: Machine) -> String {
    let plan = Plan::new(missing, machine).unwrap();
    assert_eq!(plan.skip, None);
    let commands = plan.installs.iter().flat_map(|install| &install.commands);
    commands.map(|words| words.join(" ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn root_installs_all_with_the_slowest_last() {
    let expected = "env DEBIAN_FRONTEND=noninteractive apt-get update -qq\n\
                    env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends git \
                    openssl iproute2 nftables\n\
                    rustup component add rustfmt clippy\n\
                    cargo install --quiet --locked cargo-nextest cargo-deny";
    assert_eq!(commands(&ALL, ROOT), expected);
}

#[test]
fn user_with_sudo_installs_packages_through_it() {
    let expected = "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update -qq\n\
         sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nftables";
    assert_eq!(commands(&[&NFT], SUDOER), expected);
}

#[test]
fn rust_tools_never_need_root() {
    let expected = "rustup component add clippy\ncargo install --quiet --locked cargo-nextest";
    for machine in [ROOT, SUDOER, USER, NOT_DEBIAN] {
        assert_eq!(commands(&[&CLIPPY, &NEXTEST], machine), expected);
    }
}

#[test]
fn only_the_slow_installation_announces_its_time() {
    let plan = Plan::new(&ALL, ROOT).unwrap();
    let notices: Vec<_> = plan.installs.iter().map(|install| install.notice).collect();
    let slow = "the next command builds a large program, which takes several minutes";
    assert_eq!(notices, [None, None, Some(slow)]);
}

#[test]
fn user_without_root_skips_namespace_tests() {
    let plan = Plan::new(&[&IP, &NFT], USER).unwrap();
    assert_eq!(plan.installs, []);
    let reason = "the step chaos cannot run without ip and nft: Debian packages need root, and `sudo -n` does not \
                  work; run `apt-get update` and `apt-get install iproute2 nftables` as root";
    assert_eq!(plan.skip, Some(Skip { step: "chaos", reason: reason.to_owned() }));
}

#[test]
fn system_without_apt_get_skips_namespace_tests() {
    let plan = Plan::new(&[&NFT], NOT_DEBIAN).unwrap();
    assert_eq!(plan.installs, []);
    let reason = "the step chaos cannot run without nft: this system has no apt-get; install what it has in place \
                  of Debian's nftables";
    assert_eq!(plan.skip, Some(Skip { step: "chaos", reason: reason.to_owned() }));
}

#[test]
fn skipped_step_does_not_stop_other_installations() {
    let plan = Plan::new(&[&NEXTEST, &NFT], USER).unwrap();
    assert_eq!(plan.installs.len(), 1);
    assert_eq!(plan.note(), "installed cargo-nextest; SKIPPED: the step chaos");
}

#[test]
fn git_that_cannot_be_installed_is_refused() {
    let expected = "cannot install git and nft: Debian packages need root, and `sudo -n` does not work; run \
                    `apt-get update` and `apt-get install git nftables` as root";
    assert_eq!(Plan::new(&[&GIT, &NFT], USER).unwrap_err(), expected);
    let expected =
        "cannot install git: this system has no apt-get; install what it has in place of Debian's git";
    assert_eq!(Plan::new(&[&GIT], NOT_DEBIAN).unwrap_err(), expected);
}

#[test]
fn components_without_rustup_are_refused() {
    let refused = Plan::new(&[&RUSTFMT, &CLIPPY], NO_RUSTUP).unwrap_err();
    let expected = "cannot install rustfmt and clippy: there is no rustup; install it from https://rustup.rs, or \
                    install rustfmt and clippy of the release that `rustc --version` names";
    assert_eq!(refused, expected);
}

#[test]
fn one_refusal_names_all_that_is_missing() {
    let machine = Machine { has_rustup: false, packages: Packages::Forbidden };
    let refused = Plan::new(&[&RUSTFMT, &GIT], machine).unwrap_err();
    let starts: Vec<_> = refused.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(starts, ["cannot install git", "cannot install rustfmt"]);
}

#[test]
fn each_installation_has_a_manual_way() {
    let plan = Plan::new(&ALL, ROOT).unwrap();
    let by_hand: Vec<_> = plan.installs.iter().map(|install| install.by_hand.as_str()).collect();
    let expected = [
        "run `apt-get update` and `apt-get install git openssl iproute2 nftables` as root; `apt-get update` \
         warns of each mirror that it cannot reach",
        "run `rustup component add rustfmt clippy` where static.rust-lang.org can be reached, or choose a \
         toolchain of `rustup toolchain list` that has rustfmt and clippy: `RUSTUP_TOOLCHAIN=NAME cargo xtask ci`",
        "run `cargo install --locked cargo-nextest cargo-deny` where crates.io can be reached, or put \
         these programs into a folder of PATH",
    ];
    assert_eq!(by_hand, expected);
}

#[test]
fn note_names_installed_tools() {
    assert_eq!(
        Plan::new(&ALL, ROOT).unwrap().note(),
        "installed git, openssl, ip, nft, rustfmt, clippy, cargo-nextest and cargo-deny"
    );
}
