//! The folders inside the crates: which may import which. Cargo orders crates only. This file gathers; each rule has a file.
//!
//! What imports what is read from the sources, token by token. Code for tests, comments and strings do not count, nor does
//! what the root of a crate names. A `use` in the root is followed, so that nothing hides behind `crate::Name`.

mod circles;
mod graph;
mod names;
mod owners;
mod table;
mod test_code;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::tidy;
use crate::tidy::source::Source;
use graph::Graph;

/// What was looked at, and what is wrong with it.
pub(super) struct Outcome {
    pub(super) folders: usize,
    pub(super) broken: Vec<String>,
}

/// Runs every rule on every crate.
///
/// # Errors
/// When a file cannot be read, or git does not say which there are.
pub(super) fn check(root: &Path) -> Result<Outcome> {
    let mut broken = Vec::new();
    let mut crates: BTreeMap<String, Vec<Source>> = BTreeMap::new();
    for file in tidy::files::rust(root)? {
        let Some(home) = home(&file) else { continue };
        match Source::parse(&file, tidy::read(root, &file)?) {
            Ok(source) => crates.entry(home).or_default().push(source),
            Err(finding) => broken.push(finding.to_string()),
        }
    }
    let graphs: BTreeMap<String, Graph> = crates
        .into_iter()
        .map(|(home, sources)| {
            let graph = Graph::of(Path::new(&home), &sources);
            (home, graph)
        })
        .collect();
    for (home, graph) in &graphs {
        broken.extend(circles::violations(home, graph));
        if *home == table::SWIM.home {
            broken.extend(owners::violations(&table::SWIM, graph));
        }
    }
    let folders = graphs.values().flat_map(|graph| graph.modules.values()).filter(|is_folder| **is_folder);
    Ok(Outcome { folders: folders.count(), broken })
}

/// The folder of the crate whose source the file is.
fn home(file: &Path) -> Option<String> {
    let mut parts = file.iter();
    let home: PathBuf = parts.by_ref().take(2).collect();
    let is_source = home.starts_with("crates") && parts.next().is_some_and(|part| part == "src");
    is_source.then(|| home.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_this_workspace_are_found() {
        assert!(check(&crate::shell::root()).unwrap().folders > 0);
    }

    #[test]
    fn only_sources_of_crates_are_looked_at() {
        assert_eq!(home(Path::new("crates/swim/src/dissemination/mod.rs")).as_deref(), Some("crates/swim"));
        assert_eq!(home(Path::new("crates/swim/tests/a.rs")), None);
        assert_eq!(home(Path::new("xtask/src/main.rs")), None);
    }
}
