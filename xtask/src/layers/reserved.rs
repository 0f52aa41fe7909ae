//! Outside packages that only certain crates may name. The QUIC stack is for the transport and for
//! the benchmark that measures it. `anyhow` and `clap` are for programs, at the top.

use super::manifest::{Kind, Manifest};
use super::table::{Crate, Reserved, TOOLS};

/// Every dependency on a reserved package from a crate that is not its owner.
pub(super) fn violations(reserved: &[Reserved], table: &[Crate], manifests: &[Manifest]) -> Vec<String> {
    let is_tool = |name: &str| table.iter().any(|row| row.name == name && row.layer >= TOOLS);
    let mut broken = Vec::new();
    for rule in reserved {
        for manifest in manifests {
            let name = manifest.name.as_str();
            if rule.owners.contains(&name) || (rule.tools && is_tool(name)) {
                continue;
            }
            let named = manifest.dependencies.iter().filter(|(_, package)| package == rule.package);
            for (kind, package) in named.filter(|(kind, _)| !(rule.dev_free && *kind == Kind::Dev)) {
                broken.push(format!("{name} {kind}: {package} is reserved for {}", rule.owners.join(", ")));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::manifest;
    use super::*;

    const QUIC: Reserved =
        Reserved { package: "quic", owners: &["transport"], tools: false, dev_free: false };
    const CLI: Reserved = Reserved { package: "cli", owners: &["agent"], tools: true, dev_free: true };
    const TABLE: &[Crate] = &[Crate { name: "sim", layer: TOOLS, normal: &[], build: &[], dev: &[] }];

    #[test]
    fn only_the_owner_may_use_a_reserved_package() {
        let manifests = [
            manifest("transport", &[(Kind::Normal, "quic")]),
            manifest("gossip", &[(Kind::Dev, "quic")]),
            manifest("sim", &[(Kind::Build, "quic")]),
        ];
        assert_eq!(
            violations(&[QUIC], TABLE, &manifests),
            [
                "gossip [dev-dependencies]: quic is reserved for transport",
                "sim [build-dependencies]: quic is reserved for transport",
            ]
        );
    }

    #[test]
    fn rule_may_exempt_tools_and_examples() {
        let manifests = [
            manifest("sim", &[(Kind::Normal, "cli")]),
            manifest("cluster", &[(Kind::Dev, "cli")]),
            manifest("gossip", &[(Kind::Normal, "cli")]),
        ];
        assert_eq!(
            violations(&[CLI], TABLE, &manifests),
            ["gossip [dependencies]: cli is reserved for agent"]
        );
    }
}
