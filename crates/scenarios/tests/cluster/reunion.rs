//! Members that lost all contact find each other again, also when nobody remembers the others' tombstones.

use std::time::Duration;

use kinfolk::{ClusterEvent, NodeState, Tags};
use kinfolk_scenarios::{Fleet, World, run};

use crate::twice::{LONG, twice};

/// Four members that probe and seek each other seldom, so that a day costs little.
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

#[test]
fn a_cluster_that_was_cut_for_25_hours_comes_together_unaided_when_all_tombstones_are_gone() {
    // Once, because a day is long: that scenarios repeat exactly is shown by all others.
    run(1, async |world| {
        let mut fleet = slow(world);
        fleet.start_all(&[0, 1, 2, 3]).await;
        fleet.settle(LONG).await;
        let (two, others) = ([0, 1], [2, 3]);
        fleet.world.net.cut(&two.map(World::ip), &others.map(World::ip));
        fleet.settle_apart(&[&two, &others], Duration::from_mins(30)).await;
        fleet.pass(Duration::from_hours(25)).await;
        for n in two {
            assert_eq!(fleet.member(n).members().nodes().len(), 2, "the tombstones are gone");
        }
        fleet.world.net.mend();
        fleet.settle(Duration::from_mins(20)).await;
        fleet.end().await
    });
}

#[test]
fn tags_and_leaves_of_either_side_survive_a_reunion_and_nobody_who_left_comes_back() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 6);
        for n in 0..6 {
            // Some tombstones go during the cut.
            fleet.config(n).swim.tombstone_ttl = Duration::from_mins(4);
        }
        fleet.start_all(&[0, 1, 2, 3, 4, 5]).await;
        fleet.settle(LONG).await;
        let (three, others) = ([0, 1, 2], [3, 4, 5]);
        fleet.world.net.cut(&three.map(World::ip), &others.map(World::ip));
        fleet.settle_apart(&[&three, &others], LONG).await;

        // One leaves whose tombstone will be gone on both sides, and one whose is still there at the reunion.
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
        let told = fleet.history.entries().len();
        fleet.world.net.mend();
        fleet.settle(LONG).await;

        for n in [0, 1, 3, 4] {
            let member = fleet.member(n);
            for of in [1, 4] {
                assert_eq!(member.members().get(&fleet.id(of)).expect("it is known").tags, tags(of));
            }
            let left = member.members().get(&fleet.id(2)).map(|node| node.state);
            assert!(left.is_none_or(|state| state == NodeState::Left), "{left:?}");
        }
        // Long enough for whoever still remembers the two to look for them.
        fleet.pass(Duration::from_mins(5)).await;
        let gone = fleet.ids(&[2, 5]);
        for entry in &fleet.history.entries()[told..] {
            if let ClusterEvent::NodeJoined { node } = &entry.event {
                assert!(!gone.contains(&node.id), "{} came back to {}", node.id, entry.by);
            }
        }
        fleet.settle(LONG).await;
        fleet.end().await
    });
}

#[test]
fn members_that_were_all_cut_off_from_each_other_come_together_from_their_seeds() {
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
            // A seed and three members of old, at most each 5 s once the first waits are over.
            let made = contacts(&fleet, n) - before;
            assert!((1..=4 * 130).contains(&made), "n{n} made {made} contacts");
        }
        fleet.world.net.mend();
        fleet.settle(Duration::from_secs(30)).await;
        fleet.end().await
    });
}
