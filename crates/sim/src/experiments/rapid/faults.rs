//! E8 and E9: ten of a thousand members become faulty. Measures whether every view has them as
//! failed, how soon, and whether permanently; whether healthy members are declared failed too; and
//! the cost.

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

/// The size of the group, and the number of faulty members.
const NODES: usize = 1_000;
const NODES_QUICK: usize = 100;
const FAULTY: usize = 10;
/// The time of the fault. By then the group has formed, and its timers are not in phase any more.
const BEGIN: Duration = Duration::from_secs(30);
/// The time of measurement after the fault.
const WATCHED: Duration = Duration::from_mins(5);
/// The time within which the faulty members must be failed.
pub(super) const FAILED_WITHIN: Duration = Duration::from_mins(1);
/// The length of each phase with loss, and of each phase without.
const FLAP: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

/// The kind of fault.
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
                ("Rapid", "all removed in one view change"),
            ],
            Self::Flapping => [
                ("ZooKeeper", "no reaction"),
                ("memberlist", "never all removed, oscillates, views differ"),
                ("Rapid", "all removed, once"),
            ],
            // The paper contradicts itself: by its text the egress is lost, by its caption the
            // ingress. So both cases run.
            Self::Ingress | Self::Egress => [
                ("ZooKeeper", "partial, after 200 s"),
                ("memberlist", "never conclusive, views differ"),
                ("Rapid", "exactly the 10 removed"),
            ],
        }
    }

    fn script(self, faulty: &[NodeIndex], script: &mut Script) {
        for node in faulty.iter().copied() {
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

/// The views that the healthy members have of the faulty members and of each other.
struct Verdicts {
    faulty: BTreeSet<NodeIndex>,
    nodes: usize,
    /// The pairs of a healthy member and a faulty one that it has as failed or left.
    failed: BTreeSet<(NodeIndex, NodeIndex)>,
    first: Option<Instant>,
    /// When all healthy members had all faulty ones as failed for the first time.
    all_failed: Option<Instant>,
    /// How often a faulty member returned to a view that had it as failed.
    returns: u64,
    /// The healthy members that a healthy member declared failed, and the number of such events.
    evicted: BTreeSet<NodeIndex>,
    evictions: u64,
}

impl Verdicts {
    fn new(nodes: usize, faulty: &[NodeIndex]) -> Self {
        Self {
            faulty: faulty.iter().copied().collect(),
            nodes,
            failed: BTreeSet::new(),
            first: None,
            all_failed: None,
            returns: 0,
            evicted: BTreeSet::new(),
            evictions: 0,
        }
    }

    fn take(&mut self, seen: &Seen) {
        let Seen { at, node, subject, what } = *seen;
        // The view of a faulty member is not judged: messages to it may be lost.
        if self.faulty.contains(&node) {
            return;
        }
        let failed = matches!(what, What::Failed(_) | What::Left);
        if self.faulty.contains(&subject) {
            if failed {
                self.first.get_or_insert(at);
                self.failed.insert((node, subject));
                if self.failed_share() >= 1.0 {
                    self.all_failed.get_or_insert(at);
                }
            // A member that returns to a view causes a join event.
            } else if what == What::Joined {
                self.returns += u64::from(self.failed.remove(&(node, subject)));
            }
        } else if failed {
            self.evicted.insert(subject);
            self.evictions += 1;
        }
    }

    /// The share of the healthy members' entries about faulty members that are failed now.
    fn failed_share(&self) -> f64 {
        self.failed.len() as f64 / ((self.nodes - self.faulty.len()) * self.faulty.len()) as f64
    }
}

/// The results of one run; times in seconds since the fault.
struct Run {
    first: Option<f64>,
    all_failed: Option<f64>,
    returns: u64,
    /// The lowest share of failed entries at the end of any second after the time limit.
    failed_share_min: f64,
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
    // At most a third of a small group is faulty, so that most members stay healthy.
    let (faulty, healthy) = all.split_at(FAULTY.min(nodes / 3));
    let mut scenario = mode.group(nodes);
    case.script(faulty, &mut scenario.script);
    let mut world = World::light_preformed(&scenario, seed);
    let begin = Instant::ORIGIN + BEGIN;
    world.run_until(begin);
    let mut verdicts = Verdicts::new(nodes, faulty);
    let (mut sizes, mut failed_share_min) = (BTreeSet::new(), 1.0_f64);
    let mut before: Vec<Traffic> = healthy.iter().map(|node| world.traffic(*node)).collect();
    let (mut received, mut sent) = (Vec::new(), Vec::new());
    for second in (1..).take_while(|second| SECOND * *second <= WATCHED) {
        world.run_until(begin + SECOND * second);
        world.take_seen().iter().for_each(|seen| verdicts.take(seen));
        // Up to the time limit the share is still growing. From then on it must stay at 1.
        if SECOND * second >= FAILED_WITHIN {
            failed_share_min = failed_share_min.min(verdicts.failed_share());
        }
        for (node, before) in healthy.iter().zip(&mut before) {
            sizes.extend(world.registry(*node).map(|registry| registry.member_count()));
            // The differences between seconds, not the totals: the paper shows percentiles over
            // seconds.
            let now = world.traffic(*node);
            let passed = now - std::mem::replace(before, now);
            received.push(passed.bytes_received as f64);
            sent.push(passed.bytes_sent as f64);
        }
    }
    let after = |at: Option<Instant>| at.map(|at| at.since(begin).as_secs_f64());
    Run {
        first: after(verdicts.first),
        all_failed: after(verdicts.all_failed),
        returns: verdicts.returns,
        failed_share_min,
        evicted: verdicts.evicted.len(),
        evictions: verdicts.evictions,
        sizes: sizes.len(),
        received,
        sent,
    }
}

/// The results of one case in one mode, over all seeds.
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
    /// The number of runs in which the faulty members were failed in time, and until the end.
    fn conclusive(&self) -> usize {
        let in_time = |run: &&Run| {
            run.all_failed.is_some_and(|at| at <= FAILED_WITHIN.as_secs_f64()) && run.failed_share_min >= 1.0
        };
        self.runs.iter().filter(in_time).count()
    }

    fn all_failed(&self) -> Sample {
        self.runs.iter().filter_map(|run| run.all_failed).collect()
    }

    fn evicted(&self) -> usize {
        self.runs.iter().map(|run| run.evicted).sum()
    }

    /// Whether every run met the promise.
    pub(super) fn is_met(&self) -> bool {
        self.conclusive() == self.runs.len() && self.evicted() == 0
    }

    /// The result, in words.
    pub(super) fn found(&self) -> String {
        let (runs, worst) = (self.runs.len(), self.all_failed().max());
        let worst = worst.map_or_else(
            || "never all failed".to_owned(),
            |at| format!("all failed after at most {at:.1} s"),
        );
        format!("{} of {runs} runs; {worst}; {} healthy members evicted", self.conclusive(), self.evicted())
    }

    fn row(&self) -> Row {
        let of = |value: fn(&Run) -> f64| self.runs.iter().map(value).collect::<Sample>();
        Row::new()
            .with("case", self.case.name())
            .with("system", self.mode)
            .with("runs", self.runs.len())
            .real("first", self.runs.iter().filter_map(|run| run.first).collect::<Sample>().median(), 1)
            .with("ever_failed", self.all_failed().len())
            .real("all_failed", self.all_failed().median(), 1)
            .real("all_failed_max", self.all_failed().max(), 1)
            .with("conclusive", self.conclusive())
            .real("failed_share_min", of(|run| run.failed_share_min * 100.0).mean(), 1)
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
        ("all_failed", "all failed, s"),
        ("all_failed_max", "worst, s"),
        ("conclusive", "in 60 s, to the end"),
        ("runs", "of runs"),
        ("failed_share_min", "lowest share after 60 s, %"),
        ("returns", "returns"),
        ("evicted", "healthy evicted"),
        ("sizes", "sizes seen"),
    ];
    let nodes = found.first().map_or(NODES, |one| one.nodes);
    let text = format!(
        "{nodes} members that have formed a group. After 30 s {} of them become faulty, and the \
         run continues for 5 minutes. *All failed*: the time from the fault until every healthy \
         member has every faulty one as failed; median and maximum of the runs in which this \
         happened. *In 60 s, to the end*: the number of runs in which it happened within a minute \
         and held at the end of every later second. *Lowest share*: of all views that healthy \
         members have of faulty ones, the share that has them as failed, at the worst second after \
         the first minute. *Returns*: how often a faulty member returned to a view, in one run. \
         *Healthy evicted*: the number of healthy members that any healthy one declared failed, in \
         all runs. *Sizes seen*: the number of distinct sizes that healthy members report once a \
         second, in one run.",
        FAULTY.min(nodes / 3)
    );
    let mut table = Table::new("faults", "E8: ten faulty members of a thousand", text, columns);
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

/// The table of E9, from the runs of the crash.
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
    let text = "KB a second (1,000 bytes) that a process receives and sends in the runs of the \
                crash: mean, 99th percentile, and maximum of all processes and seconds. Published \
                figures are of whole packets. The figures of this code are of encoded messages, \
                without the overhead of QUIC, UDP, and IP.";
    let mut table = Table::new("cost", "E9: cost", text, columns);
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

    /// KB a second that a process sends, on average over all processes and seconds.
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

    fn seen(ms: u64, node: NodeIndex, subject: NodeIndex, what: What) -> Seen {
        Seen { at: Instant::ORIGIN + Duration::from_millis(ms), node, subject, what }
    }

    #[test]
    /// A return to a view and an eviction of a healthy member count too.
    fn faulty_members_fail_when_all_healthy_agree() {
        let failed = What::Failed(Verdict { accuser: None, alone: true, own: false });
        let mut verdicts = Verdicts::new(3, &[C]);
        for event in [seen(1, A, C, failed), seen(2, C, A, failed), seen(3, A, B, What::Recovered)] {
            verdicts.take(&event);
        }
        assert!(
            verdicts.all_failed.is_none() && verdicts.evicted.is_empty(),
            "the view of a faulty member does not count"
        );
        verdicts.take(&seen(4, B, C, failed));
        assert_eq!(verdicts.all_failed, Some(Instant::ORIGIN + Duration::from_millis(4)));
        verdicts.take(&seen(5, B, C, What::Joined));
        verdicts.take(&seen(6, B, A, failed));
        assert!((verdicts.failed_share() - 0.5).abs() < 1e-9);
        assert_eq!((verdicts.returns, verdicts.evictions), (1, 1));
        assert_eq!(verdicts.evicted, BTreeSet::from([A]));
    }

    #[test]
    fn crash_in_small_group_is_conclusive_in_every_mode() {
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
