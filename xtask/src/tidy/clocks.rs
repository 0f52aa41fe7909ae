//! The pure crates name no clock, socket, or runtime of the system: time and I/O are inputs there.
//! `layers` checks their dependencies. This rule is about the standard library, which no manifest
//! lists.

use super::Finding;
use super::source::Source;

const PURE: &[&str] = &["crates/core", "crates/detector", "crates/select", "crates/swim"];

const BANNED: &[&[&str]] = &[
    &["Instant", ":", ":", "now"],
    &["SystemTime"],
    &["thread", ":", ":", "sleep"],
    &["UdpSocket"],
    &["TcpStream"],
    &["TcpListener"],
    &["tokio"],
];

/// Every use of a banned name, if the file belongs to a pure crate.
pub(super) fn find(source: &Source) -> Vec<Finding> {
    if !PURE.iter().any(|folder| source.file.starts_with(folder)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for pattern in BANNED {
        for line in source.lines_with(pattern) {
            let message = format!("`{}` in a pure crate: time and I/O are inputs here", pattern.concat());
            findings.push(source.finding(line, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::source;
    use super::*;

    fn count(file: &str, text: &str) -> usize {
        find(&source(file, text)).len()
    }

    #[test]
    fn each_banned_name_is_found() {
        for text in [
            "fn f() { std::time::Instant::now(); }",
            "use std::time::SystemTime;",
            "fn f() { std::thread::sleep(d); }",
            "use std::net::{IpAddr, UdpSocket};",
            "use tokio::sync::mpsc;",
        ] {
            assert_eq!(count("crates/core/src/a.rs", text), 1, "{text}");
        }
    }

    #[test]
    fn comments_and_other_crates_may_name_clocks() {
        assert_eq!(
            count("crates/swim/src/a.rs", "// tokio is not used here\n/// Nor SystemTime.\nfn f() {}"),
            0
        );
        assert_eq!(count("crates/gossip/src/a.rs", "use tokio::time::Instant;"), 0);
        assert_eq!(count("crates/detector/src/a.rs", "fn f(now: Instant) {}"), 0);
    }
}
