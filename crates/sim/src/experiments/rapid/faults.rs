//! E8 and E9: ten of a thousand members go bad. Whether they are out of every view, how soon, and whether they stay out;
//! whether anybody healthy goes too; and what it costs.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::{Instant, Rng};

use super::super::large::Mode;
use super::super::{Row, Sample, Settings, Table, side_by_side};
use crate::faults::{Fault, Script};
use crate::node::NodeIndex;
use crate::seen::{Seen, What};
use crate::traffic::Traffic;
use crate::world::World;

/// The group, and how many of it go bad.
const NODES: usize = 1_000;
const NODES_QUICK: usize = 100;
const BAD: usize = 10;
/// When they do: the group has formed, and its timers have drifted apart.
const BEGIN: Duration = Duration::from_secs(30);
/// For how long it is watched after that.
const WATCHED: Duration = Duration::from_mins(5);
/// Within this time the bad ones are to be out.
pub(super) const OUT_WITHIN: Duration = Duration::from_mins(1);
/// How long the loss that comes and goes lasts, and how long it is away.
const FLAP: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

/// What happens to the bad ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Crash,
    Flapping,
    Ingress,
    Egress,
}

impl Case {
    pub(super) const ALL: [Self; 4] = [Self::Crash, Self::Flapping, Self::Ingress, Self::Egress];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crash => "10 crash at once",
            Self::Flapping => "ingress cut, 20 s on, 20 s off",
            Self::Ingress => "80 % ingress loss",
            Self::Egress => "80 % egress loss",
        }
    }

    fn published(self) -> [(&'static str, &'static str); 3] {
        match self {
            Self::Crash => [
                ("ZooKeeper", "many views"),
                ("memberlist", "many views, about 10 s earlier than Rapid"),
                ("Rapid", "all out in one view change"),
            ],
            Self::Flapping => [
                ("ZooKeeper", "no reaction"),
                ("memberlist", "never all out, oscillates, views differ"),
                ("Rapid", "all out, once"),
            ],
            // The text drops what goes out, the caption what comes in.
            Self::Ingress | Self::Egress => [
                ("ZooKeeper", "partial, after 200 s"),
                ("memberlist", "never conclusive, views differ"),
                ("Rapid", "exactly the 10 out"),
            ],
        }
    }

    fn script(self, bad: &[NodeIndex], script: &mut Script) {
        for node in bad.iter().copied() {
            match self {
                Self::Crash => script.fault(BEGIN, Fault::Crash(node)),
                Self::Ingress => script.fault(BEGIN, Fault::Ingress { node, loss: 0.8 }),
                Self::Egress => script.fault(BEGIN, Fault::Egress { node, loss: 0.8 }),
                Self::Flapping => {
                    let changes = (0..).map(|flap| FLAP * flap).take_while(|after| *after < WATCHED);
                    for (after, loss) in changes.zip([1.0, 0.0].into_iter().cycle()) {
                        script.fault(BEGIN + after, Fault::Ingress { node, loss });
                    }
                }
            }
        }
    }
}

/// What the healthy members believe of the bad ones and of each other.
struct Verdicts {
    bad: BTreeSet<NodeIndex>,
    nodes: usize,
    /// Who holds whom of the bad ones for gone.
    out: BTreeSet<(NodeIndex, NodeIndex)>,
    first: Option<Instant>,
    /// When all had all of them out for the first time.
    all_out: Option<Instant>,
    /// How often one of them came back into a view that it was out of.
    returns: u64,
    /// Who of the healthy was declared failed by somebody healthy, and in how many views in all.
    evicted: BTreeSet<NodeIndex>,
    evictions: u64,
}

impl Verdicts {
    fn new(nodes: usize, bad: &[NodeIndex]) -> Self {
        Self {
            bad: bad.iter().copied().collect(),
            nodes,
            out: BTreeSet::new(),
            first: None,
            all_out: None,
            returns: 0,
            evicted: BTreeSet::new(),
            evictions: 0,
        }
    }

    fn take(&mut self, seen: &Seen) {
        let Seen { at, node, subject, what } = *seen;
        if self.bad.contains(&node) {
            return;
        }
        let gone = matches!(what, What::Failed(_) | What::Left);
        if self.bad.contains(&subject) {
            if gone {
                self.first.get_or_insert(at);
                self.out.insert((node, subject));
                if self.share_out() >= 1.0 {
                    self.all_out.get_or_insert(at);
                }
            } else if what == What::Joined {
                self.returns += u64::from(self.out.remove(&(node, subject)));
            }
        } else if gone {
            self.evicted.insert(subject);
            self.evictions += 1;
        }
    }

    /// The share of the views of bad members by healthy ones in which they are out now.
    fn share_out(&self) -> f64 {
        self.out.len() as f64 / ((self.nodes - self.bad.len()) * self.bad.len()) as f64
    }
}

/// One run; times in seconds from the fault on.
struct Run {
    first: Option<f64>,
    all_out: Option<f64>,
    returns: u64,
    /// The least share out, at the end of any second once they are to be out.
    share_out_min: f64,
    evicted: usize,
    evictions: u64,
    sizes: usize,
    /// Bytes that each healthy node received and sent in each second.
    received: Vec<f64>,
    sent: Vec<f64>,
}

fn run(mode: &Mode, case: Case, nodes: usize, seed: u64) -> Run {
    let mut all: Vec<_> = (0..nodes).map(NodeIndex).collect();
    Rng::from_seed(seed).shuffle(&mut all);
    let (bad, healthy) = all.split_at(BAD.min(nodes / 3));
    let mut scenario = mode.group(nodes);
    case.script(bad, &mut scenario.script);
    let mut world = World::light_preformed(&scenario, seed);
    let begin = Instant::ORIGIN + BEGIN;
    world.run_until(begin);
    let mut verdicts = Verdicts::new(nodes, bad);
    let (mut sizes, mut share_out_min) = (BTreeSet::new(), 1.0_f64);
    let mut before: Vec<Traffic> = healthy.iter().map(|node| world.traffic(*node)).collect();
    let (mut received, mut sent) = (Vec::new(), Vec::new());
    for second in (1..).take_while(|second| SECOND * *second <= WATCHED) {
        world.run_until(begin + SECOND * second);
        world.take_seen().iter().for_each(|seen| verdicts.take(seen));
        if SECOND * second >= OUT_WITHIN {
            share_out_min = share_out_min.min(verdicts.share_out());
        }
        for (node, before) in healthy.iter().zip(&mut before) {
            sizes.extend(world.registry(*node).map(|registry| registry.member_count()));
            let now = world.traffic(*node);
            let passed = now - std::mem::replace(before, now);
            received.push(passed.bytes_received as f64);
            sent.push(passed.bytes_sent as f64);
        }
    }
    let after = |at: Option<Instant>| at.map(|at| at.since(begin).as_secs_f64());
    Run {
        first: after(verdicts.first),
        all_out: after(verdicts.all_out),
        returns: verdicts.returns,
        share_out_min,
        evicted: verdicts.evicted.len(),
        evictions: verdicts.evictions,
        sizes: sizes.len(),
        received,
        sent,
    }
}

/// What came of one case in one mode, all seeds together.
pub(super) struct Outcome {
    pub case: Case,
    pub mode: &'static str,
    nodes: usize,
    runs: Vec<Run>,
}

pub(super) fn measure(modes: &[Mode], settings: &Settings) -> Vec<Outcome> {
    let seeds = settings.seeds(2, 1);
    let nodes = settings.either(NODES, NODES_QUICK);
    let cells: Vec<_> =
        Case::ALL.into_iter().flat_map(|case| modes.iter().map(move |mode| (case, mode))).collect();
    let jobs: Vec<_> = cells.iter().flat_map(|cell| (1..=seeds).map(move |seed| (*cell, seed))).collect();
    let mut runs = side_by_side(&jobs, |((case, mode), seed)| run(mode, *case, nodes, *seed)).into_iter();
    let per_cell = usize::try_from(seeds).unwrap_or(usize::MAX);
    let outcome = |(case, mode): (Case, &Mode)| Outcome {
        case,
        mode: mode.name,
        nodes,
        runs: runs.by_ref().take(per_cell).collect(),
    };
    cells.into_iter().map(outcome).collect()
}

impl Outcome {
    /// In how many runs the bad ones were out in time, and stayed out.
    fn conclusive(&self) -> usize {
        let in_time = |run: &&Run| {
            run.all_out.is_some_and(|at| at <= OUT_WITHIN.as_secs_f64()) && run.share_out_min >= 1.0
        };
        self.runs.iter().filter(in_time).count()
    }

    fn all_out(&self) -> Sample {
        self.runs.iter().filter_map(|run| run.all_out).collect()
    }

    fn evicted(&self) -> usize {
        self.runs.iter().map(|run| run.evicted).sum()
    }

    /// Whether every run did as promised.
    pub(super) fn is_met(&self) -> bool {
        self.conclusive() == self.runs.len() && self.evicted() == 0
    }

    /// What came out, in words.
    pub(super) fn found(&self) -> String {
        let (runs, worst) = (self.runs.len(), self.all_out().max());
        let worst = worst
            .map_or_else(|| "never all out".to_owned(), |at| format!("all out after {at:.1} s at the worst"));
        format!("{} of {runs} runs; {worst}; {} healthy members evicted", self.conclusive(), self.evicted())
    }

    fn row(&self) -> Row {
        let of = |value: fn(&Run) -> f64| self.runs.iter().map(value).collect::<Sample>();
        Row::new()
            .with("case", self.case.name())
            .with("system", self.mode)
            .with("runs", self.runs.len())
            .real("first", self.runs.iter().filter_map(|run| run.first).collect::<Sample>().median(), 1)
            .with("ever_out", self.all_out().len())
            .real("all_out", self.all_out().median(), 1)
            .real("all_out_max", self.all_out().max(), 1)
            .with("conclusive", self.conclusive())
            .real("share_out_min", of(|run| run.share_out_min * 100.0).mean(), 1)
            .real("returns", of(|run| run.returns as f64).mean(), 0)
            .with("evicted", self.evicted())
            .with("evictions", self.runs.iter().map(|run| run.evictions).sum::<u64>())
            .real("sizes", of(|run| run.sizes as f64).mean(), 1)
    }
}

pub(super) fn table(found: &[Outcome]) -> Table {
    let columns = [
        ("case", "case"),
        ("system", "system"),
        ("published", "published"),
        ("all_out", "all out, s"),
        ("all_out_max", "worst, s"),
        ("conclusive", "in 60 s and stay"),
        ("runs", "of runs"),
        ("share_out_min", "least out after 60 s, %"),
        ("returns", "returns"),
        ("evicted", "healthy evicted"),
        ("sizes", "sizes seen"),
    ];
    let nodes = found.first().map_or(NODES, |one| one.nodes);
    let text = format!(
        "{nodes} members that have formed a group; after 30 s {} of them go bad, and all is watched for 5 minutes. *All out*: \
         from the fault until every healthy member holds every bad one for failed, median and worst of the runs in which \
         that came about. *In 60 s and stay*: in so many runs it came about within a minute, and held at the end of every \
         later second. *Least out*: of all views that healthy members have of bad ones, the share in which those are out, at \
         the worst second after the first minute. *Returns*: how often a bad one came back into a view, a run. *Healthy \
         evicted*: how many healthy members any healthy one declared failed, all runs together. *Sizes seen*: distinct \
         sizes that healthy members report, once a second, a run.",
        BAD.min(nodes / 3)
    );
    let mut table = Table::new("faults", "E8: ten bad members of a thousand", text, columns);
    for case in Case::ALL {
        for (system, published) in case.published() {
            table.push(
                Row::new().with("case", case.name()).with("system", system).with("published", published),
            );
        }
        found.iter().filter(|one| one.case == case).for_each(|one| table.push(one.row()));
    }
    table
}

/// E9, from the runs of the crash.
pub(super) fn cost(found: &[Outcome]) -> Table {
    let columns = [
        ("system", "system"),
        ("received", "received, mean"),
        ("received_p99", "p99"),
        ("received_max", "max"),
        ("sent", "sent, mean"),
        ("sent_p99", "p99"),
        ("sent_max", "max"),
    ];
    let text = "KB a second (1,000 bytes) that a process receives and sends in the crash's runs: mean, 99th percentile and \
                highest of all processes and seconds. Published figures are of whole packets; ours are of messages as \
                encoded, without what QUIC, UDP and IP add to each.";
    let mut table = Table::new("cost", "E9: what it costs", text, columns);
    let published = [
        ("ZooKeeper (published)", [0.43, 17.5, 38.9], [0.01, 0.33, 0.67]),
        ("memberlist (published)", [0.54, 5.61, 7.36], [0.64, 6.40, 8.04]),
        ("Rapid (published)", [0.71, 3.66, 9.56], [0.71, 3.72, 11.37]),
    ];
    for (system, received, sent) in published {
        table.push(cost_row(system, received.map(Some), sent.map(Some)));
    }
    for one in found.iter().filter(|one| one.case == Case::Crash) {
        table.push(cost_row(one.mode, one.kilobytes(|run| &run.received), one.kilobytes(|run| &run.sent)));
    }
    table
}

fn cost_row(system: &'static str, received: [Option<f64>; 3], sent: [Option<f64>; 3]) -> Row {
    Row::new()
        .with("system", system)
        .real("received", received[0], 2)
        .real("received_p99", received[1], 2)
        .real("received_max", received[2], 2)
        .real("sent", sent[0], 2)
        .real("sent_p99", sent[1], 2)
        .real("sent_max", sent[2], 2)
}

impl Outcome {
    fn kilobytes(&self, of: fn(&Run) -> &Vec<f64>) -> [Option<f64>; 3] {
        let all: Sample = self.runs.iter().flat_map(of).map(|bytes| bytes / 1_000.0).collect();
        [all.mean(), all.percentile(99.0), all.max()]
    }

    /// KB a second, sent, in the mean of all processes and seconds.
    pub(super) fn sent_mean(&self) -> Option<f64> {
        self.kilobytes(|run| &run.sent)[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::Verdict;

    const A: NodeIndex = NodeIndex(0);
    const B: NodeIndex = NodeIndex(1);
    const C: NodeIndex = NodeIndex(2);

    fn told(ms: u64, node: NodeIndex, subject: NodeIndex, what: What) -> Seen {
        Seen { at: Instant::ORIGIN + Duration::from_millis(ms), node, subject, what }
    }

    #[test]
    fn bad_ones_are_out_when_the_last_healthy_member_says_so_and_a_return_counts() {
        let failed = What::Failed(Verdict { accuser: None, own: false });
        let mut verdicts = Verdicts::new(3, &[C]);
        for seen in [told(1, A, C, failed), told(2, C, A, failed), told(3, A, B, What::Recovered)] {
            verdicts.take(&seen);
        }
        assert!(
            verdicts.all_out.is_none() && verdicts.evicted.is_empty(),
            "what a bad one believes does not count"
        );
        verdicts.take(&told(4, B, C, failed));
        assert_eq!(verdicts.all_out, Some(Instant::ORIGIN + Duration::from_millis(4)));
        verdicts.take(&told(5, B, C, What::Joined));
        verdicts.take(&told(6, B, A, failed));
        assert!((verdicts.share_out() - 0.5).abs() < 1e-9);
        assert_eq!((verdicts.returns, verdicts.evictions), (1, 1));
        assert_eq!(verdicts.evicted, BTreeSet::from([A]));
    }

    #[test]
    fn a_crash_in_a_small_group_is_conclusive_in_every_mode_and_costs_something() {
        for mode in Mode::all() {
            let outcome = Outcome {
                case: Case::Crash,
                mode: mode.name,
                nodes: 30,
                runs: vec![run(&mode, Case::Crash, 30, 1)],
            };
            assert!(outcome.is_met(), "{}: {}", mode.name, outcome.found());
            assert!(outcome.runs[0].sizes >= 2 && outcome.sent_mean() > Some(0.0), "{}", mode.name);
        }
    }
}
