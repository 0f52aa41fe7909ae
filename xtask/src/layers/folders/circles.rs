//! The folders of a crate do not import each other in a circle.
//!
//! Only folders count, in every crate. Single files at the top of a crate do not: a type and its error (`tags.rs` and
//! `error.rs`) may well name each other, and so may the two halves of one thing. A way from folder to folder that leads
//! through such a file is therefore not seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use super::graph::{Graph, Import};

/// The first import between each two folders, by its two ends.
type Edges<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a Import>>;

/// A circle of folders for every import that lies on one.
pub(super) fn violations(home: &str, graph: &Graph) -> Vec<String> {
    circles(&edges(graph)).iter().map(|circle| format!("{home}: {}", told(circle))).collect()
}

fn edges(graph: &Graph) -> Edges<'_> {
    let mut edges = Edges::new();
    let between_folders = |import: &&Import| graph.modules[&import.from] && graph.modules[&import.to];
    for import in graph.imports.iter().filter(between_folders) {
        edges.entry(&import.from).or_default().entry(&import.to).or_insert(import);
    }
    edges
}

/// For each edge that lies on a circle the shortest one, each circle once. A circle begins at its first name by alphabet.
fn circles<'a>(edges: &Edges<'a>) -> Vec<Vec<&'a Import>> {
    let mut known = BTreeSet::new();
    let mut circles = Vec::new();
    for (from, targets) in edges {
        for (to, import) in targets {
            let Some(back) = way(edges, to, from) else { continue };
            let mut circle = vec![*import];
            circle.extend(back);
            let first = (0..circle.len()).min_by_key(|&at| &circle[at].from).unwrap_or_default();
            circle.rotate_left(first);
            if known.insert(circle.iter().map(|import| import.from.as_str()).collect::<Vec<_>>()) {
                circles.push(circle);
            }
        }
    }
    circles
}

/// The shortest way from one folder to another.
fn way<'a>(edges: &Edges<'a>, from: &str, to: &str) -> Option<Vec<&'a Import>> {
    let mut reached_by: BTreeMap<&str, &Import> = BTreeMap::new();
    let mut waiting = VecDeque::from([from]);
    while let Some(at) = waiting.pop_front() {
        for (next, import) in edges.get(at).into_iter().flatten() {
            if !reached_by.contains_key(next) {
                reached_by.insert(next, import);
                waiting.push_back(next);
            }
        }
    }
    let mut way = Vec::new();
    let mut at = to;
    while at != from {
        let import: &Import = reached_by.get(at)?;
        way.push(import);
        at = &import.from;
    }
    way.reverse();
    Some(way)
}

fn told(circle: &[&Import]) -> String {
    let mut text = String::from("folders import each other in a circle: ");
    for import in circle {
        let Import { from, to, file, line } = import;
        let mark = if from == &circle[0].from { "" } else { ", " };
        write!(text, "{mark}{from} -> {to} ({}:{line})", file.display()).expect("a string takes all");
    }
    text + "; move what both sides need to where neither has to look back"
}

#[cfg(test)]
mod tests {
    use super::super::graph::tests::graph;
    use super::*;

    const A_TO_B: (&str, &str) = ("a/mod.rs", "//! A.\nuse crate::b::B;");
    const B_TO_C: (&str, &str) = ("b/deep/mod.rs", "use super::super::c::C;");
    const C_TO_A: (&str, &str) = ("c.rs", "");
    const C_DEEP: (&str, &str) = ("c/deep.rs", "fn f() {\n\n    crate::a::f();\n}");

    fn broken(files: &[(&str, &str)]) -> Vec<String> {
        violations("crates/x", &graph("crates/x", files))
    }

    #[test]
    fn a_circle_is_named_once_with_a_place_for_each_import() {
        assert_eq!(
            broken(&[A_TO_B, B_TO_C, C_TO_A, C_DEEP]),
            ["crates/x: folders import each other in a circle: a -> b (crates/x/src/a/mod.rs:2), \
              b -> c (crates/x/src/b/deep/mod.rs:1), c -> a (crates/x/src/c/deep.rs:3); \
              move what both sides need to where neither has to look back"]
        );
    }

    #[test]
    fn two_circles_are_both_named() {
        let also = ("b/mod.rs", "use crate::a;");
        let found = broken(&[A_TO_B, also, B_TO_C, C_TO_A, C_DEEP]);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("a -> b") && found[0].contains("b -> a"), "{}", found[0]);
        assert!(found[1].contains("c -> a"), "{}", found[1]);
    }

    #[test]
    fn a_way_without_return_and_a_way_through_a_single_file_are_fine() {
        assert_eq!(broken(&[A_TO_B, B_TO_C, C_TO_A, ("c/deep.rs", "use super::X;")]), [""; 0]);
        assert_eq!(broken(&[A_TO_B, ("b/mod.rs", "use crate::c;"), ("c.rs", "use crate::a;")]), [""; 0]);
    }

    #[test]
    fn the_root_may_name_all_and_tests_too() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            A_TO_B,
            ("b/mod.rs", "#[cfg(test)]\nmod tests { use crate::a::A; }"),
            ("b/tests.rs", "use crate::a::A;"),
        ];
        assert_eq!(broken(&files), [""; 0]);
    }
}
