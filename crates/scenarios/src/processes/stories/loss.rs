//! A network that loses every fifth packet: nobody is told to have failed.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Scene;

const PERCENT: u8 = 20;
const SHORT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_mins(2);

pub(super) async fn play(scene: &mut Scene) -> Result<()> {
    scene.town.network(|faults| faults.loss_percent = PERCENT)?;
    sleep(if scene.extent.quick { SHORT } else { LONG }).await;
    scene.town.network(|faults| faults.loss_percent = 0)?;
    scene.settles().await?;
    Ok(())
}
