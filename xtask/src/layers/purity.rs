//! The pure crates and all their dependencies have no runtime, socket, system clock, or source of
//! randomness.
//!
//! The dependencies come from `cargo tree`, not from `cargo metadata`. The latter resolves features
//! for the whole workspace at once: a feature that only the transport turns on would appear below
//! the core. What runs while compiling (build scripts, procedural macros) does not count, and
//! dev-dependencies do not.

use anyhow::Result;

use crate::shell;

/// Packages that contain a runtime, I/O, a clock, or randomness.
const BANNED: &[&str] =
    &["async-std", "chrono", "getrandom", "mio", "quinn", "rustls", "smol", "socket2", "time", "tokio"];
/// All crates of the QUIC stack.
const BANNED_PREFIX: &str = "s2n-";

/// The dependencies of these platforms count, because a dependency may exist on one of them only.
const TARGETS: &[&str] = &["x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc"];

/// The paths from this crate to banned packages.
///
/// # Errors
/// When cargo cannot resolve the crate's dependencies.
pub(super) fn check(package: &str) -> Result<Vec<String>> {
    let mut command = shell::cargo(["tree", "--package", package, "--all-features"]);
    command.args(["--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", " {p}"]);
    for target in TARGETS {
        command.args(["--target", target]);
    }
    Ok(violations(&shell::capture(&mut command)?))
}

/// Reads lines of `depth name version`, which are a tree in preorder. Returns each distinct path to
/// a banned package.
fn violations(tree: &str) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut broken: Vec<String> = Vec::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        let (Some(depth), Some(name)) = (words.next().and_then(|word| word.parse().ok()), words.next())
        else {
            continue;
        };
        path.truncate(depth);
        path.push(name);
        if BANNED.contains(&name) || name.starts_with(BANNED_PREFIX) {
            let violation = format!("{} must be pure, but depends on {name}: {}", path[0], path.join(" -> "));
            if !broken.contains(&violation) {
                broken.push(violation);
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_package_is_reported_with_its_path() {
        let tree = "0 swim v0.1.0 (/x)\n1 core v0.1.0\n2 rand v0.10.4\n3 getrandom v0.3.0\n1 bytes v1.0.0\n";
        assert_eq!(
            violations(tree),
            ["swim must be pure, but depends on getrandom: swim -> core -> rand -> getrandom"]
        );
    }

    #[test]
    fn path_on_several_platforms_is_reported_once() {
        let tree = "0 swim v0.1.0\n1 tokio v1.0.0\n\n0 swim v0.1.0\n1 tokio v1.0.0 (*)\n";
        assert_eq!(violations(tree), ["swim must be pure, but depends on tokio: swim -> tokio"]);
    }

    #[test]
    fn crates_of_the_quic_stack_are_banned() {
        assert_eq!(violations("0 a v1\n1 s2n-codec v0.9.0\n").len(), 1);
    }

    #[test]
    fn tree_without_banned_packages_is_pure() {
        assert_eq!(violations("0 a v1\n1 time-core v0.1\n1 tokio-free v1\n"), Vec::<String>::new());
    }
}
