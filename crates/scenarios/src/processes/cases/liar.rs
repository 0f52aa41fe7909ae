//! A process with a certificate of the cluster claims and accuses all agents failed, each second
//! and then each 10 ms. No agent believes it, and all name it.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::CaseRun;
use crate::processes::attack::Part;
use crate::processes::cluster::DEADLINE;
use crate::processes::event_history::{Kind, LoggedEvent};
use crate::processes::outcome::{millis, worst};

/// The name of the attacker.
const LIAR: &str = "liar";
/// How long the agents are watched after the attack.
const AFTERWARDS: Duration = Duration::from_secs(10);
/// An agent may use this part of a core during the attack.
const CORE_MAX: f64 = 0.2;

pub(super) async fn run(run: &mut CaseRun) -> Result<()> {
    let mut attacker = run.cluster.start_attacker(LIAR)?;
    attacker.begins(Part::EachSecond, DEADLINE).await?;
    let (begun, before) = (Instant::now(), cpu_times(run)?);
    let quiet = anonymous_kib(run)?;
    attacker.begins(Part::Flood, DEADLINE).await?;
    let (flooded, between) = (Instant::now(), cpu_times(run)?);
    attacker.begins(Part::Over, DEADLINE).await?;
    let (over, after) = (Instant::now(), cpu_times(run)?);
    attacker.ends(DEADLINE).await?;
    for (before, after) in quiet.into_iter().zip(anonymous_kib(run)?) {
        run.outcome.note("KiB of anonymous memory of each agent before the lies", before);
        run.outcome.note("KiB of anonymous memory that the lies added", after.saturating_sub(before));
    }
    figures(run, "each second", &before, &between, flooded - begun);
    figures(run, "each 10 ms", &between, &after, over - flooded);
    let what = "the CPU time of an agent in the whole attack (worst)";
    run.outcome.bar(what, (over - begun).mul_f64(CORE_MAX), worst(&used(&before, &after)));
    sleep(AFTERWARDS).await;
    named(run)?;
    // The liar has left, so each view must hold exactly the agents.
    run.settles().await?;
    Ok(())
}

/// Requires that the event log of each agent names the liar, and no agent.
fn named(run: &mut CaseRun) -> Result<()> {
    for node in run.cluster.running() {
        let by = run.cluster.name(node);
        let events = run.cluster.agent(node).events()?.iter();
        let distrusted = events.filter(|event| event.kind == Kind::MemberDistrusted);
        let names: Vec<String> = distrusted.map(|event| event.subject.clone()).collect();
        if names.is_empty() || names.iter().any(|name| name != LIAR) {
            run.outcome.broken.push(format!("{by} distrusts {names:?}, not the liar alone"));
        }
        let is_shown = |event: &&LoggedEvent| event.kind == Kind::NodeSuspected && event.subject != LIAR;
        let suspicions = run.cluster.agent(node).events()?.iter().filter(is_shown).count();
        run.outcome.note("suspicions that each agent reported", suspicions as u64);
    }
    Ok(())
}

/// The CPU time of each agent so far.
fn cpu_times(run: &mut CaseRun) -> Result<Vec<Duration>> {
    run.cluster.running().into_iter().map(|node| run.cluster.agent(node).cpu_time()).collect()
}

/// The memory that each agent has allocated.
fn anonymous_kib(run: &mut CaseRun) -> Result<Vec<u64>> {
    let running = run.cluster.running();
    running.into_iter().map(|node| Ok(run.cluster.agent(node).usage()?.anonymous_kib)).collect()
}

fn used(before: &[Duration], after: &[Duration]) -> Vec<Duration> {
    before.iter().zip(after).map(|(before, after)| after.saturating_sub(*before)).collect()
}

/// Notes the part of a core that each agent used in this time, in thousandths.
fn figures(run: &mut CaseRun, what: &str, before: &[Duration], after: &[Duration], time: Duration) {
    for used in used(before, after) {
        let thousandths = millis(used) * 1_000 / millis(time).max(1);
        run.outcome.note(&format!("thousandths of a core of each agent, lies {what}"), thousandths);
    }
}
