//! The network is cut between two halves. Each half comes to one view of itself. When the cut is
//! healed, all come to one view of all.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{CaseRun, since};
use crate::processes::cluster::TOLERATED_PAUSE;
use crate::processes::faults::Nodes;

const SHORT: Duration = Duration::from_secs(20);
/// The partition grace: verdicts wait for this time when half of the members fall silent at once.
const GRACE: Duration = Duration::from_secs(30);
const WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn run(run: &mut CaseRun) -> Result<()> {
    let all: Vec<usize> = run.cluster.running().into_iter().collect();
    let (left, right) = all.split_at(all.len() / 2);
    let (left, right): (Nodes, Nodes) = (left.iter().copied().collect(), right.iter().copied().collect());
    let sides = (left.clone(), right.clone());
    let at = run.cluster.network(|faults| faults.partition = Some(sides))?;
    let lasts = if run.extent.quick { SHORT } else { run.extent.partition };
    // The quick form ends before the grace does, so no half declares the other one failed.
    if !run.extent.quick {
        for (side, nodes) in [("the smaller side", &left), ("the larger side", &right)] {
            let settled = run.cluster.settle_among(nodes, lasts.saturating_sub(since(at))).await?;
            if run.outcome.must(&format!("{side} holds one view of itself"), settled).is_some() {
                let what = format!("{side} holds one view of itself (grace of 30 s included)");
                run.outcome.bar(&what, GRACE + TOLERATED_PAUSE + WITHIN, since(at));
            }
        }
    }
    sleep(lasts.saturating_sub(since(at))).await;
    run.cluster.network(|faults| faults.partition = None)?;
    if let Some(took) = run.settles().await? {
        run.outcome.bar("all hold one view of all after the heal", WITHIN, took);
    }
    for side in [&left, &right] {
        let reported = run.cluster.failures_among(side, at)?;
        let none = if reported == 0 { Ok(()) } else { Err(format!("{reported} times")) };
        run.outcome.must("no side reports that one of its own members failed", none);
    }
    Ok(())
}
