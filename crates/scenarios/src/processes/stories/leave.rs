//! Members leave in good order: all others are told at once, and the process ends soon.

use std::time::Duration;

use anyhow::Result;

use super::{Scene, between};
use crate::processes::outcome::worst;
use crate::processes::told::Kind;
use crate::processes::town::DEADLINE;

const KNOWN: Duration = Duration::from_millis(300);
const GONE: Duration = Duration::from_secs(1);

pub(super) async fn play(scene: &mut Scene) -> Result<()> {
    let (mut known, mut gone) = (Vec::new(), Vec::new());
    for _ in 0..scene.rounds(1, 5) {
        let node = scene.town.any_running()?;
        let others = scene.town.others(node);
        let (at, took) = scene.town.leave(node).await?;
        let told = scene.town.all_tell(&others, Kind::NodeLeft, node, at, DEADLINE).await?;
        if let Some(last) = scene.outcome.must("a leave is told once by each", told) {
            known.push(between(at, last));
        }
        gone.push(took);
        let seeds = scene.town.seeds();
        scene.town.start(node, &seeds)?;
        scene.settles().await?;
    }
    scene.outcome.bar("a leave is known to all (worst)", KNOWN, worst(&known));
    scene.outcome.bar("who leaves has ended (worst)", GONE, worst(&gone));
    Ok(())
}
