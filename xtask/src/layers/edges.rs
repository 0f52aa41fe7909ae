//! The edges between workspace crates. The edges of the table point down, and the manifests have
//! exactly these edges.

use std::collections::BTreeSet;

use super::manifest::{Kind, Manifest};
use super::table::{Crate, TOOLS};

/// Edges of the table that do not lead to a lower layer, or that lead to no crate of the table.
pub(super) fn pointing_up(table: &[Crate]) -> Vec<String> {
    let mut broken = Vec::new();
    for from in table {
        for (kind, to_name) in edges(from) {
            let Some(to) = table.iter().find(|to| to.name == to_name) else {
                broken.push(format!("{} {kind}: the table has no row for {to_name}; add one", from.name));
                continue;
            };
            if to.layer >= TOOLS {
                broken.push(format!("{} {kind}: no crate may depend on the tool {to_name}", from.name));
            } else if to.layer >= from.layer {
                broken.push(format!(
                    "{} {kind}: {to_name} is on layer {}, which is not below layer {}",
                    from.name, to.layer, from.layer
                ));
            }
        }
    }
    broken
}

/// The differences between the table and the manifests. An edge that no manifest needs is a
/// difference too, so that the table shows the real graph.
pub(super) fn differences(table: &[Crate], manifests: &[Manifest]) -> Vec<String> {
    let mut broken = Vec::new();
    for manifest in manifests {
        let name = &manifest.name;
        let Some(row) = table.iter().find(|row| row.name == name) else {
            broken.push(format!(
                "{name} is in the workspace but not in xtask/src/layers/table.rs: add it there"
            ));
            continue;
        };
        let planned = edges(row);
        let real: BTreeSet<(Kind, &str)> =
            manifest.inside(manifests).map(|(kind, to)| (*kind, to.as_str())).collect();
        for (kind, to) in real.difference(&planned) {
            broken.push(format!("{name} {kind}: {to} is not allowed by xtask/src/layers/table.rs"));
        }
        for (kind, to) in planned.difference(&real) {
            broken
                .push(format!("{name} {kind}: {to} is in xtask/src/layers/table.rs but not in the manifest"));
        }
    }
    for row in table {
        if !manifests.iter().any(|manifest| manifest.name == row.name) {
            broken.push(format!("{} is in xtask/src/layers/table.rs but not in the workspace", row.name));
        }
    }
    broken
}

fn edges(row: &Crate) -> BTreeSet<(Kind, &'static str)> {
    let of = |kind, names: &'static [&'static str]| names.iter().map(move |name| (kind, *name));
    of(Kind::Normal, row.normal).chain(of(Kind::Build, row.build)).chain(of(Kind::Dev, row.dev)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::manifest;
    use super::super::table::CRATES;
    use super::*;

    const fn row(name: &'static str, layer: u8, normal: &'static [&'static str]) -> Crate {
        Crate { name, layer, normal, build: &[], dev: &[] }
    }

    #[test]
    fn real_table_points_down() {
        assert_eq!(pointing_up(CRATES), Vec::<String>::new());
    }

    #[test]
    fn edge_up_is_found() {
        let broken = pointing_up(&[row("base", 0, &["top"]), row("top", 1, &[])]);
        assert_eq!(broken, ["base [dependencies]: top is on layer 1, which is not below layer 0"]);
    }

    #[test]
    fn edge_within_a_layer_is_found() {
        let broken = pointing_up(&[row("swim", 2, &["transport"]), row("transport", 2, &[])]);
        assert_eq!(broken, ["swim [dependencies]: transport is on layer 2, which is not below layer 2"]);
    }

    #[test]
    fn dev_or_build_edge_up_is_found() {
        let base = Crate { name: "base", layer: 0, normal: &[], build: &["top"], dev: &["top", "base"] };
        assert_eq!(
            pointing_up(&[base, row("top", 1, &[])]),
            [
                "base [build-dependencies]: top is on layer 1, which is not below layer 0",
                "base [dev-dependencies]: base is on layer 0, which is not below layer 0",
                "base [dev-dependencies]: top is on layer 1, which is not below layer 0",
            ]
        );
    }

    #[test]
    fn edge_between_tools_is_found() {
        let broken = pointing_up(&[row("bench", TOOLS, &["sim"]), row("sim", TOOLS, &[])]);
        assert_eq!(broken, ["bench [dependencies]: no crate may depend on the tool sim"]);
    }

    #[test]
    fn edge_to_an_unknown_crate_is_found() {
        let broken = pointing_up(&[row("top", 1, &["absent"])]);
        assert_eq!(broken, ["top [dependencies]: the table has no row for absent; add one"]);
    }

    #[test]
    fn outside_packages_are_no_differences() {
        let manifests =
            [manifest("base", &[]), manifest("top", &[(Kind::Normal, "base"), (Kind::Dev, "serde")])];
        let table = [row("base", 0, &[]), row("top", 1, &["base"])];
        assert_eq!(differences(&table, &manifests), Vec::<String>::new());
    }

    #[test]
    fn edge_missing_on_either_side_is_found() {
        let table = [row("base", 0, &[]), row("top", 1, &["base"])];
        let manifests = [manifest("base", &[]), manifest("top", &[(Kind::Dev, "base")])];
        assert_eq!(
            differences(&table, &manifests),
            [
                "top [dev-dependencies]: base is not allowed by xtask/src/layers/table.rs",
                "top [dependencies]: base is in xtask/src/layers/table.rs but not in the manifest",
            ]
        );
    }

    #[test]
    fn crate_missing_on_either_side_is_found() {
        assert_eq!(
            differences(&[row("planned", 0, &[])], &[manifest("real", &[])]),
            [
                "real is in the workspace but not in xtask/src/layers/table.rs: add it there",
                "planned is in xtask/src/layers/table.rs but not in the workspace",
            ]
        );
    }
}
