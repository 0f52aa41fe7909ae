//! One member states false coordinates: how good the estimates between the others are.

use kinfolk_core::Rng;

use super::super::{Bar, Row, Settings, Table, side_by_side};
use super::group::{Errors, Group, Who, neighbours};
use super::lie::Lie;
use super::network::Network;
use super::percent;

/// The size of the group, with the liar.
const NODES: usize = 32;
/// By how many percentage points a liar may raise the median error of the others.
const POINTS_MAX: f64 = 3.0;

/// The errors of the honest members with one strategy of the liar, over all seeds.
pub(super) struct Outcome {
    lie: Option<Lie>,
    errors: Errors,
}

pub(super) fn measure(settings: &Settings) -> Vec<Outcome> {
    let neighbours = neighbours(NODES);
    let lies: Vec<_> = [None].into_iter().chain(Lie::ALL.map(Some)).collect();
    let (seeds, seconds) = (settings.seeds(10, 3), settings.either(600, 200));
    let jobs: Vec<_> = lies.iter().flat_map(|lie| (1..=seeds).map(move |seed| (*lie, seed))).collect();
    let run = |(lie, seed): &(Option<Lie>, u64)| {
        let mut rng = Rng::from_seed(*seed);
        let network = Network::wide(NODES, &mut rng);
        let mut group = Group::new(&network, &neighbours, (Who::Random, *lie), rng);
        group.run(seconds);
        group.errors()
    };
    let mut runs = side_by_side(&jobs, run).into_iter();
    let outcome = |lie| {
        let mut errors = Errors::default();
        let of_lie = runs.by_ref().take(usize::try_from(seeds).unwrap_or(usize::MAX));
        of_lie.for_each(|run| errors.add(&run));
        Outcome { lie, errors }
    };
    lies.into_iter().map(outcome).collect()
}

pub(super) fn bars(outcomes: &[Outcome]) -> Vec<Bar> {
    let median = |outcome: &Outcome| percent(&outcome.errors.all, 50.0).unwrap_or(f64::NAN);
    let without = outcomes.iter().find(|outcome| outcome.lie.is_none()).map_or(f64::NAN, median);
    let bar = |(lie, outcome): (Lie, &Outcome)| {
        let more = median(outcome) - without;
        let promise = format!(
            "one liar of {NODES}, {}: the median error of the others is at most {POINTS_MAX:.0} points higher",
            lie.name()
        );
        Bar::new(promise, format!("{more:+.1} points"), more <= POINTS_MAX)
    };
    outcomes.iter().filter_map(|outcome| Some((outcome.lie?, outcome))).map(bar).collect()
}

pub(super) fn table(outcomes: &[Outcome]) -> Table {
    let columns = [("lie", "the liar"), ("median", "median error, %"), ("p90", "p90, %")];
    let text = "The first member never states its true coordinate, and always claims to be sure of it. It follows \
         no rule: it states another one each second. The errors are those between the 31 others.";
    let mut table = Table::new("liar", "One liar of 32", text, columns);
    for outcome in outcomes {
        let row = Row::new()
            .with("lie", outcome.lie.map_or("none", Lie::name))
            .real("median", percent(&outcome.errors.all, 50.0), 1)
            .real("p90", percent(&outcome.errors.all, 90.0), 1);
        table.push(row);
    }
    table
}
