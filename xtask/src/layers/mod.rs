//! `cargo xtask layers`: the crates' dependencies are exactly those of the table, and point down; the folders inside a crate
//! keep an order too.
//!
//! Cargo itself forbids only cycles, and not even those among dev-dependencies. This file gathers; each rule has a file.

mod edges;
mod folders;
mod manifest;
mod purity;
mod reserved;
mod table;

use anyhow::{Result, bail};

use crate::shell;

/// Runs every rule and prints all violations, not only the first.
///
/// # Errors
/// When a rule is broken or cargo cannot describe the workspace.
pub(crate) fn check() -> Result<String> {
    let root = shell::root();
    let manifests = manifest::read(&root)?;
    let mut broken = edges::pointing_up(table::CRATES);
    broken.extend(edges::differences(table::CRATES, &manifests));
    broken.extend(reserved::violations(table::RESERVED, table::CRATES, &manifests));
    for package in table::PURE {
        broken.extend(purity::check(package)?);
    }
    let inside = folders::check(&root)?;
    broken.extend(inside.broken);
    if !broken.is_empty() {
        for violation in &broken {
            eprintln!("layers: {violation}");
        }
        bail!("{} layering rule(s) broken, listed above", broken.len());
    }
    let edges: usize = manifests.iter().map(|manifest| manifest.inside(&manifests).count()).sum();
    Ok(format!(
        "{} crates, {edges} edges, {} pure, {} folders",
        manifests.len(),
        table::PURE.len(),
        inside.folders
    ))
}
