//! The network loses every fifth packet: no member may be reported as failed.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::CaseRun;

const PERCENT: u8 = 20;
const SHORT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_mins(2);

pub(super) async fn run(run: &mut CaseRun) -> Result<()> {
    run.cluster.network(|faults| faults.loss_percent = PERCENT)?;
    sleep(if run.extent.quick { SHORT } else { LONG }).await;
    run.cluster.network(|faults| faults.loss_percent = 0)?;
    run.settles().await?;
    Ok(())
}
