//! Many old names: the cost of a join, of an anti-entropy round, and of an idle group. The members
//! keep the tombstones of 10,000 former members, as rolling updates with random names leave them.
//! No published figures exist. The promise is that tombstones cost almost nothing.

use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeStatus};

use super::large::Mode;
use super::{Bar, Page, Row, Sample, Settings, Table, side_by_side};
use crate::faults::Step;
use crate::node::NodeIndex;
use crate::traffic::Traffic;
use crate::world::World;

/// The running members, and the tombstones in each of their views.
const MEMBERS: usize = 50;
const OLD_NAMES: usize = 10_000;

/// The time at which the group is idle, and the time of measurement after it.
const BEGIN: Duration = Duration::from_secs(10);
const WATCHED: Duration = Duration::from_secs(20);
/// The interval of the checks, which is the resolution of the measured times.
const CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// The highest allowed ratio of the cost with 10,000 tombstones to the cost without.
const RATIO_MAX: f64 = 1.2;

/// The measured activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// A new member joins.
    Join,
    /// A member has an old entry, which an anti-entropy round corrects.
    AntiEntropy,
    /// Nothing happens.
    Idle,
}

/// The cost in one cell: the time until the activity ended, and the traffic of one member. For the
/// idle group it is the traffic of all members.
#[derive(Debug, Default)]
struct Cost {
    seconds: Vec<f64>,
    messages: Vec<f64>,
    bytes: Vec<f64>,
}

/// The cost with and without tombstones.
struct Compared {
    mode: &'static str,
    what: What,
    without: Cost,
    with: Cost,
}

impl What {
    const ALL: [Self; 3] = [Self::Join, Self::AntiEntropy, Self::Idle];

    fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::AntiEntropy => "anti-entropy",
            Self::Idle => "idle",
        }
    }
}

/// Runs the experiment.
pub(super) fn run(settings: &Settings) -> Page {
    let text = format!(
        "{MEMBERS} members that have formed a group, on links with a mean delay of 1 ms, once \
         without tombstones and once with those of 10,000 failed members. *Join*: the time until \
         the new member knows that it has joined, and all members know it; its messages and bytes, \
         sent and received, over {} s. *Anti-entropy*: one member has an old entry of another; the \
         time until it has the current one; its messages and bytes over {} s, with those of its \
         probes. *Idle*: the messages and bytes of all members in {} s, without contacts with \
         failed members.",
        WATCHED.as_secs(),
        WATCHED.as_secs(),
        WATCHED.as_secs(),
    );
    let mut page = Page::new("names", "Many old names", settings, text);
    let found = measure(&Mode::all(), settings.seeds(10, 3));
    page.bars = found.iter().flat_map(bars).collect();
    page.tables = vec![table(&found)];
    page
}

fn measure(modes: &[Mode], seeds: u64) -> Vec<Compared> {
    let cells: Vec<_> = modes.iter().flat_map(|mode| What::ALL.map(|what| (mode, what))).collect();
    let jobs: Vec<_> = cells
        .iter()
        .flat_map(|cell| [0, OLD_NAMES].map(|old| (*cell, old)))
        .flat_map(|(cell, old)| (1..=seeds).map(move |seed| (cell, old, seed)))
        .collect();
    let mut runs =
        side_by_side(&jobs, |((mode, what), old, seed)| once(mode, *what, *old, *seed)).into_iter();
    let mut cost = || {
        let mut cost = Cost::default();
        for (seconds, traffic) in runs.by_ref().take(usize::try_from(seeds).unwrap_or(usize::MAX)) {
            cost.seconds.push(seconds);
            cost.messages.push((traffic.messages_sent + traffic.messages_received) as f64);
            cost.bytes.push((traffic.bytes_sent + traffic.bytes_received) as f64);
        }
        cost
    };
    let compared =
        |(mode, what): (&Mode, What)| Compared { mode: mode.name, what, without: cost(), with: cost() };
    // `cost` takes the next runs from the iterator, so the order of the fields must be the order of
    // the jobs: first without tombstones, then with them.
    cells.into_iter().map(compared).collect()
}

/// One run: the seconds and the traffic.
fn once(mode: &Mode, what: What, old: usize, seed: u64) -> (f64, Traffic) {
    let mut scenario = mode.group(MEMBERS + 1 + old);
    // There is at most one contact with a failed member in each interval, whatever their number.
    // This experiment does not measure contacts.
    scenario.config.heal_interval = None;
    let mut world = World::light_among_tombstones(&scenario, MEMBERS, MEMBERS + 1, seed);
    world.run_until(Instant::ORIGIN + BEGIN);
    let known = world.registry(NodeIndex(0)).map(|registry| registry.len());
    assert_eq!(known, Some(MEMBERS + old), "each view holds the tombstones");
    let (newcomer, behind, ahead) = (NodeIndex(MEMBERS), NodeIndex(7), NodeIndex(31));
    match what {
        What::Join => {
            world.act(&Step::Start { node: newcomer, via: Some(NodeIndex(0)) });
            let knows_all = |world: &World, node| members(world, NodeIndex(node)) == Some(MEMBERS + 1);
            let seconds = until(&mut world, |world| {
                world.truth().node(newcomer).joined && (0..=MEMBERS).all(|node| knows_all(world, node))
            });
            (seconds, world.traffic(newcomer))
        }
        What::AntiEntropy => {
            let before = world.traffic(behind);
            set_back(&world, behind, ahead);
            // Equal digests mean equal views, so a digest is enough to see when the entry is
            // current.
            let right = digest(&world, ahead);
            let seconds = until(&mut world, |world| digest(world, behind) == right);
            (seconds, world.traffic(behind) - before)
        }
        What::Idle => {
            let before = world.traffic_of_all();
            let seconds = until(&mut world, |_| true);
            (seconds, world.traffic_of_all() - before)
        }
    }
}

/// Runs the world for the whole time of measurement. Returns the seconds until the condition held
/// first; the whole time if it never did.
fn until(world: &mut World, is_so: impl Fn(&World) -> bool) -> f64 {
    let (begin, mut first) = (world.now(), None);
    while world.now() < begin + WATCHED {
        if first.is_none() && is_so(world) {
            first = Some(world.now().since(begin));
        }
        let step = if first.is_none() { CHECK_INTERVAL } else { WATCHED };
        world.run_until((world.now() + step).min(begin + WATCHED));
    }
    first.unwrap_or(WATCHED).as_secs_f64()
}

fn members(world: &World, node: NodeIndex) -> Option<usize> {
    world.registry(node).map(|registry| registry.member_count())
}

fn digest(world: &World, node: NodeIndex) -> Option<u64> {
    world.registry(node).map(|registry| registry.digest())
}

/// Puts an old entry of `of` into the view of `node`, as if it had missed the latest update.
fn set_back(world: &World, node: NodeIndex, of: NodeIndex) {
    let registry = world.registry(node).expect("the node runs");
    let known = registry.get(&of.id()).expect("all know each other");
    let old = Incarnation::new(known.incarnation.get() - 1);
    let status = NodeStatus { incarnation: old, described_at: old, ..NodeStatus::clone(&known) };
    assert!(registry.replace(status.signed(&world.key(of))).after().is_some(), "the entry is older");
}

/// The means without and with tombstones, and their ratio.
fn ratio(of: fn(&Cost) -> &[f64], found: &Compared) -> (f64, f64, f64) {
    let mean = |cost: &Cost| of(cost).iter().copied().collect::<Sample>().mean().unwrap_or(f64::NAN);
    let (without, with) = (mean(&found.without), mean(&found.with));
    (without, with, if without > 0.0 { with / without } else { 1.0 })
}

const SECONDS: fn(&Cost) -> &[f64] = |cost| &cost.seconds;
const MESSAGES: fn(&Cost) -> &[f64] = |cost| &cost.messages;
const BYTES: fn(&Cost) -> &[f64] = |cost| &cost.bytes;

fn bars(found: &Compared) -> Vec<Bar> {
    let bar = |(name, of)| {
        let (without, with, times) = ratio(of, found);
        let promise =
            format!("{}, {}: {name} at most {RATIO_MAX} times those without", found.mode, found.what.name());
        Bar::new(promise, format!("{with:.3} beside {without:.3}: {times:.2} times"), times <= RATIO_MAX)
    };
    let all = [("seconds", SECONDS), ("messages", MESSAGES), ("bytes", BYTES)];
    // The idle group has no end to wait for, so it has no seconds.
    all.into_iter().skip(usize::from(found.what == What::Idle)).map(bar).collect()
}

fn table(found: &[Compared]) -> Table {
    let columns = [
        ("mode", "mode"),
        ("what", "what"),
        ("tombstones", "tombstones"),
        ("seconds", "s, mean"),
        ("messages", "messages, mean"),
        ("bytes", "bytes, mean"),
        ("times_seconds", "times the s"),
        ("times_messages", "times the messages"),
        ("times_bytes", "times the bytes"),
    ];
    let mut table = Table::new("names", "Cost with and without tombstones", "", columns);
    for one in found {
        let (seconds, messages, bytes) = (ratio(SECONDS, one), ratio(MESSAGES, one), ratio(BYTES, one));
        let row = |tombstones: usize| {
            Row::new().with("mode", one.mode).with("what", one.what.name()).with("tombstones", tombstones)
        };
        let without = row(0).real("seconds", seconds.0, 3).real("messages", messages.0, 1);
        table.push(without.real("bytes", bytes.0, 0));
        let with = row(OLD_NAMES).real("seconds", seconds.1, 3).real("messages", messages.1, 1);
        let with = with.real("bytes", bytes.1, 0).real("times_seconds", seconds.2, 2);
        table.push(with.real("times_messages", messages.2, 2).real("times_bytes", bytes.2, 2));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_tombstones_cost_almost_nothing() {
        let promised: Vec<_> = Mode::all().into_iter().filter(|mode| mode.name == Mode::PROMISED).collect();
        let found = measure(&promised, 1);
        assert_eq!(found.len(), What::ALL.len());
        for bar in found.iter().flat_map(bars) {
            assert!(bar.met, "{}: {}", bar.promise, bar.found);
        }
    }

    #[test]
    fn join_and_anti_entropy_end_in_time() {
        for mode in Mode::all() {
            for what in [What::Join, What::AntiEntropy] {
                let (seconds, traffic) = once(&mode, what, 10, 1);
                assert!(seconds < WATCHED.as_secs_f64(), "{} {}: {seconds} s", mode.name, what.name());
                assert!(traffic.messages_sent > 0);
            }
        }
    }
}
