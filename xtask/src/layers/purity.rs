//! The pure crates reach no runtime, socket, system clock or source of randomness, however indirectly.
//!
//! The closure comes from `cargo tree`, not from `cargo metadata`: the latter resolves features for the whole workspace
//! at once, so that a feature which only the transport turns on would show up below the core. What runs on the compiling
//! host (build scripts, procedural macros) is not part of the closure, and neither are dev-dependencies.

use anyhow::Result;

use crate::shell;

/// Packages that bring in a runtime, I/O, a clock or randomness.
const BANNED: &[&str] =
    &["async-std", "chrono", "getrandom", "mio", "quinn", "rustls", "smol", "socket2", "time", "tokio"];
const BANNED_PREFIX: &str = "s2n-";

/// The closure is that of these platforms, since a dependency may exist on one of them only.
const TARGETS: &[&str] = &["x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc"];

/// The paths by which this crate reaches a banned package.
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

/// Reads lines of `depth name version`, a preorder walk, and returns each distinct path to a banned package.
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
            let violation = format!("{} must stay pure, but reaches {name}: {}", path[0], path.join(" -> "));
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
    fn a_banned_package_is_named_with_the_path_to_it() {
        let tree = "0 swim v0.1.0 (/x)\n1 core v0.1.0\n2 rand v0.10.4\n3 getrandom v0.3.0\n1 bytes v1.0.0\n";
        assert_eq!(
            violations(tree),
            ["swim must stay pure, but reaches getrandom: swim -> core -> rand -> getrandom"]
        );
    }

    #[test]
    fn a_path_that_several_platforms_share_is_told_once() {
        let tree = "0 swim v0.1.0\n1 tokio v1.0.0\n\n0 swim v0.1.0\n1 tokio v1.0.0 (*)\n";
        assert_eq!(violations(tree), ["swim must stay pure, but reaches tokio: swim -> tokio"]);
    }

    #[test]
    fn every_crate_of_the_quic_stack_is_banned() {
        assert_eq!(violations("0 a v1\n1 s2n-codec v0.9.0\n").len(), 1);
    }

    #[test]
    fn a_harmless_tree_is_pure() {
        assert_eq!(violations("0 a v1\n1 time-core v0.1\n1 tokio-free v1\n"), Vec::<String>::new());
    }
}
