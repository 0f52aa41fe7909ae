//! One, two, or three colluders, against each quorum.

use super::super::{Bar, Row, Settings, Share, Table, side_by_side};
use super::QUORUMS;
use crate::hostile::{Collusion, Removed};

const COLLUDERS: [usize; 3] = [1, 2, 3];

/// The results of so many colluders against one quorum, over all seeds.
pub(super) struct Outcome {
    nodes: usize,
    colluders: usize,
    quorum: usize,
    /// Each subject in a group of its own, and all at once.
    one_by_one: Removed,
    all_at_once: Removed,
}

pub(super) fn measure(settings: &Settings) -> Vec<Outcome> {
    let sizes: &[usize] = settings.either(&[32, 128], &[32]);
    let (seeds, subjects) = (settings.seeds(10, 5), settings.either(20, 8));
    let mut cells = Vec::new();
    for nodes in sizes {
        for quorum in QUORUMS {
            cells.extend(COLLUDERS.map(|colluders| (*nodes, colluders, quorum)));
        }
    }
    let collusion = |(nodes, colluders, quorum), seed| Collusion { nodes, colluders, quorum, seed };
    let jobs: Vec<_> = cells.iter().flat_map(|cell| (1..=seeds).map(|seed| collusion(*cell, seed))).collect();
    let run = |job: &Collusion| (job.one_by_one(subjects), job.all_at_once());
    let mut runs = side_by_side(&jobs, run).into_iter();
    let per_cell = usize::try_from(seeds).unwrap_or(usize::MAX);
    let outcome = |(nodes, colluders, quorum)| {
        let (mut one_by_one, mut all_at_once) = (Removed::default(), Removed::default());
        for (one, all) in runs.by_ref().take(per_cell) {
            one_by_one = one_by_one.and(one);
            all_at_once = all_at_once.and(all);
        }
        Outcome { nodes, colluders, quorum, one_by_one, all_at_once }
    };
    cells.into_iter().map(outcome).collect()
}

pub(super) fn bars(outcomes: &[Outcome]) -> Vec<Bar> {
    let too_few = |outcome: &&Outcome| outcome.colluders < outcome.quorum;
    let removed: u64 = outcomes
        .iter()
        .filter(too_few)
        .map(|outcome| outcome.one_by_one.anywhere + outcome.all_at_once.anywhere)
        .sum();
    let accused: u64 = outcomes
        .iter()
        .filter(too_few)
        .map(|outcome| outcome.one_by_one.subjects + outcome.all_at_once.subjects)
        .sum();
    vec![Bar::new(
        "fewer colluders than the quorum remove no honest member",
        format!("{removed} of {accused} accused members"),
        removed == 0,
    )]
}

pub(super) fn table(outcomes: &[Outcome]) -> Table {
    let columns = [
        ("nodes", "N"),
        ("quorum", "quorum"),
        ("colluders", "colluders"),
        ("subjects", "accused"),
        ("chance", "formula, %"),
        ("able", "by the rings, %"),
        ("anywhere", "from a view, %"),
        ("everywhere", "from all views, %"),
        ("at_once", "all at once: from a view, %"),
        ("all_everywhere", "from all views, %"),
    ];
    let text = "Colluders, chosen by the seed, that know each other's keys accuse honest members together, with \
         closed ports. First each of some honest members in a group of its own (*accused*: in all runs), then \
         all honest members of a group at once. The columns are shares of the honest members: *formula*, \
         the chance that at least the quorum of the colluders is among those that may accuse a member, \
         of N - 1 (hypergeometric, with the number that the rings give for each member: at most 16); *by \
         the rings*, for which members that is so with these colluders; and which were removed within \
         2 s *from a view* of an honest member, and *from all views* of the honest members.";
    let mut table = Table::new("colluders", "Colluders", text, columns);
    for outcome in outcomes {
        let (one, all) = (&outcome.one_by_one, &outcome.all_at_once);
        let share = |hits, of| Share { hits, of }.value().map(|share| share * 100.0);
        let row = Row::new()
            .with("nodes", outcome.nodes)
            .with("quorum", outcome.quorum)
            .with("colluders", outcome.colluders)
            .with("subjects", one.subjects)
            .real("chance", all.chance / all.subjects as f64 * 100.0, 1)
            .real("able", share(one.able, one.subjects), 1)
            .real("anywhere", share(one.anywhere, one.subjects), 1)
            .real("everywhere", share(one.everywhere, one.subjects), 1)
            .real("at_once", share(all.anywhere, all.subjects), 1)
            .real("all_everywhere", share(all.everywhere, all.subjects), 1);
        table.push(row);
    }
    table
}
