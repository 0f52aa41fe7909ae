//! `cargo xtask layers`: the dependencies between crates are exactly those of the table, and point
//! down. The folders inside a crate have rules too.
//!
//! Cargo itself forbids only circles, and allows them among dev-dependencies. This file runs the
//! rules; each rule has its own file.

mod edges;
mod folders;
mod manifest;
mod purity;
mod reserved;
mod table;

use anyhow::{Result, bail};

use crate::shell;

/// Runs every rule. Prints all violations, so that one run shows everything to mend.
///
/// # Errors
/// When a rule is broken, a file cannot be read, or cargo cannot describe the workspace.
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
        bail!("{} violation(s) of the layers, listed above", broken.len());
    }
    let edges: usize = manifests.iter().map(|manifest| manifest.inside(&manifests).count()).sum();
    Ok(format!(
        "{} crates, {edges} edges, {} pure, {} folders",
        manifests.len(),
        table::PURE.len(),
        inside.folders
    ))
}
