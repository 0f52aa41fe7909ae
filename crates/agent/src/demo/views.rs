//! A table of the group as each running member sees it: one column for each member in a small
//! group, counts in a large one.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk::{NodeId, NodeState, Snapshot};

use crate::render::{Cell, Paint, Tone, table};

/// Up to this many members, each has a column of its own. More would not fit into 80 characters.
const COLUMNS_MAX: usize = 8;

/// One member's view.
pub(super) struct View {
    pub(super) by: NodeId,
    pub(super) sees: Arc<Snapshot>,
}

/// The table of all `members`, as the running members see them.
pub(super) fn render(paint: Paint, members: &[NodeId], views: &[View]) -> String {
    if members.len() <= COLUMNS_MAX { matrix(paint, members, views) } else { counts(paint, members, views) }
}

fn matrix(paint: Paint, members: &[NodeId], views: &[View]) -> String {
    let headings: Vec<&str> =
        std::iter::once("as seen by").chain(views.iter().map(|view| view.by.as_str())).collect();
    let rows: Vec<Vec<Cell>> = members
        .iter()
        .map(|member| {
            std::iter::once(Cell::plain(member)).chain(views.iter().map(|view| cell(member, view))).collect()
        })
        .collect();
    table(paint, &headings, &rows)
}

fn cell(member: &NodeId, view: &View) -> Cell {
    if *member == view.by {
        return Cell::new(Tone::Faint, "itself");
    }
    match view.sees.get(member) {
        Some(node) => Cell::state(node.state),
        None => Cell::new(Tone::Faint, "-"),
    }
}

/// One row for each distinct combination of counts. Members with equal counts share a row, so that
/// a healthy group of any size takes one row.
fn counts(paint: Paint, members: &[NodeId], views: &[View]) -> String {
    let mut alike: BTreeMap<[usize; 4], Vec<&NodeId>> = BTreeMap::new();
    for member in members {
        let mut seen = [0; 4];
        for node in views.iter().filter(|view| view.by != *member).filter_map(|view| view.sees.get(member)) {
            seen[node.state as usize] += 1;
        }
        alike.entry(seen).or_default().push(member);
    }
    let mut headings = vec!["member", "seen by"];
    headings.extend(NodeState::ALL.map(NodeState::as_str));
    let rows: Vec<Vec<Cell>> = alike
        .iter()
        // Most alive views first: the healthy members come at the top.
        .rev()
        .take(COLUMNS_MAX)
        .map(|(seen, who)| count_row(seen, &named(members, who)))
        .collect();
    let more = alike.len().saturating_sub(rows.len());
    let rest = if more > 0 { format!("... and {more} more kinds of members\n") } else { String::new() };
    table(paint, &headings, &rows) + &rest
}

/// A short text for several members. `who` is in the order of `members`.
fn named(members: &[NodeId], who: &[&NodeId]) -> String {
    let place = |member: &NodeId| members.iter().position(|other| other == member);
    match who {
        [] => String::new(),
        [one] => one.to_string(),
        [one, other] => format!("{one}, {other}"),
        [first, .., last] if place(last).zip(place(first)).is_some_and(|(l, f)| l - f + 1 == who.len()) => {
            format!("{first}..{last} ({})", who.len())
        }
        [first, second, ..] => format!("{first}, {second}, ... ({})", who.len()),
    }
}

fn count_row(seen: &[usize; 4], name: &str) -> Vec<Cell> {
    let mut row = vec![Cell::plain(name), Cell::plain(seen.iter().sum::<usize>())];
    row.extend(NodeState::ALL.iter().zip(seen).map(|(state, &count)| {
        let tone = if count == 0 { Tone::Faint } else { Tone::of(*state) };
        Cell::new(tone, count)
    }));
    row
}

#[cfg(test)]
mod tests {
    use kinfolk::{Incarnation, NodeAddr, NodeStatus, SharedNodeRegistry, Tags};

    use super::*;

    fn id(number: usize) -> NodeId {
        NodeId::new(&format!("node-{number:02}")).unwrap()
    }

    fn view(by: usize, sees: &[(usize, NodeState)]) -> View {
        let registry = SharedNodeRegistry::new();
        for &(number, state) in sees {
            let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
            let alive = NodeStatus::alive(id(number), addr, Incarnation::new(1), Tags::empty());
            let _change = registry.apply(alive.with_state(state));
        }
        View { by: id(by), sees: registry.snapshot() }
    }

    #[test]
    fn many_members_get_a_short_name() {
        let members: Vec<NodeId> = (1..=9).map(id).collect();
        let name = |numbers: &[usize]| {
            let who: Vec<&NodeId> = numbers.iter().map(|number| &members[number - 1]).collect();
            named(&members, &who)
        };
        assert_eq!(name(&[2]), "node-02");
        assert_eq!(name(&[2, 4]), "node-02, node-04");
        assert_eq!(name(&[2, 3, 4]), "node-02..node-04 (3)");
        assert_eq!(name(&[2, 3, 5]), "node-02, node-03, ... (3)");
    }

    #[test]
    fn small_group_is_a_matrix() {
        use NodeState::{Alive, Suspect};
        let views = [view(1, &[(1, Alive), (2, Alive)]), view(2, &[(1, Suspect), (2, Alive), (3, Alive)])];
        let expected = "\
as seen by  node-01  node-02
node-01     itself   suspect
node-02     alive    itself
node-03     -        alive
";
        assert_eq!(render(Paint::off(), &[id(1), id(2), id(3)], &views), expected);
    }

    #[test]
    fn large_group_is_counted_in_shared_rows() {
        use NodeState::{Alive, Failed};
        let members: Vec<NodeId> = (1..=9).map(id).collect();
        let mut sees: Vec<_> = (1..=9).map(|number| (number, Alive)).collect();
        sees[8] = (9, Failed);
        let views: Vec<View> = (1..=8).map(|by| view(by, &sees)).collect();
        let expected = "\
member               seen by  alive  suspect  failed  left
node-01..node-08 (8)  7        7      0        0       0
node-09              8        0      0        8       0
";
        let spaces = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(spaces(&render(Paint::off(), &members, &views)), spaces(expected));
    }
}
