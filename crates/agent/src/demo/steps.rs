//! The steps of the demo: join, broadcast, rest, crash, leave, return. Each step ends when every
//! member that should know its result does. Else it fails and names the members that do not.

use std::time::Duration;

use kinfolk::{NodeId, NodeState};
use tokio::time::Instant;

use super::awaited::{Awaited, EventKind};
use super::nodes::Nodes;
use super::runner::Runner;
use super::summary::{Summary, human, seconds};
use crate::cli::DemoArgs;
use crate::exit::{Failure, Status};
use crate::render::Tone;

/// The time limit of a step that needs only messages: far more than the slowest machine takes.
const STEP_LIMIT: Duration = Duration::from_mins(1);
/// How long gossip updates may still spread before the idle traffic is measured.
const QUIET_LIMIT: Duration = Duration::from_secs(20);
/// The text of the broadcast.
const MESSAGE: &str = "hello, kin";

/// Runs all steps, and prints the summary.
///
/// # Errors
/// A step failed, or a running member was declared failed.
pub(super) async fn run(args: &DemoArgs) -> Result<(), Failure> {
    let mut runner = Runner::open(args.nodes.into(), args.json)?;
    let mut summary = Summary { nodes: args.nodes.into(), ..Summary::default() };
    if let Err(failure) = run_steps(&mut runner, &mut summary, args).await {
        runner.close(&failure)?;
        return Err(failure);
    }
    let tally = runner.tally;
    summary.false_failures = tally.false_failures;
    summary.false_suspicions = tally.false_suspicions;
    summary.events_lost = tally.events_lost;
    summary.total_s = seconds(runner.began.elapsed());
    runner.screen.toned(Tone::Strong, "\nSummary")?;
    let paint = runner.screen.paint;
    for line in summary.render(paint).lines() {
        runner.screen.text(&format!("   {line}"))?;
    }
    runner.screen.object(&summary)?;
    for member in runner.nodes.running() {
        member.shutdown_now();
    }
    if tally.false_failures > 0 {
        // The failure detector was wrong, which happens if the machine has no CPU for seconds. What
        // to do: run the demo again with fewer members, or when the machine is less busy.
        let message = format!(
            "running members were declared failed {} times; check that this machine is not overloaded",
            tally.false_failures
        );
        return Err(Failure::new(Status::Failed, message));
    }
    Ok(())
}

async fn run_steps(runner: &mut Runner, summary: &mut Summary, args: &DemoArgs) -> Result<(), Failure> {
    let names = runner.names.clone();
    // Four different members, where there are as many: each step is about another one.
    let (first, last) = (&names[0], &names[names.len() - 1]);
    let crashing = &names[names.len() / 2];
    runner.screen.toned(
        Tone::Strong,
        &format!("Kinfolk demo: {} members in one process, over real QUIC connections", names.len()),
    )?;
    join(runner, summary).await?;
    broadcast(runner, summary, &names[1]).await?;
    rest(runner, summary, Duration::from_secs(args.watch.into())).await?;
    crash(runner, summary, crashing).await?;
    leave(runner, summary, last).await?;
    restart(runner, summary, names.len() / 2, first).await?;
    agree(runner, summary).await
}

async fn join(runner: &mut Runner, summary: &mut Summary) -> Result<(), Failure> {
    let names = runner.names.clone();
    let about = format!(
        "{} starts alone. Each other member knows only the address of {}, and learns of all members when it \
         joins. All traffic is QUIC. Each member shows a certificate with its name; a node without one cannot \
         connect.",
        names[0], names[0]
    );
    runner.begin("join", &format!("{} members join", names.len()), &about)?;
    // Times count from here: making the certificates is no part of the join.
    runner.began = Instant::now();
    let seed = runner.nodes.start(0)?;
    runner.announce(&format!("{} listens on {}", seed.id(), seed.addr()))?;
    let mut joining = Vec::new();
    for number in 1..names.len() {
        let member = runner.nodes.start(number)?;
        joining.push(Nodes::join(&member, &[seed.addr()]));
    }
    let others = &names[1..];
    runner.announce(&format!(
        "{} to {} start, and join through {}",
        others[0],
        others[others.len() - 1],
        seed.id()
    ))?;
    let pairs = names.iter().flat_map(|by| names.iter().map(|of| (by.clone(), of.clone())));
    let awaited = Awaited::new(EventKind::Joined, runner.began, pairs);
    let known = runner.wait(awaited, "joins seen", STEP_LIMIT).await?;
    for task in joining {
        let took = task.await.map_err(|error| runner.failed(&error.to_string()))??;
        summary.join_slowest_s = summary.join_slowest_s.max(seconds(took));
    }
    summary.join_s = known.last().map_or(0.0, |(at, _)| seconds(at));
    runner.announce(&format!(
        "all {} members know each other, {} after the first one started",
        names.len(),
        human(summary.join_s)
    ))?;
    runner.show_views()
}

async fn broadcast(runner: &mut Runner, summary: &mut Summary, sender: &NodeId) -> Result<(), Failure> {
    let about = "The sender sends its message to a few members. Each of them sends it to a few others (gossip). \
         So the work of the sender does not grow with the group.";
    runner.begin("broadcast", &format!("{sender} broadcasts a message"), about)?;
    let (since, member) = (Instant::now(), running(runner, sender)?);
    runner.announce(&format!("{sender} broadcasts \"{MESSAGE}\""))?;
    member.broadcast(MESSAGE).await.map_err(|error| runner.failed(&error.to_string()))?;
    let pairs = running_and(runner, sender);
    let awaited = Awaited::new(EventKind::Broadcast, since, pairs);
    let known = runner.wait(awaited, "members that received it", STEP_LIMIT).await?;
    let last = known.last().map_or(Duration::ZERO, |(at, _)| at);
    // Milliseconds, rounded to one decimal place.
    summary.broadcast_ms = (last.as_secs_f64() * 1e4).round() / 10.0;
    runner.announce(&format!("all members received it, the last one after {}", human(last.as_secs_f64())))
}

async fn rest(runner: &mut Runner, summary: &mut Summary, watch: Duration) -> Result<(), Failure> {
    let swim = runner.nodes.swim.clone();
    let about = format!(
        "Every {} s each member sends a probe to one other member, which must answer. A healthy group does nothing \
         else. This step measures the traffic, and counts false failures. It starts when all gossip updates are \
         sent, which takes up to {} s.",
        swim.probe_interval.as_secs_f64(),
        QUIET_LIMIT.as_secs()
    );
    runner.begin("rest", &format!("all members are idle for {} s", watch.as_secs()), &about)?;
    let is_quiet = |nodes: &Nodes| {
        let (quiet, all) = nodes.quiet();
        quiet == all
    };
    let spreading = |nodes: &Nodes| {
        let (quiet, all) = nodes.quiet();
        format!("members without gossip updates left to send: {quiet} of {all}")
    };
    runner.until(is_quiet, spreading, QUIET_LIMIT).await?;
    let began = Instant::now();
    runner
        .announce(&format!("all gossip updates are sent; the group is now idle for {} s", watch.as_secs()))?;
    let idle = |_: &Nodes| format!("all idle: {} of {} s", began.elapsed().as_secs(), watch.as_secs());
    runner.until(|_| began.elapsed() >= watch / 2, idle, watch * 2).await?;
    // Measure only the second half: in the first, some connections are new and cost extra traffic.
    let (since, before) = (Instant::now(), runner.nodes.sent());
    runner.until(|_| began.elapsed() >= watch, idle, watch * 2).await?;
    let (took, after) = (since.elapsed(), runner.nodes.sent());
    let rate =
        |sent: u64| (sent as f64 / took.as_secs_f64() / runner.names.len() as f64 * 10.0).round() / 10.0;
    summary.idle_s = seconds(took);
    summary.bytes_per_node_s = rate(after.0 - before.0);
    summary.datagrams_per_node_s = rate(after.1 - before.1);
    let failures = runner.tally.false_failures;
    runner.announce(&format!(
        "each member sent {:.0} bytes/s in {:.1} datagrams/s; false failures: {failures}",
        summary.bytes_per_node_s, summary.datagrams_per_node_s
    ))
}

async fn crash(runner: &mut Runner, summary: &mut Summary, victim: &NodeId) -> Result<(), Failure> {
    let swim = runner.nodes.swim.clone();
    let about = format!(
        "It stops without a message, as after kill -9, and the others must detect that. A member that probes it gets \
         no answer. That member checks whether the port of {victim} is closed, and asks up to {} witnesses to check \
         it too. If two of them find the port closed, {victim} is declared failed at once. If its host \
         did not respond at all, the verdict would wait for {} s.",
        swim.indirect_probes,
        swim.tolerated_pause.as_secs_f64()
    );
    runner.begin("crash", &format!("{victim} crashes"), &about)?;
    let member = runner.nodes.take(victim).ok_or_else(|| runner.failed("it does not run"))?;
    runner.crashed.insert(victim.clone());
    let since = Instant::now();
    member.shutdown_now();
    runner.announce(&format!("{victim} stopped without a message"))?;
    let awaited = Awaited::new(EventKind::Failed, since, running_and(runner, victim));
    // More than a verdict by silence takes: that comes within the tolerated pause and 3 s.
    let limit = swim.tolerated_pause * 2 + STEP_LIMIT;
    let known = runner.wait(awaited, &format!("members that know that {victim} failed"), limit).await?;
    summary.crashed(&known);
    runner.announce(&format!(
        "all {} survivors know it: the first one {} after the crash, the last one {}",
        runner.nodes.running().count(),
        human(summary.crash_first_s),
        human(summary.crash_last_s)
    ))?;
    runner.show_views()
}

async fn leave(runner: &mut Runner, summary: &mut Summary, leaver: &NodeId) -> Result<(), Failure> {
    let about = "It tells the others before it stops, so that no member has to detect a failure.";
    runner.begin("leave", &format!("{leaver} leaves"), about)?;
    let member = runner.nodes.take(leaver).ok_or_else(|| runner.failed("it does not run"))?;
    let since = Instant::now();
    runner.announce(&format!("{leaver} leaves and stops"))?;
    let leaving = Nodes::leave(member);
    let awaited = Awaited::new(EventKind::Left, since, running_and(runner, leaver));
    let known = runner.wait(awaited, &format!("members that saw {leaver} leave"), STEP_LIMIT).await?;
    let report = leaving.await.map_err(|error| runner.failed(&error.to_string()))?;
    summary.leave_last_s = known.last().map_or(0.0, |(at, _)| seconds(at));
    let took = seconds(report.phases.iter().map(|phase| phase.took).sum());
    runner.announce(&format!(
        "all members know it, the last one after {}; {leaver} had stopped after {}",
        human(summary.leave_last_s),
        human(took)
    ))
}

async fn restart(
    runner: &mut Runner,
    summary: &mut Summary,
    number: usize,
    seed: &NodeId,
) -> Result<(), Failure> {
    let name = runner.names[number].clone();
    let about = format!(
        "It has the same name and certificate, and a new port. Its incarnation, a number that only {name} itself may \
         raise, is higher than that of the failed instance. So the others accept it as alive again."
    );
    runner.begin("return", &format!("{name} starts again"), &about)?;
    let seed = running(runner, seed)?;
    let since = Instant::now();
    let member = runner.nodes.start(number)?;
    // From here on a failure of this member would be a false one again.
    runner.crashed.remove(&name);
    runner.announce(&format!("{name} listens on {}, and joins through {}", member.addr(), seed.id()))?;
    let joining = Nodes::join(&member, &[seed.addr()]);
    let mut pairs = running_and(runner, &name);
    pairs.extend(runner.nodes.running().map(|other| (name.clone(), other.id().clone())));
    let awaited = Awaited::new(EventKind::Joined, since, pairs);
    let known = runner.wait(awaited, &format!("joins of {name} and the others seen"), STEP_LIMIT).await?;
    joining.await.map_err(|error| runner.failed(&error.to_string()))??;
    summary.return_s = known.last().map_or(0.0, |(at, _)| seconds(at));
    runner.announce(&format!(
        "all members see {name}, and it sees all, {} after its start",
        human(summary.return_s)
    ))
}

/// Waits until all running members hold the same view: the running members are alive, and the
/// member that left has left.
async fn agree(runner: &mut Runner, summary: &mut Summary) -> Result<(), Failure> {
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
        runner.until(one_view, |_| "waiting for one view at all members".to_owned(), STEP_LIMIT).await?;
    if !summary.views_agree {
        return Err(runner.failed("the members do not hold the same view; see the last table"));
    }
    runner.announce(&format!("all {} members hold the same view", runner.nodes.running().count()))?;
    runner.show_views()
}

fn running(runner: &Runner, name: &NodeId) -> Result<kinfolk::Cluster, Failure> {
    runner.nodes.get(name).cloned().ok_or_else(|| runner.failed(&format!("{name} does not run")))
}

/// A pair of each running member and `of`: each is to see an event about `of`.
fn running_and(runner: &Runner, of: &NodeId) -> Vec<(NodeId, NodeId)> {
    runner.nodes.running().map(|by| (by.id().clone(), of.clone())).collect()
}
