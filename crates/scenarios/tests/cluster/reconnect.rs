//! Members without any contact connect again, also after all tombstones have been reaped.

use std::time::Duration;

use kinfolk::{ClusterEvent, NodeState, Tags};
use kinfolk_scenarios::{Fleet, World, run};

use crate::twice::{LONG, twice};

/// Four members with long intervals, so that a simulated day takes little real time.
fn slow(world: World) -> Fleet {
    let mut fleet = Fleet::new(world, 4);
    for n in 0..4 {
        let config = fleet.config(n);
        config.swim.probe_interval = Duration::from_secs(50);
        config.swim.tolerated_pause = Duration::from_mins(2);
        config.health.check_interval = Duration::from_secs(50);
        config.swim.sync_interval = Duration::from_mins(5);
        config.swim.heal_interval = Some(Duration::from_mins(5));
    }
    fleet
}

/// The tombstones (24 h) are reaped during the cut.
#[test]
fn cluster_heals_by_itself_after_a_cut_of_25_hours() {
    // Run it once, because a day takes long. The other scenarios show that runs repeat exactly.
    run(1, async |world| {
        let mut fleet = slow(world);
        fleet.start_all(&[0, 1, 2, 3]).await;
        fleet.settle(LONG).await;
        let (two, others) = ([0, 1], [2, 3]);
        fleet.world.net.cut(&two.map(World::ip), &others.map(World::ip));
        fleet.settle_apart(&[&two, &others], Duration::from_mins(30)).await;
        fleet.pass(Duration::from_hours(25)).await;
        for n in two {
            assert_eq!(fleet.member(n).members().nodes().len(), 2, "the tombstones are reaped");
        }
        fleet.world.net.heal();
        fleet.settle(Duration::from_mins(20)).await;
        fleet.end().await
    });
}

#[test]
fn tags_and_leaves_of_both_sides_survive_a_heal() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 6);
        for n in 0..6 {
            // Some tombstones are reaped during the cut.
            fleet.config(n).swim.tombstone_ttl = Duration::from_mins(4);
        }
        fleet.start_all(&[0, 1, 2, 3, 4, 5]).await;
        fleet.settle(LONG).await;
        let (three, others) = ([0, 1, 2], [3, 4, 5]);
        fleet.world.net.cut(&three.map(World::ip), &others.map(World::ip));
        fleet.settle_apart(&[&three, &others], LONG).await;

        // The tombstone of n5 is reaped on both sides before the heal. The tombstone of n2 is still
        // there.
        fleet.leave(5).await;
        fleet.pass(Duration::from_mins(5)).await;
        fleet.leave(2).await;
        let tags = |n: usize| Tags::new([("set-by", n.to_string())]).expect("a short tag");
        for n in [1, 4] {
            for _ in 0..3 {
                fleet.member(n).update_tags(tags(n)).await.expect("it runs");
            }
        }
        fleet.settle_apart(&[&[0, 1], &[3, 4]], LONG).await;
        let before = fleet.history.entries().len();
        fleet.world.net.heal();
        fleet.settle(LONG).await;

        for n in [0, 1, 3, 4] {
            let member = fleet.member(n);
            for of in [1, 4] {
                assert_eq!(member.members().get(&fleet.id(of)).expect("it is known").tags, tags(of));
            }
            let left = member.members().get(&fleet.id(2)).map(|node| node.state);
            assert!(left.is_none_or(|state| state == NodeState::Left), "{left:?}");
        }
        // Long enough for members that still know the two addresses to contact them.
        fleet.pass(Duration::from_mins(5)).await;
        let left = fleet.ids(&[2, 5]);
        for entry in &fleet.history.entries()[before..] {
            if let ClusterEvent::NodeJoined { node } = &entry.event {
                assert!(!left.contains(&node.id), "{} came back to {}", node.id, entry.by);
            }
        }
        fleet.settle(LONG).await;
        fleet.end().await
    });
}

#[test]
fn isolated_members_reconnect_through_their_seeds() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 4);
        for n in 0..4 {
            fleet.config(n).swim.tombstone_ttl = Duration::from_mins(5);
        }
        fleet.start_all(&[0, 1, 2, 3]).await;
        fleet.settle(LONG).await;
        for n in 0..4 {
            let others: Vec<_> = (0..4).filter(|other| *other != n).map(World::ip).collect();
            fleet.world.net.cut(&[World::ip(n)], &others);
        }
        fleet.settle_apart(&[&[0], &[1], &[2], &[3]], Duration::from_mins(5)).await;
        let contacts = |fleet: &Fleet, n: usize| fleet.member(n).stats().contacts;
        let before: Vec<u64> = (0..4).map(|n| contacts(&fleet, n)).collect();
        fleet.pass(Duration::from_mins(10)).await;
        for (n, before) in before.into_iter().enumerate() {
            // A seed and three former members, each at most every 5 s after the first waits.
            let made = contacts(&fleet, n) - before;
            assert!((1..=4 * 130).contains(&made), "n{n} made {made} contacts");
        }
        fleet.world.net.heal();
        fleet.settle(Duration::from_secs(30)).await;
        fleet.end().await
    });
}
