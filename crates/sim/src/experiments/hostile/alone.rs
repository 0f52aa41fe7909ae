//! One liar, with each strategy, against a quorum of two.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk_core::Instant;
use kinfolk_swim::SwimConfig;

use super::super::{Bar, Row, Settings, Table, side_by_side};
use crate::hostile::{Attack, Strategy};
use crate::node::NodeIndex;
use crate::scenario::Scenario;
use crate::seed::Streams;
use crate::seen::{Seen, What};
use crate::world::World;

/// The time before the attack, and the time of the attack and after it.
const BEGIN: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_mins(1);
/// The time within which all honest members must distrust a liar that accuses all the time.
const DISTRUSTED_WITHIN: Duration = Duration::from_secs(30);
/// A group of more members than this has fewer seeds, and no loss.
const MANY: usize = 128;
/// How many suspicions of one accuser an application may be shown in a minute.
const SHOWN_MAX: usize = 1;

/// The results of one strategy in one size, over all seeds.
pub(super) struct Outcome {
    strategy: Strategy,
    nodes: usize,
    runs: Vec<Run>,
}

/// The result of one run.
#[derive(Debug, Default)]
struct Run {
    samples: u64,
    /// The samples in which an honest member was missing in an honest view.
    missing: u64,
    /// How often an honest member left an honest view.
    removals: u64,
    /// The highest number of refutations of one honest member in the minute.
    refutations: u64,
    /// The highest number of suspicions of one accuser that one application was shown.
    shown: usize,
    /// When all honest members distrusted the liar.
    distrusted: Option<f64>,
}

pub(super) fn measure(settings: &Settings) -> Vec<Outcome> {
    let sizes: &[usize] = settings.either(&[8, 32, 128, 1_000], &[8, 32]);
    // A run of a large group takes seconds.
    let seeds = |nodes: usize| settings.seeds(if nodes > MANY { 1 } else { 5 }, 2);
    let cells: Vec<_> = Strategy::ALL
        .into_iter()
        .flat_map(|strategy| sizes.iter().map(move |nodes| (strategy, *nodes)))
        // Loss makes so many members accuse each other in a large group that a run takes minutes.
        .filter(|(strategy, nodes)| *strategy != Strategy::KeptTestimonyLoss || *nodes <= MANY)
        .collect();
    let jobs: Vec<_> =
        cells.iter().flat_map(|cell| (1..=seeds(cell.1)).map(move |seed| (*cell, seed))).collect();
    let mut runs = side_by_side(&jobs, |((strategy, nodes), seed)| run(*strategy, *nodes, *seed)).into_iter();
    let outcome = |(strategy, nodes)| {
        let per_cell = usize::try_from(seeds(nodes)).unwrap_or(usize::MAX);
        Outcome { strategy, nodes, runs: runs.by_ref().take(per_cell).collect() }
    };
    cells.into_iter().map(outcome).collect()
}

fn run(strategy: Strategy, nodes: usize, seed: u64) -> Run {
    // Without flap damping, so that the events show every failure.
    let config = SwimConfig { flaps: None, ..SwimConfig::verified() };
    let mut world = World::light_preformed(&Scenario::bare(nodes, config), seed);
    let liar = NodeIndex(Streams::new(seed).faults.below(nodes));
    world.run_until(Instant::ORIGIN + BEGIN);
    world.take_seen();
    let refuted = |world: &World, node| world.machine(node).map_or(0, |machine| machine.stats().refutations);
    let mut attack = Attack::begin(&mut world, nodes, strategy, &[liar], seed);
    let before: Vec<u64> = attack.honest().iter().map(|node| refuted(&world, *node)).collect();
    let (mut run, mut shown) = (Run::default(), BTreeMap::new());
    attack.run(&mut world, WATCHED, |world, attack| {
        let seen = world.take_seen();
        run.sample(world, attack, nodes);
        for seen in seen {
            run.take(attack, &seen, liar, &mut shown);
        }
    });
    let refutations = attack.honest().iter().zip(before);
    let made = refutations.map(|(node, before)| refuted(&world, *node).saturating_sub(before));
    run.refutations = made.max().unwrap_or(0);
    run.shown = shown.into_values().max().unwrap_or(0);
    run
}

impl Run {
    fn sample(&mut self, world: &World, attack: &Attack, nodes: usize) {
        let now = world.now();
        self.samples += 1;
        let misses = |node: &NodeIndex| {
            let Some(view) = world.registry(*node).filter(|_| !attack.is_excused(now, *node)) else {
                return false;
            };
            let has =
                |subject: &NodeIndex| view.get(&subject.id()).is_some_and(|known| known.state.is_member());
            let all = attack.honest();
            view.member_count() < nodes
                && all.iter().any(|subject| !has(subject) && !attack.is_excused(now, *subject))
        };
        self.missing += u64::from(attack.honest().iter().any(misses));
        let distrusts =
            |node: &NodeIndex| world.machine(*node).is_some_and(|machine| machine.stats().distrusted > 0);
        if self.distrusted.is_none() && attack.honest().iter().all(distrusts) {
            self.distrusted = Some(now.since(Instant::ORIGIN + BEGIN).as_secs_f64());
        }
    }

    fn take(
        &mut self,
        attack: &Attack,
        seen: &Seen,
        liar: NodeIndex,
        shown: &mut BTreeMap<NodeIndex, usize>,
    ) {
        if seen.node == liar {
            return;
        }
        match seen.what {
            What::Failed(_) | What::Left => {
                let is_honest = seen.subject != liar;
                let is_excused = attack.is_excused(seen.at, seen.subject);
                self.removals += u64::from(is_honest && !is_excused);
            }
            // The watched time is a minute.
            What::Suspected(verdict) if verdict.alone && verdict.accuser == Some(liar) => {
                *shown.entry(seen.node).or_default() += 1;
            }
            _ => {}
        }
    }
}

impl Outcome {
    fn sum(&self, of: impl Fn(&Run) -> u64) -> u64 {
        self.runs.iter().map(of).sum()
    }

    fn shown(&self) -> usize {
        self.runs.iter().map(|run| run.shown).max().unwrap_or(0)
    }

    /// The longest time until all honest members distrusted the liar; `None` if some never did.
    fn distrusted(&self) -> Option<f64> {
        let times: Option<Vec<f64>> = self.runs.iter().map(|run| run.distrusted).collect();
        times?.into_iter().max_by(f64::total_cmp)
    }
}

pub(super) fn bars(outcomes: &[Outcome]) -> Vec<Bar> {
    let shown = outcomes.iter().map(Outcome::shown).max().unwrap_or(0);
    let has_no_limit = |outcome: &&Outcome| outcome.strategy.known_limit().is_none();
    let mut bars = vec![
        nobody_is_missing("one liar against a quorum of 2", outcomes.iter().filter(has_no_limit)),
        Bar::new(
            format!("an application is shown at most {SHOWN_MAX} suspicion of the liar alone in a minute"),
            format!("at most {shown}"),
            shown <= SHOWN_MAX,
        ),
    ];
    for strategy in Strategy::ALL {
        if let Some(why) = strategy.known_limit() {
            let of = outcomes.iter().filter(|outcome| outcome.strategy == strategy);
            bars.push(nobody_is_missing(&strategy.to_string(), of).missed_because(why));
        }
    }
    let sizes: BTreeSet<usize> = outcomes.iter().map(|outcome| outcome.nodes).collect();
    let promised = |outcome: &&Outcome| outcome.strategy.must_be_distrusted(outcome.nodes);
    for nodes in sizes {
        let of: Vec<_> = outcomes.iter().filter(promised).filter(|one| one.nodes == nodes).collect();
        let times: Option<Vec<f64>> = of.iter().map(|outcome| outcome.distrusted()).collect();
        let worst = times.and_then(|times| times.into_iter().max_by(f64::total_cmp));
        bars.push(Bar::new(
            format!(
                "{nodes} members: all distrust a liar that accuses or claims each second or more often, within {} s",
                DISTRUSTED_WITHIN.as_secs()
            ),
            worst.map_or_else(|| "never".to_owned(), |worst| format!("after at most {worst:.1} s")),
            worst.is_some_and(|worst| worst <= DISTRUSTED_WITHIN.as_secs_f64()),
        ));
    }
    bars
}

fn nobody_is_missing<'a>(name: &str, outcomes: impl Iterator<Item = &'a Outcome>) -> Bar {
    let (mut samples, mut missing, mut removals) = (0, 0, 0);
    for outcome in outcomes {
        samples += outcome.sum(|run| run.samples);
        missing += outcome.sum(|run| run.missing);
        removals += outcome.sum(|run| run.removals);
    }
    Bar::new(
        format!("{name}: no honest member is missing in an honest view"),
        format!("missing in {missing} of {samples} samples, {removals} removals"),
        missing + removals == 0,
    )
}

pub(super) fn table(outcomes: &[Outcome]) -> Table {
    let columns = [
        ("strategy", "strategy"),
        ("nodes", "N"),
        ("runs", "runs"),
        ("samples", "samples"),
        ("missing", "with a member missing"),
        ("removals", "removals"),
        ("refutations", "refutations, most"),
        ("shown", "suspicions shown, most"),
        ("distrusted", "distrusted by all, s"),
    ];
    let text = "One liar, chosen by the seed, and a quorum of 2. The attack begins after 5 s, and the group is \
         watched for one minute. *With a member missing*: of the samples, one each half second, those \
         in which an honest member was missing in an honest view. *Removals*: how often a view had an \
         honest member as failed or left, between samples too. *Refutations*: the most that one honest \
         member made in the minute. *Suspicions shown*: the most of which one member told its \
         application in the minute, with the liar as the only accuser. *Distrusted by all*: from the \
         begin of the attack until no honest member believes the liar, in the slowest run; - if some \
         member believed it to the end of a run. A member that pauses for 3 s, which the strategies \
         with old accusations and kept testimony need, does not count until 5 s after its pause: its \
         silence was long enough for honest accusations that count, and the liar can complete the \
         quorum.";
    let mut table = Table::new("alone", "One liar", text, columns);
    for outcome in outcomes {
        let row = Row::new()
            .with("strategy", outcome.strategy.to_string())
            .with("nodes", outcome.nodes)
            .with("runs", outcome.runs.len())
            .with("samples", outcome.sum(|run| run.samples))
            .with("missing", outcome.sum(|run| run.missing))
            .with("removals", outcome.sum(|run| run.removals))
            .with("refutations", outcome.runs.iter().map(|run| run.refutations).max())
            .with("shown", outcome.shown())
            .real("distrusted", outcome.distrusted(), 1);
        table.push(row);
    }
    table
}
