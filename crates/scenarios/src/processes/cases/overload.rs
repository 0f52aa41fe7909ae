//! Too little CPU: the agents share a control group with a quota. No member may be declared failed.
//! All must have one view soon after the quota ends, and they must be able to start under a quota.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::CaseRun;
use crate::processes::cluster::DEADLINE;

/// The CPU of each agent, in cores: twice what an idle agent uses, and too little for the
/// handshakes of one second.
const CORES_EACH: f64 = 0.002;

/// The CPU of each agent while it starts, in cores. The program takes 80 ms of CPU to start,
/// without a handshake. So with this quota the start alone takes 4 s.
const CORES_EACH_AT_START: f64 = 0.02;

/// How long the agents have too little CPU.
const STARVED: Duration = Duration::from_secs(30);

/// The time limit until all have the same view afterwards.
const SETTLED: Duration = Duration::from_secs(30);

pub(super) async fn run(run: &mut CaseRun) -> Result<()> {
    let each = run.cluster.size() as f64;
    if let Err(why) = run.cluster.limit_cpu(None) {
        run.outcome.skipped = Some(format!("{why:#}"));
        return Ok(());
    }
    for _ in 0..run.rounds(1, 3) {
        run.cluster.limit_cpu(Some(CORES_EACH * each))?;
        sleep(STARVED).await;
        run.cluster.limit_cpu(None)?;
        if let Some(took) = run.settles().await? {
            run.outcome.bar("all have the same view once there is CPU again", SETTLED, took);
        }
    }
    // All start at once with little CPU, twice in a row.
    for _ in 0..2 {
        run.cluster.kill_all().await?;
        run.cluster.limit_cpu(Some(CORES_EACH_AT_START * each))?;
        run.cluster.begin_all()?;
        let settled = run.cluster.settle(DEADLINE).await?;
        if let Some(took) = run.outcome.must("all start with little CPU", settled) {
            run.outcome.bar("all see all after a start with little CPU", SETTLED, took);
        }
    }
    run.cluster.limit_cpu(None)
}
