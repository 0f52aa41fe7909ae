//! The paths into its own crate that a file names: `crate::a::B`, `super::super::a`,
//! `use crate::{a::B, c}`. A path counts in a `use` and anywhere else in the code.

use super::test_code::{end_of_item, is_test_attribute, module_elsewhere};
use crate::tidy::source::Source;

/// A path from the root of the crate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) path: Vec<String>,
    /// The name under which a `use` imports it.
    pub(super) alias: String,
    /// Counted from 1.
    pub(super) line: usize,
}

/// The paths that a file names, and what the file says about tests.
pub(super) struct Names {
    pub(super) paths: Vec<Named>,
    /// Modules that have a file of their own and are compiled for tests only.
    pub(super) for_tests: Vec<Vec<String>>,
    /// Whether the whole file is compiled for tests only, by an attribute in the file itself.
    pub(super) is_test: bool,
}

/// Reads a file whose module has the path `module`; the path of the root is empty. In a `use` of
/// the root, a path that begins with a plain name counts too: `use a::B` is `use crate::a::B`
/// there.
pub(super) fn read(source: &Source, module: &[String]) -> Names {
    let names = Names { paths: Vec::new(), for_tests: Vec::new(), is_test: false };
    let mut reader = Reader { source, module: module.to_vec(), inline: Vec::new(), names };
    reader.read();
    reader.names
}

struct Reader<'a> {
    source: &'a Source,
    /// The path of the module to which the next token belongs.
    module: Vec<String>,
    /// The end of each inline module that encloses the next token.
    inline: Vec<usize>,
    names: Names,
}

impl Reader<'_> {
    fn read(&mut self) {
        let mut at = 0;
        while at < self.source.tokens.len() {
            at = self.step(at);
        }
    }

    /// Reads what begins at `at`. Returns the index at which the next step begins.
    fn step(&mut self, at: usize) -> usize {
        while self.inline.last().is_some_and(|&end| end <= at) {
            self.inline.pop();
            self.module.pop();
        }
        match self.text(at) {
            "#" if is_test_attribute(self.source, at) => return self.test_code(at),
            "mod" if self.text(at + 2) == "{" => {
                self.module.push(self.text(at + 1).to_owned());
                self.inline.push(self.source.closing(at + 2));
                return at + 3;
            }
            "use" if self.module.is_empty() => return self.tree(at + 1, Vec::new()),
            // The colons tell a path from `pub(crate)` and from the argument `self`.
            "crate" | "self" | "super" if self.source.stands_at(at + 1, &[":", ":"]) => {
                return self.tree(at, self.module.clone());
            }
            _ => {}
        }
        at + 1
    }

    /// Skips code for tests. Tests may import every module.
    fn test_code(&mut self, at: usize) -> usize {
        if self.text(at + 1) == "!" {
            let end = self.inline.last().copied();
            self.names.is_test |= end.is_none();
            return end.unwrap_or(self.source.tokens.len());
        }
        if let Some(name) = module_elsewhere(self.source, at) {
            let path = self.module.iter().cloned().chain([name.to_owned()]);
            self.names.for_tests.push(path.collect());
        }
        end_of_item(self.source, at) + 1
    }

    /// Reads a path or a tree of paths that begins at `at` within the module `base`. Returns the
    /// index at which the next step begins.
    fn tree(&mut self, mut at: usize, mut base: Vec<String>) -> usize {
        loop {
            match self.text(at) {
                "{" => return self.branches(at, &base),
                "crate" => base.clear(),
                "self" => {}
                "super" => {
                    base.pop();
                }
                _ if self.source.tokens.get(at).is_some_and(|token| token.is_word) => {
                    base.push(self.text(at).to_owned());
                }
                _ => {
                    self.name(at, base, None);
                    return at + 1;
                }
            }
            if !self.source.stands_at(at + 1, &[":", ":"]) {
                let alias = (self.text(at + 1) == "as").then(|| self.text(at + 2).to_owned());
                self.name(at, base, alias);
                return at + 1;
            }
            at += 3;
        }
    }

    /// Reads the list `{a, b::c}` whose brace is at `open`. Returns the index behind it.
    fn branches(&mut self, open: usize, base: &[String]) -> usize {
        let end = self.source.closing(open);
        let mut at = open + 1;
        while at < end {
            at = self.tree(at, base.to_vec());
            // Skips an alias (`as D`), which is no path.
            while at < end && self.text(at) != "," {
                at += 1;
            }
            at += 1;
        }
        end + 1
    }

    fn name(&mut self, at: usize, path: Vec<String>, alias: Option<String>) {
        let Some(last) = path.last() else { return };
        let alias = alias.unwrap_or_else(|| last.clone());
        let line = self.source.tokens[at.min(self.source.tokens.len() - 1)].line;
        self.names.paths.push(Named { path, alias, line });
    }

    fn text(&self, at: usize) -> &str {
        self.source.tokens.get(at).map_or("", |token| token.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::tests::source;

    fn module(path: &str) -> Vec<String> {
        path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn named(within: &str, text: &str) -> Vec<(usize, String)> {
        let names = read(&source("a.rs", text), &module(within));
        names.paths.into_iter().map(|named| (named.line, named.path.join("::"))).collect()
    }

    fn paths(within: &str, text: &str) -> Vec<String> {
        named(within, text).into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn paths_of_a_list_have_their_lines() {
        let text = "use crate::{\n    a::{B, c::{self, D}},\n    e,\n};";
        assert_eq!(
            named("x", text),
            [(2, "a::B".into()), (2, "a::c".into()), (2, "a::c::D".into()), (3, "e".into())]
        );
    }

    #[test]
    fn super_and_self_are_resolved() {
        assert_eq!(paths("a::b", "use super::super::c::D;"), ["c::D"]);
        assert_eq!(paths("a::b", "use super::{self, c, super::d::E};"), ["a", "a::c", "d::E"]);
        assert_eq!(paths("a", "use self::b::C;"), ["a::b::C"]);
        assert_eq!(paths("a", "mod inner { use super::super::b; } use super::c;"), ["b", "c"]);
    }

    #[test]
    fn paths_outside_use_count() {
        let text = "fn f(x: &crate::a::B) -> super::c::D<crate::e::F> { crate::g::h::<u8>(self.i) }";
        assert_eq!(paths("x", text), ["a::B", "c::D", "e::F", "g::h"]);
        assert_eq!(paths("x", "wrap! { $crate::a::b() }"), ["a::b"]);
    }

    #[test]
    fn visibility_and_other_crates_are_no_paths() {
        assert_eq!(paths("x", "pub(crate) fn f(self) {} use std::fmt; use kinfolk_core::{NodeId};"), [""; 0]);
    }

    #[test]
    fn plain_names_count_in_the_root() {
        let names = read(&source("lib.rs", "mod a; pub use a::{B, C as D}; pub use a::e::F as G;"), &[]);
        let found: Vec<_> = names.paths.iter().map(|named| (named.path.join("::"), &*named.alias)).collect();
        assert_eq!(found, [("a::B".into(), "B"), ("a::C".into(), "D"), ("a::e::F".into(), "G")]);
    }

    #[test]
    fn code_for_tests_is_skipped() {
        let text = "#[cfg(test)]\nuse crate::a;\n#[cfg(test)]\nmod tests {\n use crate::b::C;\n}\n\
                    #[test]\nfn t() { crate::d::e(); }\nuse crate::f;";
        assert_eq!(named("x", text), [(9, "f".into())]);
        let whole = read(&source("a.rs", "#![cfg(test)]\nuse crate::a;"), &module("x"));
        assert!(whole.is_test && whole.paths.is_empty());
    }

    #[test]
    fn files_for_tests_are_listed() {
        let names = read(&source("mod.rs", "#[cfg(test)]\nmod fake;\nmod real;"), &module("x"));
        assert_eq!(names.for_tests, [["x", "fake"]]);
    }

    #[test]
    fn comments_and_strings_are_skipped() {
        let text =
            "//! See [`X`](crate::a).\n// crate::b::C\n/* crate::d::E */\nconst F: &str = \"crate::g::H\";";
        assert_eq!(paths("x", text), [""; 0]);
    }
}
