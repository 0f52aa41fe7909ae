//! What the quorum costs: how soon all members know of a crash, for each number of accusers that a
//! failure needs. With 1, each member believes a single accuser. Also how long a liar can hide a
//! crash that vouches for the dead member, or accuses all others meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::signed::Kind;
use kinfolk_core::{Instant, Rng};
use kinfolk_swim::{Message, SwimConfig};

use super::super::{Bar, Row, Sample, Settings, Table, side_by_side};
use super::QUORUMS;
use crate::faults::{Fault, Step};
use crate::hostile::{Attack, Form, Schedule, Strategy, entitled_of};
use crate::node::NodeIndex;
use crate::scenario::Scenario;
use crate::seen::What;
use crate::world::World;

/// The time before the crash, which then comes within a cycle of probes.
const SETTLE: Duration = Duration::from_secs(10);
const CYCLE: Duration = Duration::from_secs(4);
/// After this time a crash counts as never known to all.
const LIMIT: Duration = Duration::from_mins(1);
/// How much later than with one accuser a crash may be known at the median.
const LATER_MAX: f64 = 0.1;
/// The quorums for which that is promised.
const PROMISED: [usize; 2] = [2, 3];
/// Within this time, in seconds, all honest members know of a crash, although a liar hides it.
/// It can vouch once to each watcher, which then needs a cycle of probes and the tolerated pause
/// again.
const HIDDEN_FOR: f64 = 30.0;

/// How a member ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    PortClosed,
    SilentHost,
    /// The same, and one of its watchers, a liar, says as a witness that it answers.
    PortClosedVouched,
    SilentHostVouched,
    /// The same, and the liar accuses all others each second.
    SilentHostAccused,
}

/// What a liar does when a member ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    Vouch,
    Accuse,
}

/// The times of one kind of end in groups of one size and quorum, in seconds.
pub(super) struct Outcome {
    end: End,
    nodes: usize,
    quorum: usize,
    runs: usize,
    known: Sample,
}

impl End {
    const ALL: [Self; 5] = [
        Self::PortClosed,
        Self::SilentHost,
        Self::PortClosedVouched,
        Self::SilentHostVouched,
        Self::SilentHostAccused,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::PortClosed => "crash, port closed",
            Self::SilentHost => "silent host",
            Self::PortClosedVouched => "crash, a liar vouches",
            Self::SilentHostVouched => "silent host, a liar vouches",
            Self::SilentHostAccused => "silent host, a liar accuses",
        }
    }

    fn lie(self) -> Option<Lie> {
        match self {
            Self::PortClosed | Self::SilentHost => None,
            Self::PortClosedVouched | Self::SilentHostVouched => Some(Lie::Vouch),
            Self::SilentHostAccused => Some(Lie::Accuse),
        }
    }
}

pub(super) fn measure(settings: &Settings) -> Vec<Outcome> {
    let sizes: &[usize] = settings.either(&[8, 32, 128], &[8, 32]);
    let seeds = settings.seeds(40, 10);
    let mut cells = Vec::new();
    for end in End::ALL {
        for nodes in sizes {
            cells.extend(QUORUMS.map(|quorum| (end, *nodes, quorum)));
        }
    }
    let jobs: Vec<_> = cells.iter().flat_map(|cell| (1..=seeds).map(move |seed| (*cell, seed))).collect();
    let mut runs =
        side_by_side(&jobs, |((end, nodes, quorum), seed)| run(*end, *nodes, *quorum, *seed)).into_iter();
    let per_cell = usize::try_from(seeds).unwrap_or(usize::MAX);
    let outcome = |(end, nodes, quorum)| {
        let known = runs.by_ref().take(per_cell).flatten().collect();
        Outcome { end, nodes, quorum, runs: per_cell, known }
    };
    cells.into_iter().map(outcome).collect()
}

/// The seconds until all members know of the end; `None` if some never do.
fn run(end: End, nodes: usize, quorum: usize, seed: u64) -> Option<f64> {
    let config = SwimConfig { accusers_required: quorum, flaps: None, ..SwimConfig::verified() };
    let mut world = World::light_preformed(&Scenario::bare(nodes, config), seed);
    let mut rng = Rng::from_seed(seed);
    let (node, at) = (NodeIndex(rng.below(nodes)), Instant::ORIGIN + SETTLE + CYCLE.mul_f64(rng.unit()));
    world.run_until(at);
    let liar = end.lie().map(|_| watcher_of(&world, node, nodes));
    let honest = nodes - usize::from(liar.is_some());
    let mut attack = match end.lie().zip(liar) {
        Some((Lie::Accuse, liar)) => Some(Attack::begin(&mut world, nodes, ACCUSES, &[liar], seed)),
        Some((Lie::Vouch, liar)) => {
            vouch(&mut world, liar);
            None
        }
        None => None,
    };
    world.act(&Step::Fault(match end {
        End::PortClosed | End::PortClosedVouched => Fault::Crash(node),
        End::SilentHost | End::SilentHostVouched | End::SilentHostAccused => Fault::Silence(node),
    }));
    let (mut know, mut known) = (BTreeSet::new(), None);
    let mut look = |world: &mut World| {
        for seen in world.take_seen() {
            let is_known = seen.subject == node && matches!(seen.what, What::Failed(_));
            let knows_now = is_known && Some(seen.node) != liar && know.insert(seen.node);
            if knows_now && know.len() == honest - 1 {
                known = Some(seen.at.since(at).as_secs_f64());
            }
        }
        know.len() == honest - 1
    };
    if let Some(attack) = &mut attack {
        attack.run(&mut world, LIMIT, |world, _| {
            look(world);
        });
    }
    while !look(&mut world) && world.now() < at + LIMIT {
        let next = world.now() + Duration::from_millis(100);
        world.run_until(next);
    }
    known
}

/// What the liar does that accuses.
const ACCUSES: Strategy = Strategy::Condemn(Form::Accusation, Schedule::EachSecond);

/// A watcher of this member, or another one that may watch it.
fn watcher_of(world: &World, node: NodeIndex, nodes: usize) -> NodeIndex {
    let watches = |other: &NodeIndex| *other != node && world.subjects(*other).contains(&node.id());
    let watcher = (0..nodes).map(NodeIndex).find(watches);
    watcher.or_else(|| entitled_of(node, nodes).pop()).unwrap_or(NodeIndex(0))
}

/// Makes this member a liar: it accuses nobody, and says of each member that it is asked to probe
/// that it answers.
fn vouch(world: &mut World, liar: NodeIndex) {
    world.corrupt(
        liar,
        Box::new(|_, asked| {
            let is_asked = matches!(asked, Message::PingReq { .. });
            let (stranger, differs, shift_ms, late_ms) = (false, false, 0, 0);
            is_asked.then(|| Message::Ack { stranger, differs, shift_ms, late_ms, gossip: Vec::new() })
        }),
    );
    world.tamper(liar, |message| message.retain(|item| item.kind() != Kind::Accusation));
}

pub(super) fn bars(outcomes: &[Outcome]) -> Vec<Bar> {
    let (hidden, outcomes): (Vec<&Outcome>, Vec<&Outcome>) =
        outcomes.iter().partition(|outcome| outcome.end.lie().is_some());
    vec![later_than_with_one(&outcomes), known_although_hidden(&hidden)]
}

fn known_although_hidden(outcomes: &[&Outcome]) -> Bar {
    let unknown: usize = outcomes.iter().map(|outcome| outcome.runs - outcome.known.len()).sum();
    let longest = outcomes.iter().filter_map(|outcome| outcome.known.max()).fold(0.0, f64::max);
    Bar::new(
        format!("one liar hides a crash from nobody for more than {HIDDEN_FOR} s"),
        format!("at most {longest:.1} s, {unknown} crashes unknown to some"),
        unknown == 0 && !outcomes.is_empty() && longest <= HIDDEN_FOR,
    )
}

fn later_than_with_one(outcomes: &[&Outcome]) -> Bar {
    let (mut latest, mut unknown, mut compared) = (f64::MIN, 0, 0);
    for outcome in outcomes.iter().filter(|outcome| PROMISED.contains(&outcome.quorum)) {
        let is_alike =
            |other: &&&Outcome| other.quorum == 1 && (other.end, other.nodes) == (outcome.end, outcome.nodes);
        let one = outcomes.iter().find(is_alike).and_then(|one| one.known.median());
        unknown += outcome.runs - outcome.known.len();
        if let Some((one, several)) = one.zip(outcome.known.median()) {
            latest = latest.max(several - one);
            compared += 1;
        }
    }
    Bar::new(
        format!(
            "2 or 3 accusers: a crash is known to all at most {LATER_MAX} s later than with 1, at the median"
        ),
        format!("at most {latest:.2} s later, {unknown} crashes unknown to some"),
        compared > 0 && unknown == 0 && latest <= LATER_MAX,
    )
}

pub(super) fn table(outcomes: &[Outcome]) -> Table {
    let columns = [
        ("end", "what ends"),
        ("nodes", "N"),
        ("quorum", "quorum"),
        ("runs", "runs"),
        ("known", "known to all"),
        ("median", "median, s"),
        ("p99", "p99, s"),
        ("max", "longest, s"),
    ];
    let text = "One member ends, at a random time of a probe cycle. The time until every other member has it as \
         failed, for each number of accusers that a failure needs. Mostly there is no liar. *A liar vouches*: one \
         of the dead member's watchers accuses nobody, and says as a witness that it answers. *A liar accuses*: it \
         accuses all others each second. Then the time until every honest member has the dead one as failed.";
    let mut table = Table::new("crash", "What the quorum costs", text, columns);
    for outcome in outcomes {
        let row = Row::new()
            .with("end", outcome.end.name())
            .with("nodes", outcome.nodes)
            .with("quorum", outcome.quorum)
            .with("runs", outcome.runs)
            .with("known", outcome.known.len())
            .real("median", outcome.known.median(), 2)
            .real("p99", outcome.known.percentile(99.0), 2)
            .real("max", outcome.known.max(), 2);
        table.push(row);
    }
    table
}
