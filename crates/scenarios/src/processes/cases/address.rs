//! A member is killed and comes back under its name at another address. All members take the new
//! one.

use std::time::Duration;

use anyhow::Result;

use super::CaseRun;
use crate::processes::view::Member;
const WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn run(run: &mut CaseRun) -> Result<()> {
    // The second one is a seed: the other members know it by more than the address of --join.
    for node in [run.cluster.size() - 1, 0] {
        run.cluster.kill(node).await?;
        run.cluster.renumber(node)?;
        let seeds = run.cluster.seeds();
        run.cluster.start(node, &seeds)?;
        if let Some(took) = run.settles().await? {
            run.outcome.bar("all see the member at its new address", WITHIN, took);
        }
        let (expected, name) = (run.cluster.agent(node).listens_at(), run.cluster.name(node));
        for other in run.cluster.running() {
            let view = run.cluster.agent(other).view().await?;
            let found = view.get(&name).map(Member::addr);
            if found.as_ref() != Some(&expected) {
                let by = run.cluster.name(other);
                run.outcome.broken.push(format!("{by} has {name} at {found:?} instead of {expected}"));
            }
        }
    }
    Ok(())
}
