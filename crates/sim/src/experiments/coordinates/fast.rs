//! A network on which all round trips are short: no member states a coordinate.

use kinfolk_core::Rng;

use super::super::{Bar, Row, Settings, Table, side_by_side};
use super::group::{Group, Who, neighbours};
use super::network::Network;

/// The statements of all members of one group.
pub(super) struct Outcome {
    nodes: usize,
    seconds: usize,
    statements: f64,
}

pub(super) fn measure(settings: &Settings) -> Vec<Outcome> {
    let sizes: &[usize] = settings.either(&[8, 32, 128, 1_000], &[8, 32]);
    let seconds = settings.either(1_000, 300);
    side_by_side(sizes, |&nodes| {
        let mut rng = Rng::from_seed(1);
        let (network, neighbours) = (Network::fast(nodes, &mut rng), neighbours(nodes));
        let mut group = Group::new(&network, &neighbours, (Who::Random, None), rng);
        group.run(seconds);
        Outcome { nodes, seconds, statements: group.statements().iter().sum() }
    })
}

pub(super) fn bars(outcomes: &[Outcome]) -> Vec<Bar> {
    let bar = |outcome: &Outcome| {
        let promise = format!("{} members on a fast network state no coordinate", outcome.nodes);
        Bar::new(promise, format!("{} statements", outcome.statements), outcome.statements < 0.5)
    };
    outcomes.iter().map(bar).collect()
}

pub(super) fn table(outcomes: &[Outcome]) -> Table {
    let columns = [("nodes", "N"), ("seconds", "s"), ("statements", "statements of all members")];
    let text = "Round trips of 0.1 to 1 ms, with the same jitter and the same delays of some measurements.";
    let mut table = Table::new("fast", "A fast network", text, columns);
    for outcome in outcomes {
        let row = Row::new().with("nodes", outcome.nodes).with("seconds", outcome.seconds);
        table.push(row.real("statements", outcome.statements, 0));
    }
    table
}
