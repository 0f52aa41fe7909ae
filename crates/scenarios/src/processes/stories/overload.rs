//! Too little CPU: the agents share a control group with a quota. None is declared failed, they are at rest again soon after it
//! ends, and they can start with it.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Scene;
use crate::processes::town::DEADLINE;

/// What is left for each agent, in cores: twice what it uses at rest, and too little for a second of
/// handshakes.
const CORES_EACH: f64 = 0.002;

/// What is left for each agent while it starts. Its program takes 80 ms of CPU to start, without a
/// handshake: so all need 4 s for that alone.
const CORES_EACH_AT_START: f64 = 0.02;

/// How long the agents stay short of CPU.
const STARVED: Duration = Duration::from_secs(30);

/// How soon all must be well afterwards.
const SETTLED: Duration = Duration::from_secs(30);

pub(super) async fn play(scene: &mut Scene) -> Result<()> {
    let each = scene.town.size() as f64;
    if let Err(why) = scene.town.limit_cpu(None) {
        scene.outcome.skipped = Some(format!("{why:#}"));
        return Ok(());
    }
    for _ in 0..scene.rounds(1, 3) {
        scene.town.limit_cpu(Some(CORES_EACH * each))?;
        sleep(STARVED).await;
        scene.town.limit_cpu(None)?;
        if let Some(took) = scene.settles().await? {
            scene.outcome.bar("all see the same once there is CPU again", SETTLED, took);
        }
    }
    // All start at once with little CPU, twice in a row.
    for _ in 0..2 {
        scene.town.kill_all().await?;
        scene.town.limit_cpu(Some(CORES_EACH_AT_START * each))?;
        scene.town.begin_all()?;
        let settled = scene.town.settle(DEADLINE).await?;
        if let Some(took) = scene.outcome.must("all start with little CPU", settled) {
            scene.outcome.bar("all see all after a start with little CPU", SETTLED, took);
        }
    }
    scene.town.limit_cpu(None)
}
