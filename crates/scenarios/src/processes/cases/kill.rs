//! `kill -9`, repeatedly: each survivor reports each crash exactly once, and no other failure.

use std::time::Duration;

use anyhow::Result;

use super::{CaseRun, between};
use crate::processes::cluster::DEADLINE;
use crate::processes::event_history::Kind;
use crate::processes::outcome::{median, worst};

const MEDIAN: Duration = Duration::from_millis(1_500);
const WORST: Duration = Duration::from_millis(3_500);

pub(super) async fn run(run: &mut CaseRun) -> Result<()> {
    let mut known = Vec::new();
    // Each member in its turn: the events of a member that fails repeatedly would be withheld.
    let mut turns: Vec<usize> = run.cluster.running().into_iter().collect();
    run.cluster.rng.shuffle(&mut turns);
    for &node in turns.iter().cycle().take(run.rounds(2, 20)) {
        let others = run.cluster.others(node);
        let at = run.cluster.kill(node).await?;
        let reported = run.cluster.all_report(&others, Kind::NodeFailed, node, at, DEADLINE).await?;
        if let Some(last) = run.outcome.must("each survivor reports a crash once", reported) {
            known.push(between(at, last));
            run.outcome.note("ms until each crash was known to all", last.saturating_sub(at));
        }
        let seeds = run.cluster.seeds();
        run.cluster.start(node, &seeds)?;
        run.settles().await?;
    }
    run.outcome.bar("a crash is known to every survivor (median)", MEDIAN, median(&known));
    run.outcome.bar("a crash is known to every survivor (worst)", WORST, worst(&known));
    Ok(())
}
