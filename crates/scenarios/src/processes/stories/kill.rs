//! `kill -9`, again and again: each survivor tells each crash once, and nothing else.

use std::time::Duration;

use anyhow::Result;

use super::{Scene, between};
use crate::processes::outcome::{median, worst};
use crate::processes::told::Kind;
use crate::processes::town::DEADLINE;

const MEDIAN: Duration = Duration::from_millis(1_500);
const WORST: Duration = Duration::from_millis(3_500);

pub(super) async fn play(scene: &mut Scene) -> Result<()> {
    let mut known = Vec::new();
    // Each in its turn: one that fails again and again is told of as flapping, and no longer each time.
    let mut turns: Vec<usize> = scene.town.running().into_iter().collect();
    scene.town.rng.shuffle(&mut turns);
    for &node in turns.iter().cycle().take(scene.rounds(2, 20)) {
        let others = scene.town.others(node);
        let at = scene.town.kill(node).await?;
        let told = scene.town.all_tell(&others, Kind::NodeFailed, node, at, DEADLINE).await?;
        if let Some(last) = scene.outcome.must("a crash is told once by each", told) {
            known.push(between(at, last));
            scene.outcome.note("ms until each crash was known to all", last.saturating_sub(at));
        }
        let seeds = scene.town.seeds();
        scene.town.start(node, &seeds)?;
        scene.settles().await?;
    }
    scene.outcome.bar("a crash is known to every survivor (median)", MEDIAN, median(&known));
    scene.outcome.bar("a crash is known to every survivor (worst)", WORST, worst(&known));
    Ok(())
}
