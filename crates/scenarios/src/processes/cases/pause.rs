//! A process that is stopped and continued: for less than the tolerated pause, and for longer.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{CaseRun, between, since};
use crate::processes::cluster::{DEADLINE, TOLERATED_PAUSE};
use crate::processes::event_history::{Kind, LoggedEvent};

const TOLERATED: Duration = Duration::from_secs(4);
const LONG: Duration = Duration::from_secs(30);
/// How long a failure may take beyond the tolerated pause, and a return after the end of the fault.
pub(super) const BEYOND: Duration = Duration::from_secs(3);

/// Pauses each member once. No member may report a failure.
pub(super) async fn short(run: &mut CaseRun) -> Result<()> {
    for node in 0..run.rounds(3, run.cluster.size()) {
        run.cluster.pause(node)?;
        sleep(TOLERATED).await;
        run.cluster.resume(node)?;
        run.settles().await?;
    }
    Ok(())
}

/// Pauses one member for 30 s. All report its failure, and then its return.
pub(super) async fn long(run: &mut CaseRun) -> Result<()> {
    let node = run.cluster.any_running()?;
    let others = run.cluster.others(node);
    let at = run.cluster.pause(node)?;
    let failed = run.cluster.all_report(&others, Kind::NodeFailed, node, at, LONG).await?;
    if let Some(last) = run.outcome.must("a stopped process fails", failed) {
        let what = "the failure of a stopped process is known to all";
        run.outcome.bar(what, TOLERATED_PAUSE + BEYOND, between(at, last));
    }
    sleep(LONG.saturating_sub(since(at))).await;
    let back = run.cluster.resume(node)?;
    returned(run, node, at, back).await
}

/// Requires that all members report the return of `node`, and that its own refutation caused it.
/// It was declared failed after `at`, and can be reached again since `back`.
pub(super) async fn returned(run: &mut CaseRun, node: usize, at: u64, back: u64) -> Result<()> {
    let others = run.cluster.others(node);
    let joined = run.cluster.all_report(&others, Kind::NodeJoined, node, back, DEADLINE).await?;
    if let Some(last) = run.outcome.must("all report the return of the member", joined) {
        run.outcome.bar("the member is back in all views", BEYOND, between(back, last));
    }
    let name = run.cluster.name(node);
    for other in others {
        let by = run.cluster.name(other);
        let events = run.cluster.agent(other).events()?;
        let of = |kind| {
            let wanted = move |event: &&LoggedEvent| event.kind == kind && event.unix_ms >= at;
            events.iter().filter(wanted).find(|event| event.subject == name).map(|event| event.incarnation)
        };
        // Only the member itself raises its incarnation. So a higher one is its own refutation.
        if of(Kind::NodeJoined) <= of(Kind::NodeFailed) {
            run.outcome.broken.push(format!("{by} took {name} back without a refutation by {name}"));
        }
    }
    run.settles().await?;
    Ok(())
}
