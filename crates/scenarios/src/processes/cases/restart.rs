//! Members stop and start again: all at once, with seeds or from their state directories; or one
//! after the other.

use std::time::Duration;

use anyhow::Result;

use super::CaseRun;

const WITHIN: Duration = Duration::from_secs(10);

/// All are killed at once. Each starts again with the seeds.
pub(super) async fn all_with_seeds(run: &mut CaseRun) -> Result<()> {
    let seeds = run.cluster.seeds();
    all(run, &seeds).await
}

/// All are killed at once. Each starts again without a seed.
pub(super) async fn all_from_state(run: &mut CaseRun) -> Result<()> {
    all(run, &[]).await
}

async fn all(run: &mut CaseRun, seeds: &[String]) -> Result<()> {
    let nodes = run.cluster.running();
    run.cluster.kill_all().await?;
    for node in nodes {
        run.cluster.start(node, seeds)?;
    }
    if let Some(took) = run.settles().await? {
        run.outcome.bar("all that were killed at once are one cluster again", WITHIN, took);
    }
    Ok(())
}

/// Each member leaves, starts again, and is seen by all before the next one leaves.
pub(super) async fn rolling(run: &mut CaseRun) -> Result<()> {
    for node in run.cluster.running() {
        run.cluster.leave(node).await?;
        let seeds = run.cluster.seeds();
        run.cluster.start(node, &seeds)?;
        run.settles().await?;
    }
    Ok(())
}
