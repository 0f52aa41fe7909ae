//! A member starts with one seed, given by a name at whose address nobody is; then the name gets another address. The member
//! joins without being told anything.

use std::time::Duration;

use anyhow::Result;

use super::Scene;
use crate::processes::agent::PORT;

/// The name of the seed.
const NAME: &str = "seed.kinfolk.test";
/// Seeds that are not in view are tried about each ten seconds, at the most fifteen, and each attempt takes its time.
const WITHIN: Duration = Duration::from_secs(25);

pub(super) async fn play(scene: &mut Scene) -> Result<()> {
    let (seed, newcomer) = (0, scene.town.size() - 1);
    scene.town.kill(newcomer).await?;
    scene.town.kill(seed).await?;
    scene.town.name_host(newcomer, NAME, seed)?;
    let by_name = [format!("{NAME}:{PORT}")];
    scene.town.start(newcomer, &by_name)?;
    let alone = scene.town.settle_among(&[newcomer].into(), super::DEADLINE).await?;
    scene.outcome.must("whoever finds no seed runs alone", alone);

    scene.town.renumber(seed)?;
    let seeds = scene.town.seeds();
    scene.town.start(seed, &seeds)?;
    scene.town.name_host(newcomer, NAME, seed)?;
    if let Some(took) = scene.settles().await? {
        scene.outcome.bar("the seed's name has another address: the member joins", WITHIN, took);
    }
    Ok(())
}
