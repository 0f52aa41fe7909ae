//! A member that announced its maintenance is stopped: for less than its time, and for more.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::pause::{BEYOND, returned};
use super::{CaseRun, between, since};
use crate::processes::cluster::{DEADLINE, TOLERATED_PAUSE};
use crate::processes::event_history::Kind;

pub(super) async fn run(run: &mut CaseRun) -> Result<()> {
    within(run).await?;
    beyond(run).await
}

/// Stops a member for half of its maintenance. No member may suspect it.
async fn within(run: &mut CaseRun) -> Result<()> {
    let announced = Duration::from_secs(if run.extent.quick { 20 } else { 60 });
    let node = run.cluster.any_running()?;
    let name = run.cluster.name(node);
    let at = run.cluster.pause_in_maintenance(node, announced).await?;
    sleep(announced / 2).await;
    for other in run.cluster.others(node) {
        let by = run.cluster.name(other);
        let events = run.cluster.agent(other).events()?;
        let mut suspicions = events.iter().filter(|event| event.kind == Kind::NodeSuspected);
        if suspicions.any(|event| event.unix_ms >= at && event.subject == name) {
            run.outcome.broken.push(format!("{by} suspected {name}, which was in maintenance"));
        }
    }
    run.cluster.resume(node)?;
    run.settles().await?;
    Ok(())
}

/// Stops a member for longer than its maintenance. All report its failure, and then its return.
async fn beyond(run: &mut CaseRun) -> Result<()> {
    let (announced, stopped) = (Duration::from_secs(10), Duration::from_secs(25));
    let node = run.cluster.any_running()?;
    let others = run.cluster.others(node);
    let at = run.cluster.pause_in_maintenance(node, announced).await?;
    let failed = run.cluster.all_report(&others, Kind::NodeFailed, node, at, DEADLINE).await?;
    if let Some(last) = run.outcome.must("a member that exceeds its maintenance fails", failed) {
        let limit = announced + TOLERATED_PAUSE + BEYOND;
        run.outcome.bar("the failure after the maintenance is known to all", limit, between(at, last));
    }
    sleep(stopped.saturating_sub(since(at))).await;
    let back = run.cluster.resume(node)?;
    returned(run, node, at, back).await
}
