//! One member is cut off: in both directions by its link, or in one. It evicts nobody, whatever becomes of it.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::pause::{BEYOND, returned};
use super::{Scene, between, since};
use crate::processes::faults::Faults;
use crate::processes::told::Kind;
use crate::processes::town::TOLERATED_PAUSE;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(12);

/// As a process that is stopped for 30 s.
pub(super) async fn link_down(scene: &mut Scene) -> Result<()> {
    let node = scene.town.any_running()?;
    let others = scene.town.others(node);
    let at = scene.town.link(node, false)?;
    let failed = scene.town.all_tell(&others, Kind::NodeFailed, node, at, LONG).await?;
    if let Some(last) = scene.outcome.must("a member without a link fails", failed) {
        scene.outcome.bar(
            "a member without a link is known to all",
            TOLERATED_PAUSE + BEYOND,
            between(at, last),
        );
    }
    sleep(LONG.saturating_sub(since(at))).await;
    let back = scene.town.link(node, true)?;
    returned(scene, node, at, back).await
}

/// A member that sends and does not hear.
pub(super) async fn deaf(scene: &mut Scene) -> Result<()> {
    one_way(scene, |faults, node| faults.deaf.insert(node)).await
}

/// A member that hears and cannot send.
pub(super) async fn mute(scene: &mut Scene) -> Result<()> {
    one_way(scene, |faults, node| faults.mute.insert(node)).await
}

async fn one_way(scene: &mut Scene, cut: fn(&mut Faults, usize) -> bool) -> Result<()> {
    let node = scene.town.any_running()?;
    let at = scene.town.network(|faults| {
        cut(faults, node);
    })?;
    sleep(if scene.extent.quick { SHORT } else { LONG }).await;
    let others = scene.town.others(node);
    let told = scene.town.all_tell(&others, Kind::NodeFailed, node, at, Duration::ZERO).await?;
    // It need not be told: one that is heard, or hears, may hold its place.
    if let Ok(last) = told {
        scene.outcome.bar(
            "who is cut off one way is known to all",
            TOLERATED_PAUSE + BEYOND,
            between(at, last),
        );
    }
    scene.town.network(|faults| *faults = Faults::default())?;
    if let Some(took) = scene.settles().await? {
        scene.outcome.bar("all see all again", BEYOND, took);
    }
    Ok(())
}
