//! The graph of a crate's top-level modules, read from its sources: which module names which other
//! one, and where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::names::{self, Names};
use super::test_code::is_test_file;
use crate::tidy::source::Source;

/// A place where a file of one top-level module names another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) file: PathBuf,
    /// Counted from 1.
    pub(super) line: usize,
}

/// The top-level modules of a crate and the imports between them.
#[derive(Default)]
pub(super) struct Graph {
    /// Each module's name, and whether it is a folder. A file with the name of a folder beside it
    /// belongs to the folder.
    pub(super) modules: BTreeMap<String, bool>,
    /// In the order of files and lines. A line counts once for each pair of modules.
    pub(super) imports: Vec<Import>,
}

impl Graph {
    /// Reads the crate in the folder `home`. Files outside `src` do not count, and tests do not.
    pub(super) fn of<'a>(home: &Path, sources: impl IntoIterator<Item = &'a Source>) -> Self {
        let src = home.join("src");
        let files: Vec<File<'_>> = sources
            .into_iter()
            .filter_map(|source| {
                let inside = source.file.strip_prefix(&src).ok()?;
                let module = module(inside);
                let names = names::read(source, &module);
                Some(File { source, is_test: is_test_file(inside), module, names })
            })
            .collect();
        // The parent declares that a file is for tests only (`#[cfg(test)] mod fake;`). The file
        // itself need not say so.
        let for_tests: BTreeSet<&[String]> =
            files.iter().flat_map(|file| file.names.for_tests.iter().map(Vec::as_slice)).collect();
        let is_test = |file: &File<'_>| {
            file.is_test
                || file.names.is_test
                || (1..=file.module.len()).any(|len| for_tests.contains(&file.module[..len]))
        };
        let files: Vec<&File<'_>> = files.iter().filter(|file| !is_test(file)).collect();
        let mut graph = Self::default();
        for file in &files {
            if let Some(top) = file.module.first() {
                let in_folder = file.source.file.parent() != Some(&src);
                *graph.modules.entry(top.clone()).or_default() |= in_folder;
            }
        }
        let from_root = graph.names_of_the_root(&files);
        for file in &files {
            graph.take_imports(file, &from_root);
        }
        graph
    }

    /// The names that the root imports, each with the module that it comes from. With `use a::B` in
    /// the root, `crate::B` stands for `crate::a::B`. A glob imports names that are not in the
    /// text, so it is not followed.
    fn names_of_the_root(&self, files: &[&File<'_>]) -> BTreeMap<String, String> {
        let roots = files.iter().filter(|file| file.module.is_empty());
        let named = roots.flat_map(|file| &file.names.paths);
        named
            .filter(|named| self.modules.contains_key(&named.path[0]))
            .map(|named| (named.alias.clone(), named.path[0].clone()))
            .collect()
    }

    fn take_imports(&mut self, file: &File<'_>, from_root: &BTreeMap<String, String>) {
        let Some(from) = file.module.first() else { return };
        for named in &file.names.paths {
            let first = &named.path[0];
            let to = if self.modules.contains_key(first) { Some(first) } else { from_root.get(first) };
            if let Some(to) = to.filter(|to| *to != from) {
                let (from, to, file) = (from.clone(), to.clone(), file.source.file.clone());
                let import = Import { from, to, file, line: named.line };
                if !self.imports.contains(&import) {
                    self.imports.push(import);
                }
            }
        }
    }
}

struct File<'a> {
    source: &'a Source,
    is_test: bool,
    /// The path of the file's module; empty for the roots.
    module: Vec<String>,
    names: Names,
}

/// The path of a file's module, from the file's path below `src`.
fn module(inside: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        inside.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let is_root = parts.len() == 1 && ["lib", "main"].contains(&parts[0].as_str());
    if is_root || parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The graph of a made-up crate, for the tests of the rules. Paths are those below `src`.
    pub(in crate::layers::folders) fn graph(home: &str, files: &[(&str, &str)]) -> Graph {
        let source = |(file, text): &(&str, &str)| {
            crate::tidy::source::tests::source(&format!("{home}/src/{file}"), text)
        };
        let sources: Vec<Source> = files.iter().map(source).collect();
        Graph::of(Path::new(home), &sources)
    }

    fn modules(files: &[(&str, &str)]) -> Vec<(String, bool)> {
        graph("crates/x", files).modules.into_iter().collect()
    }

    #[test]
    fn roots_are_neither_folders_nor_files() {
        let files =
            [("lib.rs", ""), ("main.rs", ""), ("a/mod.rs", ""), ("b.rs", ""), ("c.rs", ""), ("c/d.rs", "")];
        assert_eq!(modules(&files), [("a".into(), true), ("b".into(), false), ("c".into(), true)]);
    }

    #[test]
    fn folder_of_tests_is_no_folder() {
        let files =
            [("a.rs", "#[cfg(test)]\nmod fake;"), ("a/fake.rs", ""), ("b.rs", ""), ("b/tests/c.rs", "")];
        assert_eq!(modules(&files), [("a".into(), false), ("b".into(), false)]);
    }

    /// Imports from other crates are not in the graph.
    #[test]
    fn import_has_its_file_and_line() {
        let text = "use std::fmt;\nuse crate::{\n    a::A,\n    b::{B, C},\n    Alias,\n    Outside,\n};";
        let root = "pub use b::X as Alias; pub use outside::Outside;";
        let graph = graph("crates/x", &[("lib.rs", root), ("a/deep.rs", text), ("b.rs", "")]);
        let import = |line| Import {
            from: "a".into(),
            to: "b".into(),
            file: PathBuf::from("crates/x/src/a/deep.rs"),
            line,
        };
        assert_eq!(graph.imports, [import(4), import(5)]);
    }
}
