//! Everything goes down and comes up again: at once, with seeds or from memory alone; or one member after the other.

use std::time::Duration;

use anyhow::Result;

use super::Scene;

const WITHIN: Duration = Duration::from_secs(10);

/// All are killed at once; each is given the seeds again.
pub(super) async fn all_with_seeds(scene: &mut Scene) -> Result<()> {
    let seeds = scene.town.seeds();
    all(scene, &seeds).await
}

/// All are killed at once; nobody is given a seed.
pub(super) async fn all_from_memory(scene: &mut Scene) -> Result<()> {
    all(scene, &[]).await
}

async fn all(scene: &mut Scene, seeds: &[String]) -> Result<()> {
    let nodes = scene.town.running();
    scene.town.kill_all().await?;
    for node in nodes {
        scene.town.start(node, seeds)?;
    }
    if let Some(took) = scene.settles().await? {
        scene.outcome.bar("all that were killed at once are one cluster again", WITHIN, took);
    }
    Ok(())
}

/// Each leaves, is started again, and is seen by all before the next one leaves.
pub(super) async fn rolling(scene: &mut Scene) -> Result<()> {
    for node in scene.town.running() {
        scene.town.leave(node).await?;
        let seeds = scene.town.seeds();
        scene.town.start(node, &seeds)?;
        scene.settles().await?;
    }
    Ok(())
}
