//! A member is killed and comes back under its name at another address: all take the new one.

use std::time::Duration;

use anyhow::Result;

use super::Scene;
use crate::processes::view::Member;

const WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn play(scene: &mut Scene) -> Result<()> {
    // A seed too: the others go on knowing it by what they have learned.
    for node in [scene.town.size() - 1, 0] {
        scene.town.kill(node).await?;
        scene.town.renumber(node)?;
        let seeds = scene.town.seeds();
        scene.town.start(node, &seeds)?;
        if let Some(took) = scene.settles().await? {
            scene.outcome.bar("all see the member at its new address", WITHIN, took);
        }
        let (expected, name) = (scene.town.agent(node).listens_at(), scene.town.name(node));
        for other in scene.town.running() {
            let view = scene.town.agent(other).view().await?;
            let found = view.get(&name).map(Member::addr);
            if found.as_ref() != Some(&expected) {
                let by = scene.town.name(other);
                scene.outcome.broken.push(format!("{by} has {name} at {found:?} instead of {expected}"));
            }
        }
    }
    Ok(())
}
