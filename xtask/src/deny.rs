//! What the gate asks of the dependencies: `deny.toml` says what. Advisories are asked for where
//! the database can be fetched; a machine without a way to it must not fail the gate.

use anyhow::{Context, Result};

use crate::ci::SKIPPED;
use crate::{setup, shell};

/// Licences, duplicates and sources; advisories, if their database can be had.
pub(crate) fn check() -> Result<String> {
    setup::need(&setup::DENY)?;
    shell::run(&mut shell::cargo(["deny", "check", "bans", "licenses", "sources"]))
        .context("a dependency breaks `deny.toml`")?;
    // A wrong setting in the file has failed above: each check reads the whole file.
    if shell::run(&mut shell::cargo(["deny", "fetch", "db"])).is_err() {
        eprintln!(
            "*** {SKIPPED}: the advisories were not checked, because their database cannot be fetched ***"
        );
        return Ok(format!("licences, duplicates and sources; advisories {SKIPPED}, no database"));
    }
    shell::run(&mut shell::cargo(["deny", "check", "advisories"])).context("a dependency has an advisory")?;
    Ok("licences, duplicates, sources and advisories".to_owned())
}
