//! Many old names: what a join, a comparison of views, and rest cost in a group whose members keep
//! the tombstones of 10,000 former members, as rolling updates with random names leave them.
//! Nothing was published to compare with; the promise is that tombstones cost next to nothing.

use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeStatus};

use super::large::Mode;
use super::{Bar, Page, Row, Sample, Settings, Table, side_by_side};
use crate::faults::Step;
use crate::node::NodeIndex;
use crate::traffic::Traffic;
use crate::world::World;

/// Members that live, and the tombstones in each of their views.
const MEMBERS: usize = 50;
const OLD_NAMES: usize = 10_000;

/// When the group is at rest, and for how long it is watched from then on.
const BEGIN: Duration = Duration::from_secs(10);
const WATCHED: Duration = Duration::from_secs(20);
/// How exactly it is seen when something is known.
const LOOKED_EVERY: Duration = Duration::from_millis(1);

/// How many times as much 10,000 tombstones may cost as none.
const MOST: f64 = 1.2;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// A member that knows nobody joins.
    Join,
    /// A member has an old entry, which the comparison of views finds.
    Compare,
    /// Nothing happens.
    Rest,
}

/// What one cell came to: the time until it was done, and the traffic of the one member that it is
/// about, or of all at rest.
#[derive(Debug, Default)]
struct Cost {
    seconds: Vec<f64>,
    messages: Vec<f64>,
    bytes: Vec<f64>,
}

/// The same with and without tombstones.
struct Compared {
    mode: &'static str,
    what: What,
    without: Cost,
    with: Cost,
}

impl What {
    const ALL: [Self; 3] = [Self::Join, Self::Compare, Self::Rest];

    fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Compare => "comparison",
            Self::Rest => "rest",
        }
    }
}

/// Runs it.
pub(super) fn run(settings: &Settings) -> Page {
    let text = format!(
        "{MEMBERS} members that have formed a group, on links of 1 ms in the mean, once without tombstones and once with \
         those of 10,000 members that failed. A *join*: until the new member has been told that it has joined, and all know it; its messages and bytes, sent and \
         received, over {} s. A *comparison*: one member has an old entry of another, until it has the right one; its messages \
         and bytes over {} s, among them its probes. *Rest*: the messages and bytes of all in {} s, without contacts of the failed.",
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
    cells.into_iter().map(compared).collect()
}

/// One run: how many seconds it took, and what it cost.
fn once(mode: &Mode, what: What, old: usize, seed: u64) -> (f64, Traffic) {
    let mut scenario = mode.group(MEMBERS + 1 + old);
    // Contacts of the failed are at most one each interval, whatever their number. They are not
    // what is measured here.
    scenario.config.heal_interval = None;
    let mut world = World::light_among_tombstones(&scenario, MEMBERS, MEMBERS + 1, seed);
    world.run_until(Instant::ORIGIN + BEGIN);
    let known = world.registry(NodeIndex(0)).map(|registry| registry.len());
    assert_eq!(known, Some(MEMBERS + old), "the tombstones are there");
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
        What::Compare => {
            let before = world.traffic(behind);
            set_back(&world, behind, ahead);
            let right = digest(&world, ahead);
            let seconds = until(&mut world, |world| digest(world, behind) == right);
            (seconds, world.traffic(behind) - before)
        }
        What::Rest => {
            let before = world.traffic_of_all();
            let seconds = until(&mut world, |_| true);
            (seconds, world.traffic_of_all() - before)
        }
    }
}

/// Lets all of the time pass, and says when it was first so.
fn until(world: &mut World, is_so: impl Fn(&World) -> bool) -> f64 {
    let (begin, mut first) = (world.now(), None);
    while world.now() < begin + WATCHED {
        if first.is_none() && is_so(world) {
            first = Some(world.now().since(begin));
        }
        let step = if first.is_none() { LOOKED_EVERY } else { WATCHED };
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

/// Puts an old entry of `of` into the view of `node`, as if it had missed the latest news.
fn set_back(world: &World, node: NodeIndex, of: NodeIndex) {
    let registry = world.registry(node).expect("it runs");
    let known = registry.get(&of.id()).expect("all know each other");
    let old = Incarnation::new(known.incarnation.get() - 1);
    let status = NodeStatus { incarnation: old, described_at: old, ..NodeStatus::clone(&known) };
    assert!(registry.replace(status).after().is_some(), "the entry is older");
}

/// The means with and without, and their ratio.
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
            format!("{}, {}: {name} at most {MOST} times those of none", found.mode, found.what.name());
        Bar::new(promise, format!("{with:.3} beside {without:.3}: {times:.2} times"), times <= MOST)
    };
    let all = [("seconds", SECONDS), ("messages", MESSAGES), ("bytes", BYTES)];
    // Rest has no end that could be waited for.
    all.into_iter().skip(usize::from(found.what == What::Rest)).map(bar).collect()
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
    fn ten_thousand_tombstones_cost_next_to_nothing() {
        let promised: Vec<_> = Mode::all().into_iter().filter(|mode| mode.name == Mode::PROMISED).collect();
        let found = measure(&promised, 1);
        assert_eq!(found.len(), What::ALL.len());
        for bar in found.iter().flat_map(bars) {
            assert!(bar.met, "{}: {}", bar.promise, bar.found);
        }
    }

    #[test]
    fn what_is_waited_for_comes_about() {
        for mode in Mode::all() {
            for what in [What::Join, What::Compare] {
                let (seconds, traffic) = once(&mode, what, 10, 1);
                assert!(seconds < WATCHED.as_secs_f64(), "{} {}: {seconds} s", mode.name, what.name());
                assert!(traffic.messages_sent > 0);
            }
        }
    }
}
