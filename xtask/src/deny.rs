//! Checks the dependencies against the rules in `deny.toml`. The step checks advisories only if it
//! can fetch their database: a machine that cannot reach the database must not fail the gate.

use anyhow::{Context, Result};

use crate::ci::SKIPPED;
use crate::{setup, shell};

/// Checks licences, duplicates, and sources; and advisories, if their database can be fetched.
pub(crate) fn check() -> Result<String> {
    setup::need(&setup::DENY)?;
    shell::run(&mut shell::cargo(["deny", "check", "bans", "licenses", "sources"]))
        .context("a dependency breaks `deny.toml`")?;
    // A wrong setting in the file fails above, because each check reads the whole file. So an error
    // here means that the database cannot be fetched.
    if shell::run(&mut shell::cargo(["deny", "fetch", "db"])).is_err() {
        eprintln!(
            "*** {SKIPPED}: the advisories were not checked, because their database cannot be fetched ***"
        );
        return Ok(format!("licences, duplicates and sources; advisories {SKIPPED}, no database"));
    }
    shell::run(&mut shell::cargo(["deny", "check", "advisories"])).context("a dependency has an advisory")?;
    Ok("licences, duplicates, sources and advisories".to_owned())
}
