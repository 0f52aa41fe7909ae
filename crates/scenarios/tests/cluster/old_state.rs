//! A member that was isolated for longer than tombstones are kept comes back with its old view.

use std::time::Duration;

use kinfolk::{ClusterEvent, NodeState};
use kinfolk_scenarios::{Fleet, World};

use crate::twice::{LONG, twice};

/// Source: grafana/mimir#11275.
#[test]
fn old_view_does_not_bring_removed_members_back() {
    for size in [4, 9] {
        twice(&[1], async |world| {
            let mut fleet = Fleet::new(world, size);
            for n in 0..size {
                fleet.config(n).swim.tombstone_ttl = Duration::from_mins(2);
            }
            // The isolated member gives no verdict for that long, and so keeps its old view.
            fleet.config(0).swim.partition_grace = Duration::from_secs(330);
            let all: Vec<usize> = (0..size).collect();
            fleet.start_all(&all).await;
            fleet.settle(LONG).await;
            let (late, left, failed) = (0, 1, 2);
            let rest = &all[3..];
            fleet.pass(Duration::from_mins(2)).await;

            let others: Vec<_> = all[1..].iter().map(|n| World::ip(*n)).collect();
            fleet.world.net.cut(&[World::ip(late)], &others);
            fleet.leave(left).await;
            fleet.crash(&[failed]).await;
            // Longer than it takes to declare them failed and to remove their tombstones.
            fleet.pass(Duration::from_mins(5)).await;
            for n in rest {
                assert_eq!(fleet.member(*n).members().nodes().len(), rest.len(), "the tombstones are reaped");
            }
            let known = fleet.member(late).members().members().count();
            assert_eq!(known, size, "it still knows them all as members");
            let before = fleet.history.entries().len();
            fleet.world.net.heal();
            fleet.settle(Duration::from_mins(8)).await;
            fleet.pass(Duration::from_mins(1)).await;
            fleet.settle(LONG).await;

            let removed = fleet.ids(&[left, failed]);
            for entry in &fleet.history.entries()[before..] {
                let returned = match &entry.event {
                    ClusterEvent::NodeJoined { node } | ClusterEvent::NodeSuspected { node, .. } => {
                        removed.contains(&node.id) && entry.by != fleet.id(late)
                    }
                    _ => false,
                };
                assert!(!returned, "{:?} at {}", entry.event, entry.by);
            }
            for n in rest.iter().chain(&[late]) {
                let view = fleet.member(*n).members();
                let is_not_alive = |id| view.get(id).is_none_or(|node| node.state != NodeState::Alive);
                assert!(removed.iter().all(is_not_alive), "at n{n}");
            }
            fleet.end().await
        });
    }
}
