//! A member announces its maintenance: within its time nobody suspects it, and nobody chooses it.

use std::time::Duration;

use kinfolk::{ClusterEvent, Health, Service};
use kinfolk_scenarios::{Fleet, World};

use crate::twice::{LONG, twice};

const MINUTE: Duration = Duration::from_mins(1);

/// Five members that offer a service. Member 3 is in maintenance for a minute.
async fn in_maintenance(world: World) -> Fleet {
    let fleet = Fleet::formed(world, 5).await;
    for n in 0..5 {
        fleet.member(n).offer("db", Service::new(1)).await.expect("the member runs");
    }
    fleet.pass(Duration::from_secs(5)).await;
    let _ends_by_itself = fleet.member(3).maintenance(MINUTE, "new kernel").await.expect("the member runs");
    fleet.pass(Duration::from_secs(2)).await;
    fleet
}

/// Asserts that no member has suspected another one, nor declared one failed.
fn assert_no_suspicion(fleet: &Fleet) {
    fleet.assert_no_failure();
    let suspected = |event: &ClusterEvent| matches!(event, ClusterEvent::NodeSuspected { .. });
    let entries = fleet.history.entries();
    let found: Vec<_> = entries.iter().filter(|entry| suspected(&entry.event)).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Half of its time the member is unreachable, as if it were stopped.
#[test]
fn silent_member_in_maintenance_is_not_suspected() {
    twice(&[1, 2], async |world| {
        let fleet = in_maintenance(world).await;
        let others = [0, 1, 2, 4].map(World::ip);
        fleet.world.net.cut(&[World::ip(3)], &others);
        for _ in 0..30 {
            fleet.pass(Duration::from_secs(1)).await;
            let chosen = fleet.member(0).select("db").random().unwrap();
            assert_ne!(chosen.node(), &fleet.id(3));
        }
        // The other side of the cut is one member, which may not accuse the others either: it is
        // isolated. Only the four are asked.
        let by_others = |entry: &kinfolk_scenarios::Entry| entry.by != fleet.id(3);
        let entries = fleet.history.entries();
        let bad = |event: &ClusterEvent| {
            matches!(event, ClusterEvent::NodeSuspected { .. } | ClusterEvent::NodeFailed { .. })
        };
        assert!(!entries.iter().any(|entry| by_others(entry) && bad(&entry.event)), "{entries:?}");
        fleet.world.net.heal();
        fleet.settle(LONG).await;
        fleet.end().await
    });
}

/// A planned restart: the process ends and comes back within the time.
#[test]
fn restart_in_maintenance_is_no_failure() {
    twice(&[1, 2], async |world| {
        let mut fleet = in_maintenance(world).await;
        fleet.crash(&[3]).await;
        fleet.pass(Duration::from_secs(30)).await;
        assert_no_suspicion(&fleet);
        let health = |fleet: &Fleet| fleet.member(0).services("db")[3].health;
        assert_eq!(health(&fleet), Health::Maintenance);
        fleet.start_all(&[3]).await;
        fleet.settle(LONG).await;
        // The new instance does not say that it is in maintenance.
        fleet.member(3).offer("db", Service::new(1)).await.unwrap();
        fleet.pass(Duration::from_secs(5)).await;
        assert_eq!(health(&fleet), Health::Passing);
        assert_no_suspicion(&fleet);
        fleet.end().await
    });
}

#[test]
fn member_that_exceeds_its_maintenance_fails() {
    twice(&[1, 2], async |world| {
        let mut fleet = in_maintenance(world).await;
        fleet.crash(&[3]).await;
        fleet.pass(Duration::from_secs(50)).await;
        assert_no_suspicion(&fleet);
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&[0, 1, 2, 4], &[3])]);
        fleet.end().await
    });
}
