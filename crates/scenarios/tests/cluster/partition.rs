//! A group is cut in two, and comes together again.

use std::time::Duration;

use kinfolk::ClusterEvent;
use kinfolk_scenarios::{Fleet, World};

use crate::twice::{LONG, twice};

#[test]
fn each_side_of_a_partition_holds_one_view_of_itself_and_all_hold_one_view_of_all_after_its_repair() {
    twice(&[1, 2], async |world| {
        let fleet = Fleet::formed(world, 5).await;
        let (three, two) = ([0, 1, 2], [3, 4]);
        fleet.world.net.cut(&three.map(World::ip), &two.map(World::ip));
        fleet.settle_apart(&[&three, &two], LONG).await;
        fleet.assert_failures(&[(&three, &two), (&two, &three)]);
        for n in two {
            fleet.member(n).read_only_becomes(true).await.expect("it runs");
        }
        for n in three {
            let status = fleet.member(n).partition_status();
            assert!(!fleet.member(n).is_read_only() && !status.minority, "{status:?}");
        }

        let before = fleet.history.failures().len();
        fleet.world.net.mend();
        fleet.settle(LONG).await;
        // A verdict of the other side may come to a member before its subject can refute it, which it then does. Nobody
        // falls for the same one twice.
        let mut told = fleet.history.failures().split_off(before);
        let count = told.len();
        told.sort();
        told.dedup();
        assert_eq!(told.len(), count, "{told:?}");
        for n in [0, 1, 2, 3, 4] {
            fleet.member(n).read_only_becomes(false).await.expect("it runs");
        }
        fleet.end().await
    });
}

/// What of a partition each of these members has told, in order: whether it began as a minority, and that it healed.
fn told(fleet: &Fleet, members: &[usize]) -> Vec<Vec<Option<bool>>> {
    let of = |n: &usize| {
        let entries = fleet.history.entries();
        let own = entries.into_iter().filter(|entry| entry.by == fleet.id(*n));
        own.filter_map(|entry| match entry.event {
            ClusterEvent::PartitionDetected { minority, .. } => Some(Some(minority)),
            ClusterEvent::PartitionHealed { .. } => Some(None),
            _ => None,
        })
        .collect()
    };
    members.iter().map(of).collect()
}

#[test]
fn a_cut_in_halves_that_is_shorter_than_the_grace_is_told_by_all_and_fails_nobody() {
    twice(&[1, 2], async |world| {
        let fleet = Fleet::formed(world, 8).await;
        let halves = ([0, 1, 2, 3], [4, 5, 6, 7]);
        fleet.world.net.cut(&halves.0.map(World::ip), &halves.1.map(World::ip));
        fleet.pass(Duration::from_secs(29)).await;
        fleet.assert_no_failure();
        assert_eq!(told(&fleet, &[0, 1, 2, 3, 4, 5, 6, 7]), vec![vec![Some(false)]; 8]);

        fleet.world.net.mend();
        fleet.settle(LONG).await;
        fleet.pass(Duration::from_secs(5)).await;
        fleet.assert_no_failure();
        assert_eq!(told(&fleet, &[0, 1, 2, 3, 4, 5, 6, 7]), vec![vec![Some(false), None]; 8]);
        fleet.end().await
    });
}

#[test]
fn both_sides_of_a_cut_of_fifteen_hold_for_the_grace_and_settle_within_ten_seconds_of_it_and_of_the_repair() {
    twice(&[1], async |world| {
        let fleet = Fleet::formed(world, 15).await;
        let all: Vec<usize> = (0..15).collect();
        let (seven, eight) = all.split_at(7);
        let ips = |members: &[usize]| members.iter().map(|n| World::ip(*n)).collect::<Vec<_>>();
        fleet.world.net.cut(&ips(seven), &ips(eight));
        fleet.pass(Duration::from_secs(30)).await;
        fleet.assert_no_failure();
        // The grace begins when nearly half are known to be silent.
        fleet.settle_apart(&[seven, eight], Duration::from_secs(15)).await;
        fleet.assert_failures(&[(seven, eight), (eight, seven)]);
        assert_eq!(told(&fleet, seven), vec![vec![Some(true)]; 7]);
        assert_eq!(told(&fleet, eight), vec![vec![Some(false)]; 8]);

        fleet.pass(Duration::from_mins(10)).await;
        fleet.world.net.mend();
        fleet.settle(Duration::from_secs(10)).await;
        fleet.end().await
    });
}
