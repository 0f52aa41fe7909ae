//! The folders of a crate do not import each other in a circle.
//!
//! The rule covers folders in every crate, but no single files at the top of a crate: a type and
//! its error (`tags.rs` and `error.rs`) may name each other, and so may the two halves of one
//! thing. Therefore the rule does not find a circle that leads through such a file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use super::graph::{Graph, Import};

/// The first import from one folder to another: `edges[from][to]`.
type Edges<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a Import>>;

/// For every import that is on a circle of folders, the text about that circle.
pub(super) fn violations(home: &str, graph: &Graph) -> Vec<String> {
    circles(&edges(graph)).iter().map(|circle| format!("{home}: {}", described(circle))).collect()
}

fn edges(graph: &Graph) -> Edges<'_> {
    let mut edges = Edges::new();
    let between_folders = |import: &&Import| graph.modules[&import.from] && graph.modules[&import.to];
    for import in graph.imports.iter().filter(between_folders) {
        edges.entry(&import.from).or_default().entry(&import.to).or_insert(import);
    }
    edges
}

/// The shortest circle of each edge, and each circle once. A circle begins at its first name in the
/// alphabet, so that the same circle found from two edges is recognised.
fn circles<'a>(edges: &Edges<'a>) -> Vec<Vec<&'a Import>> {
    let mut known = BTreeSet::new();
    let mut circles = Vec::new();
    for (from, targets) in edges {
        for (to, import) in targets {
            let Some(back) = shortest_path(edges, to, from) else { continue };
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

/// The shortest path from one folder to another, by breadth-first search.
fn shortest_path<'a>(edges: &Edges<'a>, from: &str, to: &str) -> Option<Vec<&'a Import>> {
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
    let mut path = Vec::new();
    let mut at = to;
    while at != from {
        let import: &Import = reached_by.get(at)?;
        path.push(import);
        at = &import.from;
    }
    path.reverse();
    Some(path)
}

fn described(circle: &[&Import]) -> String {
    let mut text = String::from("folders import each other in a circle: ");
    for import in circle {
        let Import { from, to, file, line } = import;
        let mark = if from == &circle[0].from { "" } else { ", " };
        write!(text, "{mark}{from} -> {to} ({}:{line})", file.display())
            .expect("writing to a String cannot fail");
    }
    text + "; move what both sides need to a module that imports neither"
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
    fn circle_is_reported_once_with_each_import() {
        assert_eq!(
            broken(&[A_TO_B, B_TO_C, C_TO_A, C_DEEP]),
            ["crates/x: folders import each other in a circle: a -> b (crates/x/src/a/mod.rs:2), \
              b -> c (crates/x/src/b/deep/mod.rs:1), c -> a (crates/x/src/c/deep.rs:3); \
              move what both sides need to a module that imports neither"]
        );
    }

    #[test]
    fn two_circles_are_both_reported() {
        let also = ("b/mod.rs", "use crate::a;");
        let found = broken(&[A_TO_B, also, B_TO_C, C_TO_A, C_DEEP]);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("a -> b") && found[0].contains("b -> a"), "{}", found[0]);
        assert!(found[1].contains("c -> a"), "{}", found[1]);
    }

    #[test]
    fn path_through_a_single_file_is_no_circle() {
        assert_eq!(broken(&[A_TO_B, B_TO_C, C_TO_A, ("c/deep.rs", "use super::X;")]), [""; 0]);
        assert_eq!(broken(&[A_TO_B, ("b/mod.rs", "use crate::c;"), ("c.rs", "use crate::a;")]), [""; 0]);
    }

    #[test]
    fn root_and_tests_may_import_all() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            A_TO_B,
            ("b/mod.rs", "#[cfg(test)]\nmod tests { use crate::a::A; }"),
            ("b/tests.rs", "use crate::a::A;"),
        ];
        assert_eq!(broken(&files), [""; 0]);
    }
}
