//! The dependencies in the manifests, in a form that tests of the rules can make without cargo.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// The table of a manifest that contains a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Normal,
    Build,
    Dev,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Normal => "[dependencies]",
            Kind::Build => "[build-dependencies]",
            Kind::Dev => "[dev-dependencies]",
        })
    }
}

/// A workspace crate and all packages that it names. Optional dependencies and those for one
/// platform count too.
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) dependencies: BTreeSet<(Kind, String)>,
}

impl Manifest {
    /// The dependencies that are workspace crates themselves.
    pub(super) fn inside<'a>(&'a self, all: &'a [Manifest]) -> impl Iterator<Item = &'a (Kind, String)> {
        self.dependencies.iter().filter(move |(_, name)| all.iter().any(|other| other.name == *name))
    }
}

/// Reads the manifests of all workspace crates.
///
/// # Errors
/// When cargo cannot read a manifest.
pub(super) fn read(root: &Path) -> Result<Vec<Manifest>> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cargo cannot describe the workspace")?;
    let packages = metadata.workspace_packages();
    Ok(packages
        .into_iter()
        .map(|package| Manifest {
            name: package.name.to_string(),
            dependencies: package.dependencies.iter().map(|dep| (kind(dep.kind), dep.name.clone())).collect(),
        })
        .collect())
}

fn kind(kind: DependencyKind) -> Kind {
    match kind {
        DependencyKind::Development => Kind::Dev,
        DependencyKind::Build => Kind::Build,
        // The strictest rules apply to a kind that a later cargo may add.
        _ => Kind::Normal,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A made-up manifest, for the tests of the rules.
    pub(in crate::layers) fn manifest(name: &str, dependencies: &[(Kind, &str)]) -> Manifest {
        let dependencies = dependencies.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
        Manifest { name: name.to_owned(), dependencies }
    }

    #[test]
    fn dependencies_of_this_crate_are_read() {
        let all = read(&crate::shell::root()).unwrap();
        let xtask = all.iter().find(|manifest| manifest.name == "xtask").unwrap();
        assert!(xtask.dependencies.contains(&(Kind::Normal, "clap".to_owned())));
        assert_eq!(xtask.inside(&all).count(), 0);
    }
}
