//! A member starts with one seed, given as a host name. At its address there is no member. Then the
//! name gets another address, and the member joins by itself.

use std::time::Duration;

use anyhow::Result;

use super::CaseRun;
use crate::processes::agent::PORT;

/// The host name of the seed.
const NAME: &str = "seed.kinfolk.test";
/// Seeds that are not in the view are contacted about every 10 s, at most 15 s apart. The rest is
/// for the attempt itself.
const WITHIN: Duration = Duration::from_secs(25);

pub(super) async fn run(run: &mut CaseRun) -> Result<()> {
    let (seed, newcomer) = (0, run.cluster.size() - 1);
    run.cluster.kill(newcomer).await?;
    run.cluster.kill(seed).await?;
    run.cluster.name_host(newcomer, NAME, seed)?;
    let by_name = [format!("{NAME}:{PORT}")];
    run.cluster.start(newcomer, &by_name)?;
    let alone = run.cluster.settle_among(&[newcomer].into(), super::DEADLINE).await?;
    run.outcome.must("a member that reaches no seed runs alone", alone);

    run.cluster.renumber(seed)?;
    let seeds = run.cluster.seeds();
    run.cluster.start(seed, &seeds)?;
    run.cluster.name_host(newcomer, NAME, seed)?;
    if let Some(took) = run.settles().await? {
        run.outcome.bar("the seed's name has another address: the member joins", WITHIN, took);
    }
    Ok(())
}
