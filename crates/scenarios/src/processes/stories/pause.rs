//! A process that is stopped and goes on: shorter than is tolerated, and longer.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{Scene, between, since};
use crate::processes::told::Kind;
use crate::processes::town::{DEADLINE, TOLERATED_PAUSE};

const TOLERATED: Duration = Duration::from_secs(4);
const LONG: Duration = Duration::from_secs(30);
/// How long a failure may take beyond the pause that is tolerated, and a return beyond the end of the fault.
pub(super) const BEYOND: Duration = Duration::from_secs(3);

/// Each member once; nobody tells a failure.
pub(super) async fn short(scene: &mut Scene) -> Result<()> {
    for node in 0..scene.rounds(3, scene.town.size()) {
        scene.town.pause(node)?;
        sleep(TOLERATED).await;
        scene.town.resume(node)?;
        scene.settles().await?;
    }
    Ok(())
}

/// One member; all tell its failure, and that it is back.
pub(super) async fn long(scene: &mut Scene) -> Result<()> {
    let node = scene.town.any_running()?;
    let others = scene.town.others(node);
    let at = scene.town.pause(node)?;
    let failed = scene.town.all_tell(&others, Kind::NodeFailed, node, at, LONG).await?;
    if let Some(last) = scene.outcome.must("a stopped process fails", failed) {
        scene.outcome.bar("a stopped process is known to all", TOLERATED_PAUSE + BEYOND, between(at, last));
    }
    sleep(LONG.saturating_sub(since(at))).await;
    let back = scene.town.resume(node)?;
    returned(scene, node, at, back).await
}

/// Who was told to have failed since `at` and is reachable again from `back` on is told to be back, by a word of its own.
pub(super) async fn returned(scene: &mut Scene, node: usize, at: u64, back: u64) -> Result<()> {
    let others = scene.town.others(node);
    let joined = scene.town.all_tell(&others, Kind::NodeJoined, node, back, DEADLINE).await?;
    if let Some(last) = scene.outcome.must("it is told to be back", joined) {
        scene.outcome.bar("it is back with all", BEYOND, between(back, last));
    }
    let name = scene.town.name(node);
    for other in others {
        let by = scene.town.name(other);
        let told = scene.town.agent(other).told()?;
        let of = |kind| {
            let wanted =
                move |event: &&crate::processes::told::Told| event.kind == kind && event.unix_ms >= at;
            told.iter().filter(wanted).find(|event| event.subject == name).map(|event| event.incarnation)
        };
        if of(Kind::NodeJoined) <= of(Kind::NodeFailed) {
            scene.outcome.broken.push(format!("{by} took {name} back without a refutation of its own"));
        }
    }
    scene.settles().await?;
    Ok(())
}
