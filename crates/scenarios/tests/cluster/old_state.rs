//! A member that was cut off for longer than the tombstones live comes back with what it knew then.

use std::time::Duration;

use kinfolk::{ClusterEvent, NodeState};
use kinfolk_scenarios::{Fleet, World};

use crate::twice::{LONG, twice};

/// Source: grafana/mimir#11275.
#[test]
fn members_that_left_or_failed_long_ago_do_not_come_back() {
    for size in [4, 9] {
        twice(&[1], async |world| {
            let mut fleet = Fleet::new(world, size);
            for n in 0..size {
                fleet.config(n).swim.tombstone_ttl = Duration::from_mins(2);
            }
            // It hears from nobody, and judges nobody for that long.
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
                assert_eq!(fleet.member(*n).members().nodes().len(), rest.len(), "the tombstones are gone");
            }
            let known = fleet.member(late).members().members().count();
            assert_eq!(known, size, "it still knows them all as members");
            let told = fleet.history.entries().len();
            fleet.world.net.mend();
            fleet.settle(Duration::from_mins(8)).await;
            fleet.pass(Duration::from_mins(1)).await;
            fleet.settle(LONG).await;

            let gone = fleet.ids(&[left, failed]);
            for entry in &fleet.history.entries()[told..] {
                let returned = match &entry.event {
                    ClusterEvent::NodeJoined { node } | ClusterEvent::NodeSuspected { node, .. } => {
                        gone.contains(&node.id) && entry.by != fleet.id(late)
                    }
                    _ => false,
                };
                assert!(!returned, "{:?} at {}", entry.event, entry.by);
            }
            for n in rest.iter().chain(&[late]) {
                let view = fleet.member(*n).members();
                let is_gone = |id| view.get(id).is_none_or(|node| node.state != NodeState::Alive);
                assert!(gone.iter().all(is_gone), "at n{n}");
            }
            fleet.end().await
        });
    }
}
