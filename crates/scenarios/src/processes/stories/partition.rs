//! The members are cut into two halves. Each half comes to hold one view of itself; when the cut is mended, all hold one view
//! of all.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{Scene, since};
use crate::processes::faults::Nodes;
use crate::processes::town::TOLERATED_PAUSE;

const SHORT: Duration = Duration::from_secs(20);
/// For so long the verdicts are held back when half of the members fall silent at once.
const GRACE: Duration = Duration::from_secs(30);
const WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn play(scene: &mut Scene) -> Result<()> {
    let all: Vec<usize> = scene.town.running().into_iter().collect();
    let (left, right) = all.split_at(all.len() / 2);
    let (left, right): (Nodes, Nodes) = (left.iter().copied().collect(), right.iter().copied().collect());
    let sides = (left.clone(), right.clone());
    let at = scene.town.network(|faults| faults.partition = Some(sides))?;
    let lasts = if scene.extent.quick { SHORT } else { scene.extent.partition };
    if !scene.extent.quick {
        for (side, nodes) in [("the smaller side", &left), ("the larger side", &right)] {
            let settled = scene.town.settle_among(nodes, lasts.saturating_sub(since(at))).await?;
            if scene.outcome.must(&format!("{side} holds one view of itself"), settled).is_some() {
                let what = format!("{side} holds one view of itself (grace of 30 s included)");
                scene.outcome.bar(&what, GRACE + TOLERATED_PAUSE + WITHIN, since(at));
            }
        }
    }
    sleep(lasts.saturating_sub(since(at))).await;
    scene.town.network(|faults| faults.partition = None)?;
    if let Some(took) = scene.settles().await? {
        scene.outcome.bar("all hold one view of all after the repair", WITHIN, took);
    }
    for side in [&left, &right] {
        let told = scene.town.failures_among(side, at)?;
        let none = if told == 0 { Ok(()) } else { Err(format!("{told} times")) };
        scene.outcome.must("no side tells that one of its own members failed", none);
    }
    Ok(())
}
