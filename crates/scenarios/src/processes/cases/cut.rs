//! One member is cut off: in both directions by its link, or in one direction. No healthy member
//! may be declared failed, whatever happens to the cut one.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::pause::{BEYOND, returned};
use super::{CaseRun, between, since};
use crate::processes::cluster::TOLERATED_PAUSE;
use crate::processes::event_history::Kind;
use crate::processes::faults::Faults;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(12);

/// A link is down for 30 s: the same must follow as for a process that is stopped for 30 s.
pub(super) async fn link_down(run: &mut CaseRun) -> Result<()> {
    let node = run.cluster.any_running()?;
    let others = run.cluster.others(node);
    let at = run.cluster.link(node, false)?;
    let failed = run.cluster.all_report(&others, Kind::NodeFailed, node, at, LONG).await?;
    if let Some(last) = run.outcome.must("a member without a link fails", failed) {
        run.outcome.bar(
            "the failure of a member without a link is known to all",
            TOLERATED_PAUSE + BEYOND,
            between(at, last),
        );
    }
    sleep(LONG.saturating_sub(since(at))).await;
    let back = run.cluster.link(node, true)?;
    returned(run, node, at, back).await
}

/// A member that can send, but receives nothing.
pub(super) async fn deaf(run: &mut CaseRun) -> Result<()> {
    one_way(run, |faults, node| faults.deaf.insert(node)).await
}

/// A member that receives, but cannot send.
pub(super) async fn mute(run: &mut CaseRun) -> Result<()> {
    one_way(run, |faults, node| faults.mute.insert(node)).await
}

async fn one_way(run: &mut CaseRun, cut: fn(&mut Faults, usize) -> bool) -> Result<()> {
    let node = run.cluster.any_running()?;
    let at = run.cluster.network(|faults| {
        cut(faults, node);
    })?;
    sleep(if run.extent.quick { SHORT } else { LONG }).await;
    let others = run.cluster.others(node);
    let reported = run.cluster.all_report(&others, Kind::NodeFailed, node, at, Duration::ZERO).await?;
    // No failure is required: a member that still sends or receives may stay a member.
    if let Ok(last) = reported {
        run.outcome.bar(
            "the failure of a member that is cut off one way is known to all",
            TOLERATED_PAUSE + BEYOND,
            between(at, last),
        );
    }
    run.cluster.network(|faults| *faults = Faults::default())?;
    if let Some(took) = run.settles().await? {
        run.outcome.bar("all see all again", BEYOND, took);
    }
    Ok(())
}
