//! The story, step by step: join, broadcast, rest, crash, leave, return. Each step ends when every member that should
//! know of it does, or fails with who does not.

use std::time::Duration;

use kinfolk::{NodeId, NodeState};
use tokio::time::Instant;

use super::awaited::{Awaited, Sight};
use super::nodes::Nodes;
use super::stage::Stage;
use super::summary::{Summary, seconds, spoken};
use crate::cli::DemoArgs;
use crate::exit::{Failure, Status};
use crate::render::Tone;

/// How long a step may take that needs nothing but messages: far beyond what the slowest machine takes.
const STEP_LIMIT: Duration = Duration::from_mins(1);
/// How long news may still be on their way before rest is measured.
const CALM_LIMIT: Duration = Duration::from_secs(20);
/// What is broadcast.
const HELLO: &str = "hello, kin";

/// Tells the whole story.
///
/// # Errors
/// A step did not happen, or a member that ran was declared failed.
pub(super) async fn tell(args: &DemoArgs) -> Result<(), Failure> {
    let mut stage = Stage::open(args.nodes.into(), args.json)?;
    let mut summary = Summary { nodes: args.nodes.into(), ..Summary::default() };
    if let Err(failure) = play(&mut stage, &mut summary, args).await {
        stage.close(&failure)?;
        return Err(failure);
    }
    let tally = stage.tally;
    summary.false_failures = tally.false_failures;
    summary.false_suspicions = tally.false_suspicions;
    summary.events_lost = tally.events_lost;
    summary.total_s = seconds(stage.began.elapsed());
    stage.screen.toned(Tone::Strong, "\nSummary")?;
    let paint = stage.screen.paint;
    for line in summary.render(paint).lines() {
        stage.screen.text(&format!("   {line}"))?;
    }
    stage.screen.object(&summary)?;
    for member in stage.nodes.running() {
        member.shutdown_now();
    }
    if tally.false_failures > 0 {
        let message = format!(
            "members that ran were declared failed ({} times): is this machine overloaded?",
            tally.false_failures
        );
        return Err(Failure::new(Status::Failed, message));
    }
    Ok(())
}

async fn play(stage: &mut Stage, summary: &mut Summary, args: &DemoArgs) -> Result<(), Failure> {
    let names = stage.names.clone();
    let (first, last) = (&names[0], &names[names.len() - 1]);
    let crashing = &names[names.len() / 2];
    stage.screen.toned(Tone::Strong, "Kinfolk: a group that agrees on who belongs to it and who is alive")?;
    join(stage, summary).await?;
    broadcast(stage, summary, &names[1]).await?;
    rest(stage, summary, Duration::from_secs(args.watch.into())).await?;
    crash(stage, summary, crashing).await?;
    leave(stage, summary, last).await?;
    come_back(stage, summary, names.len() / 2, first).await?;
    agree(stage, summary).await
}

async fn join(stage: &mut Stage, summary: &mut Summary) -> Result<(), Failure> {
    let names = stage.names.clone();
    let about = format!(
        "{} starts alone. The others are given its address and nothing else; whoever joins learns of all. \
         All talk over QUIC, and each shows a certificate with its name: nobody gets in without one.",
        names[0]
    );
    stage.begin("join", &format!("{} members find each other", names.len()), &about)?;
    stage.began = Instant::now();
    let seed = stage.nodes.start(0)?;
    stage.say(&format!("{} listens on {}", seed.id(), seed.addr()))?;
    let mut joining = Vec::new();
    for number in 1..names.len() {
        let member = stage.nodes.start(number)?;
        joining.push(Nodes::join(&member, &[seed.addr()]));
    }
    let others = &names[1..];
    stage.say(&format!("{}..{} start and join through it", others[0], others[others.len() - 1]))?;
    let pairs = names.iter().flat_map(|by| names.iter().map(|of| (by.clone(), of.clone())));
    let awaited = Awaited::new(Sight::Joined, stage.began, pairs);
    let known = stage.wait(awaited, "members know each other", STEP_LIMIT).await?;
    for task in joining {
        let took = task.await.map_err(|error| stage.failed(&error.to_string()))??;
        summary.join_slowest_s = summary.join_slowest_s.max(seconds(took));
    }
    summary.join_s = known.last().map_or(0.0, |(at, _)| seconds(at));
    stage.say(&format!(
        "all {} know each other, {:.3} s after the first one started",
        names.len(),
        summary.join_s
    ))?;
    stage.show_views()
}

async fn broadcast(stage: &mut Stage, summary: &mut Summary, sender: &NodeId) -> Result<(), Failure> {
    let about = "The message goes to a few members, each of which passes it on to a few others: gossip. That way \
         the sender's work stays the same however large the group is.";
    stage.begin("broadcast", &format!("{sender} says something to all"), about)?;
    let (since, member) = (Instant::now(), running(stage, sender)?);
    stage.say(&format!("{sender} broadcasts \"{HELLO}\""))?;
    member.broadcast(HELLO).await.map_err(|error| stage.failed(&error.to_string()))?;
    let pairs = about_one(stage, sender);
    let awaited = Awaited::new(Sight::Broadcast, since, pairs);
    let known = stage.wait(awaited, "members have read it", STEP_LIMIT).await?;
    let last = known.last().map_or(Duration::ZERO, |(at, _)| at);
    summary.broadcast_ms = (last.as_secs_f64() * 1e4).round() / 10.0;
    stage.say(&format!("all have read it, the last one after {}", spoken(last.as_secs_f64())))
}

async fn rest(stage: &mut Stage, summary: &mut Summary, watch: Duration) -> Result<(), Failure> {
    let swim = stage.nodes.swim.clone();
    let about = format!(
        "Every {} s each member probes one other, to see whether it still answers. That is all that happens \
         in a healthy group; here is what it costs, and whether anybody is wrongly accused. It begins when the last \
         updates have been passed on, which takes up to {} s.",
        swim.probe_interval.as_secs_f64(),
        CALM_LIMIT.as_secs()
    );
    stage.begin("rest", &format!("Nothing happens for {} s", watch.as_secs()), &about)?;
    let is_quiet = |nodes: &Nodes| {
        let (quiet, all) = nodes.quiet();
        quiet == all
    };
    let spreading = |nodes: &Nodes| {
        let (quiet, all) = nodes.quiet();
        format!("members that have passed on all updates: {quiet} of {all}")
    };
    stage.until(is_quiet, spreading, CALM_LIMIT).await?;
    let began = Instant::now();
    stage.say(&format!("the last updates are passed on; now nothing happens for {} s", watch.as_secs()))?;
    let resting = |_: &Nodes| format!("all rest: {} of {} s", began.elapsed().as_secs(), watch.as_secs());
    stage.until(|_| began.elapsed() >= watch / 2, resting, watch * 2).await?;
    // Measured from here on: before, some connections were still new, which costs traffic of its own.
    let (since, before) = (Instant::now(), stage.nodes.sent());
    stage.until(|_| began.elapsed() >= watch, resting, watch * 2).await?;
    let (took, after) = (since.elapsed(), stage.nodes.sent());
    let rate =
        |sent: u64| (sent as f64 / took.as_secs_f64() / stage.names.len() as f64 * 10.0).round() / 10.0;
    summary.idle_s = seconds(took);
    summary.bytes_per_node_s = rate(after.0 - before.0);
    summary.datagrams_per_node_s = rate(after.1 - before.1);
    let failures = stage.tally.false_failures;
    stage.say(&format!(
        "each member sent {:.0} bytes a second, in {:.1} datagrams; false failures: {failures}",
        summary.bytes_per_node_s, summary.datagrams_per_node_s
    ))
}

async fn crash(stage: &mut Stage, summary: &mut Summary, victim: &NodeId) -> Result<(), Failure> {
    let swim = stage.nodes.swim.clone();
    let about = format!(
        "It gets no chance to say so, as if it were killed: the others have to find out. Who watches it misses an \
         answer, asks its host whether anybody still listens at its port, and asks up to {} witnesses to try as well. \
         Where two hear that the port is closed, it is declared failed at once. A host that says nothing at all would be \
         given {} s.",
        swim.indirect_probes,
        swim.tolerated_pause.as_secs_f64()
    );
    stage.begin("crash", &format!("{victim} crashes"), &about)?;
    let member = stage.nodes.take(victim).ok_or_else(|| stage.failed("it does not run"))?;
    stage.crashed.insert(victim.clone());
    let since = Instant::now();
    member.shutdown_now();
    stage.say(&format!("{victim} is gone without a word"))?;
    let awaited = Awaited::new(Sight::Failed, since, about_one(stage, victim));
    let limit = swim.tolerated_pause * 2 + STEP_LIMIT;
    let known = stage.wait(awaited, &format!("members know that {victim} failed"), limit).await?;
    summary.crashed(&known);
    stage.say(&format!(
        "all {} survivors know: the first one {} after the crash, the last one {}",
        stage.nodes.running().count(),
        spoken(summary.crash_first_s),
        spoken(summary.crash_last_s)
    ))?;
    stage.show_views()
}

async fn leave(stage: &mut Stage, summary: &mut Summary, leaver: &NodeId) -> Result<(), Failure> {
    let about = "It tells the others before it stops, so that nobody needs to suspect anything.";
    stage.begin("leave", &format!("{leaver} leaves"), about)?;
    let member = stage.nodes.take(leaver).ok_or_else(|| stage.failed("it does not run"))?;
    let since = Instant::now();
    stage.say(&format!("{leaver} leaves and stops"))?;
    let leaving = Nodes::leave(member);
    let awaited = Awaited::new(Sight::Left, since, about_one(stage, leaver));
    let known = stage.wait(awaited, &format!("members saw {leaver} leave"), STEP_LIMIT).await?;
    let report = leaving.await.map_err(|error| stage.failed(&error.to_string()))?;
    summary.leave_last_s = known.last().map_or(0.0, |(at, _)| seconds(at));
    let took = seconds(report.phases.iter().map(|phase| phase.took).sum());
    stage.say(&format!(
        "all know, the last one after {}; {leaver} was stopped after {}",
        spoken(summary.leave_last_s),
        spoken(took)
    ))
}

async fn come_back(
    stage: &mut Stage,
    summary: &mut Summary,
    number: usize,
    seed: &NodeId,
) -> Result<(), Failure> {
    let name = stage.names[number].clone();
    let about = "It has the same name and certificate, and another port. Its incarnation, a number that only it may \
         raise, is higher than the one that failed: so the others believe it, and not the old news.";
    stage.begin("return", &format!("{name} starts again"), about)?;
    let seed = running(stage, seed)?;
    let since = Instant::now();
    let member = stage.nodes.start(number)?;
    stage.crashed.remove(&name);
    stage.say(&format!("{name} listens on {} and joins through {}", member.addr(), seed.id()))?;
    let joining = Nodes::join(&member, &[seed.addr()]);
    let mut pairs = about_one(stage, &name);
    pairs.extend(stage.nodes.running().map(|other| (name.clone(), other.id().clone())));
    let awaited = Awaited::new(Sight::Joined, since, pairs);
    let known = stage.wait(awaited, &format!("{name} and the others see each other"), STEP_LIMIT).await?;
    joining.await.map_err(|error| stage.failed(&error.to_string()))??;
    summary.return_s = known.last().map_or(0.0, |(at, _)| seconds(at));
    stage.say(&format!("all see it again, and it sees all, {} after its start", spoken(summary.return_s)))
}

/// All members that run hold the same view: those that run are alive, and whoever left has left.
async fn agree(stage: &mut Stage, summary: &mut Summary) -> Result<(), Failure> {
    let one_view = |nodes: &Nodes| {
        let mut views = nodes.running().map(|member| {
            let snapshot = member.members();
            let verdicts =
                snapshot.nodes().iter().map(|node| (node.id.clone(), node.state, node.incarnation));
            verdicts.collect::<Vec<_>>()
        });
        let first = views.next().unwrap_or_default();
        let is_right =
            first.iter().all(|(id, state, _)| (*state == NodeState::Alive) == nodes.get(id).is_some());
        is_right && views.all(|view| view == first)
    };
    summary.views_agree =
        stage.until(one_view, |_| "until all hold the same view".to_owned(), STEP_LIMIT).await?;
    if !summary.views_agree {
        return Err(stage.failed("the members do not hold one view; see the last table"));
    }
    stage.say(&format!("all {} hold the same view", stage.nodes.running().count()))?;
    stage.show_views()
}

fn running(stage: &Stage, name: &NodeId) -> Result<kinfolk::Cluster, Failure> {
    stage.nodes.get(name).cloned().ok_or_else(|| stage.failed(&format!("{name} does not run")))
}

/// Everybody that runs is to see something of one member.
fn about_one(stage: &Stage, of: &NodeId) -> Vec<(NodeId, NodeId)> {
    stage.nodes.running().map(|by| (by.id().clone(), of.clone())).collect()
}
