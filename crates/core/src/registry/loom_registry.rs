//! Loom models of the registry: every interleaving of two or three threads, within the preemption
//! bound that `cargo xtask loom` sets.

use std::sync::Arc;

use super::*;
use crate::node::NodeAddr;
use crate::tags::Tags;

fn claim(incarnation: u64, state: NodeState) -> NodeStatus {
    let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
    let id = NodeId::new("n").unwrap();
    NodeStatus::alive(id, addr, Incarnation::new(incarnation), Tags::empty()).with_state(state)
}

fn verdict(node: &NodeStatus) -> (Incarnation, NodeState) {
    (node.incarnation, node.state)
}

#[test]
fn loom_reader_never_sees_a_state_go_back() {
    loom::model(|| {
        let registry = SharedNodeRegistry::new();
        let id = claim(1, NodeState::Alive).id;
        let writers = [claim(2, NodeState::Alive), claim(1, NodeState::Failed)].map(|claim| {
            let registry = registry.clone();
            loom::thread::spawn(move || registry.apply(claim))
        });
        let first = registry.get(&id).map(|node| verdict(&node));
        let second = registry.snapshot().get(&id).map(|node| verdict(node));
        let third = registry.get(&id).map(|node| verdict(&node));
        assert!(first <= second && second <= third);
        for writer in writers {
            let _ = writer.join().unwrap();
        }
    });
}

/// Also: only one of the two claims is the first about the member.
#[test]
fn loom_concurrent_claims_join_by_the_precedence_rule() {
    loom::model(|| {
        let registry = SharedNodeRegistry::new();
        let writers = [claim(1, NodeState::Suspect), claim(1, NodeState::Alive)].map(|claim| {
            let registry = registry.clone();
            loom::thread::spawn(move || registry.apply(claim))
        });
        let changes = writers.map(|writer| writer.join().unwrap());
        let firsts = changes.iter().filter(|c| matches!(c, Change::Applied { before: None, .. })).count();
        assert_eq!(firsts, 1);
        let id = claim(1, NodeState::Alive).id;
        assert_eq!(
            registry.get(&id).map(|node| verdict(&node)),
            Some((Incarnation::new(1), NodeState::Suspect))
        );
        assert_eq!((registry.count(NodeState::Suspect), registry.len()), (1, 1));
    });
}

#[test]
fn loom_snapshot_contains_every_earlier_change() {
    loom::model(|| {
        let registry = SharedNodeRegistry::new();
        let reader = {
            let registry = registry.clone();
            loom::thread::spawn(move || registry.snapshot())
        };
        let _ = registry.apply(claim(1, NodeState::Alive));
        let after: Arc<Snapshot> = registry.snapshot();
        assert_eq!(after.nodes().len(), 1);
        let before = reader.join().unwrap();
        assert!(before.version() <= after.version());
    });
}
