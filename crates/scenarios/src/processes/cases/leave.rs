//! Members leave gracefully: all others learn it at once, and the process ends soon.

use std::time::Duration;

use anyhow::Result;

use super::{CaseRun, between};
use crate::processes::cluster::DEADLINE;
use crate::processes::event_history::Kind;
use crate::processes::outcome::worst;

const KNOWN: Duration = Duration::from_millis(300);
const ENDED: Duration = Duration::from_secs(1);

pub(super) async fn run(run: &mut CaseRun) -> Result<()> {
    let (mut known, mut ended) = (Vec::new(), Vec::new());
    for _ in 0..run.rounds(1, 5) {
        let node = run.cluster.any_running()?;
        let others = run.cluster.others(node);
        let (at, took) = run.cluster.leave(node).await?;
        let reported = run.cluster.all_report(&others, Kind::NodeLeft, node, at, DEADLINE).await?;
        if let Some(last) = run.outcome.must("each member reports a leave once", reported) {
            known.push(between(at, last));
        }
        ended.push(took);
        let seeds = run.cluster.seeds();
        run.cluster.start(node, &seeds)?;
        run.settles().await?;
    }
    run.outcome.bar("a leave is known to all (worst)", KNOWN, worst(&known));
    run.outcome.bar("the process of a leaving member has ended (worst)", ENDED, worst(&ended));
    Ok(())
}
