//! Tests of the registry through its public interface: the points of docs/review.md, the bound,
//! snapshots and concurrent use.

use super::*;
use crate::node::NodeAddr;
use crate::tags::Tags;

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn claim(name: &str, incarnation: u64, state: NodeState) -> NodeStatus {
    let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
    NodeStatus::alive(id(name), addr, Incarnation::new(incarnation), Tags::empty()).with_state(state)
}

fn known(registry: &SharedNodeRegistry, name: &str) -> (u64, NodeState) {
    let node = registry.get(&id(name)).unwrap();
    (node.incarnation.get(), node.state)
}

#[test]
fn higher_incarnation_wins() {
    let registry = SharedNodeRegistry::new();
    let _ = registry.apply(claim("a", 1, NodeState::Suspect));
    let change = registry.apply(claim("a", 2, NodeState::Alive));
    assert_eq!(change.after().unwrap().state, NodeState::Alive);
    assert_eq!(known(&registry, "a"), (2, NodeState::Alive));
}

#[test]
fn lower_incarnation_ignored() {
    let registry = SharedNodeRegistry::new();
    let _ = registry.apply(claim("a", 2, NodeState::Alive));
    for state in NodeState::ALL {
        assert_eq!(registry.apply(claim("a", 1, state)), Change::None);
    }
    assert_eq!(known(&registry, "a"), (2, NodeState::Alive));
}

#[test]
fn failed_state_not_overwritten_by_alive() {
    let registry = SharedNodeRegistry::new();
    let _ = registry.apply(claim("a", 3, NodeState::Failed));
    assert_eq!(registry.apply(claim("a", 3, NodeState::Alive)), Change::None);
    assert_eq!(known(&registry, "a"), (3, NodeState::Failed));
}

#[test]
fn higher_incarnation_revives_failed() {
    let registry = SharedNodeRegistry::new();
    let _ = registry.apply(claim("a", 3, NodeState::Failed));
    assert!(matches!(registry.apply(claim("a", 4, NodeState::Alive)), Change::Applied { .. }));
    assert_eq!(known(&registry, "a"), (4, NodeState::Alive));
}

#[test]
fn node_over_the_bound_is_refused() {
    let registry = SharedNodeRegistry::with_nodes_max(2);
    let _ = registry.apply(claim("a", 1, NodeState::Alive));
    assert!(registry.apply(claim("b", 1, NodeState::Alive)).after().is_some());
    assert_eq!(registry.apply(claim("c", 1, NodeState::Alive)), Change::Full);
    assert!(
        registry.apply(claim("a", 1, NodeState::Suspect)).after().is_some(),
        "known nodes can still change"
    );
    assert_eq!(registry.len(), 2);
}

#[test]
fn snapshot_is_shared_while_nothing_changes() {
    let registry = SharedNodeRegistry::new();
    let _ = registry.apply(claim("b", 1, NodeState::Alive));
    let _ = registry.apply(claim("a", 1, NodeState::Left));
    let snapshot = registry.snapshot();
    assert!(Arc::ptr_eq(&snapshot, &registry.snapshot()));
    let _ = registry.apply(claim("a", 1, NodeState::Alive));
    assert!(Arc::ptr_eq(&snapshot, &registry.snapshot()), "a claim that adds nothing changes nothing");
    let _ = registry.apply(claim("c", 1, NodeState::Alive));
    let later = registry.snapshot();
    assert!(!Arc::ptr_eq(&snapshot, &later) && later.version() > snapshot.version());
    assert_eq!(later.nodes().iter().map(|n| n.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(later.members().map(|n| n.id.as_str()).collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn only_members_are_found_by_tag() {
    let registry = SharedNodeRegistry::new();
    let tagged = |name, state| {
        let NodeStatus { id, addr, incarnation, .. } = claim(name, 1, state);
        NodeStatus::alive(id, addr, incarnation, Tags::new([("role", "db")]).unwrap()).with_state(state)
    };
    let _ = registry.apply(tagged("a", NodeState::Alive));
    let _ = registry.apply(tagged("b", NodeState::Failed));
    let _ = registry.apply(claim("c", 1, NodeState::Alive));
    let found = registry.with_tag("role", "db");
    assert_eq!(found.iter().map(|n| n.id.as_str()).collect::<Vec<_>>(), ["a"]);
    assert!(registry.with_tag("role", "web").is_empty());
}

#[test]
fn only_a_tombstone_of_that_incarnation_is_reaped() {
    let registry = SharedNodeRegistry::new();
    let _ = registry.apply(claim("a", 1, NodeState::Alive));
    assert_eq!(registry.reap(&id("a"), Incarnation::new(1)), None);
    let _ = registry.apply(claim("a", 2, NodeState::Failed));
    assert_eq!(registry.reap(&id("a"), Incarnation::new(1)), None);
    assert!(registry.reap(&id("a"), Incarnation::new(2)).is_some());
    assert!(registry.is_empty() && registry.count(NodeState::Failed) == 0);
}

#[test]
fn nodes_without_description_are_counted() {
    let registry = SharedNodeRegistry::new();
    let _ = registry.apply(claim("a", 1, NodeState::Alive));
    let _ = registry.apply(claim("b", 2, NodeState::Alive).without_description());
    let _ = registry.apply(claim("c", 2, NodeState::Failed).without_description());
    assert_eq!(registry.incomplete_count(), 2);
    let _ = registry.apply(claim("b", 2, NodeState::Alive));
    assert_eq!(registry.incomplete_count(), 1);
    let _ = registry.apply(claim("a", 2, NodeState::Alive).without_description());
    assert_eq!(registry.incomplete_count(), 2);
    let _ = registry.reap(&id("c"), Incarnation::new(2));
    assert_eq!(registry.incomplete_count(), 1);
    registry.clear();
    assert_eq!(registry.incomplete_count(), 0);
}

#[test]
fn duplicate_starts_equal_and_changes_separately() {
    let registry = SharedNodeRegistry::with_nodes_max(2);
    let _ = registry.apply(claim("a", 1, NodeState::Alive));
    let other = registry.duplicate();
    assert_eq!((other.digest(), other.snapshot()), (registry.digest(), registry.snapshot()));
    assert!(Arc::ptr_eq(&other.get(&id("a")).unwrap(), &registry.get(&id("a")).unwrap()));
    let _ = other.apply(claim("b", 1, NodeState::Alive));
    assert_eq!((registry.len(), other.len()), (1, 2));
    assert_eq!(other.apply(claim("c", 1, NodeState::Alive)), Change::Full);
}

#[test]
fn replace_takes_any_incarnation_within_the_bound() {
    let registry = SharedNodeRegistry::with_nodes_max(1);
    let first = claim("a", 5, NodeState::Alive);
    assert!(matches!(registry.replace(first.clone()), Change::Applied { before: None, .. }));
    assert_eq!(registry.replace(first.clone()), Change::None, "an equal status is known");
    let change = registry.replace(claim("a", 4, NodeState::Failed));
    let Change::Applied { before, .. } = change else { panic!("nothing was replaced: {change:?}") };
    assert_eq!((before.as_deref(), known(&registry, "a")), (Some(&first), (4, NodeState::Failed)));
    assert_eq!(registry.replace(claim("b", 1, NodeState::Alive)), Change::Full);
    assert_eq!(registry.len(), 1);
}

#[test]
fn closed_registry_refuses_every_claim() {
    let mut writer = RegistryWriter::new();
    let _ = writer.apply(claim("a", 1, NodeState::Alive));
    writer.closer().close();
    assert_eq!(writer.apply(claim("a", 2, NodeState::Alive)), Change::None);
    assert_eq!(writer.replace(claim("a", 2, NodeState::Alive)), Change::None);
    assert!(writer.is_empty() && writer.snapshot().nodes().is_empty());
}

#[test]
fn alive_and_suspect_nodes_count_as_members() {
    let registry = SharedNodeRegistry::new();
    let states = [
        ("a", NodeState::Alive),
        ("b", NodeState::Alive),
        ("c", NodeState::Alive),
        ("d", NodeState::Suspect),
        ("e", NodeState::Suspect),
        ("f", NodeState::Failed),
        ("g", NodeState::Left),
    ];
    for (name, state) in states {
        let _ = registry.apply(claim(name, 1, state));
    }
    assert_eq!(NodeState::ALL.map(|state| registry.count(state)), [3, 2, 1, 1]);
    assert_eq!((registry.member_count(), registry.len(), registry.is_empty()), (5, 7, false));
    assert_eq!(format!("{registry:?}"), "SharedNodeRegistry(RegistryView { nodes: 7, .. })");
}

#[test]
fn claim_that_wins_in_both_halves_is_shared() {
    let registry = SharedNodeRegistry::new();
    let _ = registry.apply(claim("a", 1, NodeState::Alive));
    let wins = Arc::new(claim("a", 2, NodeState::Alive));
    let _ = registry.apply(Arc::clone(&wins));
    assert!(Arc::ptr_eq(&registry.get(&id("a")).unwrap(), &wins));
    assert_eq!(registry.apply(wins), Change::None, "the same claim adds nothing");
}

#[test]
fn concurrent_access() {
    let registry = SharedNodeRegistry::new();
    std::thread::scope(|scope| {
        for writer in 0..4_u64 {
            let registry = registry.clone();
            scope.spawn(move || {
                for round in 0..500_u64 {
                    let state = NodeState::ALL[usize::try_from((round + writer) % 4).unwrap()];
                    let _ = registry.apply(claim(&format!("n{}", round % 16), 1 + round * 4 + writer, state));
                }
            });
        }
        for _ in 0..2 {
            let registry = registry.clone();
            scope.spawn(move || {
                let mut seen = (Incarnation::ZERO, NodeState::Alive);
                for _ in 0..2_000 {
                    let snapshot = registry.snapshot();
                    if let Some(node) = snapshot.get(&id("n0")) {
                        assert!((node.incarnation, node.state) >= seen, "a reader saw a state go back");
                        seen = (node.incarnation, node.state);
                    }
                }
            });
        }
    });
    // Of all claims about n15, the claim with the highest incarnation wins: round 495, writer 3,
    // state (495 + 3) mod 4.
    assert_eq!(known(&registry, "n15"), (1 + 495 * 4 + 3, NodeState::ALL[(495 + 3) % 4]));
    let counted: usize = NodeState::ALL.into_iter().map(|state| registry.count(state)).sum();
    assert_eq!((counted, registry.len()), (16, 16));
}

#[test]
fn claims_that_add_nothing_change_nothing_when_applied() {
    let claims: Vec<NodeStatus> = ["a", "b"]
        .into_iter()
        .flat_map(|name| (1..4).flat_map(move |at| NodeState::ALL.map(|state| claim(name, at, state))))
        .flat_map(|claim| [claim.without_description(), claim])
        .collect();
    for first in &claims {
        let registry = SharedNodeRegistry::new();
        let _applied = registry.apply(first.clone());
        let added = registry.are_new(claims.iter());
        assert_eq!(added.len(), claims.len());
        for (claim, adds) in claims.iter().zip(added) {
            let changed = registry.duplicate().apply(claim.clone()) != Change::None;
            assert_eq!(adds, changed, "{claim:?} after {first:?}");
        }
    }
}
