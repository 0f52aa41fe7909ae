//! The network cuts a group in two, and heals.

use std::time::Duration;

use kinfolk::ClusterEvent;
use kinfolk_scenarios::{Fleet, World};

use crate::twice::{LONG, twice};

/// Each side comes to one view of itself. After the heal all come to one view of all.
#[test]
fn views_agree_within_sides_and_after_the_heal() {
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
        fleet.world.net.heal();
        fleet.settle(LONG).await;
        // A verdict of one side may reach a member of the other before the subject can refute it.
        // The subject then refutes it. No member may accept the same verdict twice.
        let mut reports = fleet.history.failures().split_off(before);
        let count = reports.len();
        reports.sort();
        reports.dedup();
        assert_eq!(reports.len(), count, "{reports:?}");
        for n in [0, 1, 2, 3, 4] {
            fleet.member(n).read_only_becomes(false).await.expect("it runs");
        }
        fleet.end().await
    });
}

/// The partition events of each of these members, in order: `Some(minority)` for its start, `None`
/// for its heal.
fn partition_events(fleet: &Fleet, members: &[usize]) -> Vec<Vec<Option<bool>>> {
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

/// All members report the partition and its heal.
#[test]
fn even_cut_within_the_grace_causes_no_failure() {
    twice(&[1, 2], async |world| {
        let fleet = Fleet::formed(world, 8).await;
        let halves = ([0, 1, 2, 3], [4, 5, 6, 7]);
        fleet.world.net.cut(&halves.0.map(World::ip), &halves.1.map(World::ip));
        fleet.pass(Duration::from_secs(29)).await;
        fleet.assert_no_failure();
        assert_eq!(partition_events(&fleet, &[0, 1, 2, 3, 4, 5, 6, 7]), vec![vec![Some(false)]; 8]);

        fleet.world.net.heal();
        fleet.settle(LONG).await;
        fleet.pass(Duration::from_secs(5)).await;
        fleet.assert_no_failure();
        assert_eq!(partition_events(&fleet, &[0, 1, 2, 3, 4, 5, 6, 7]), vec![vec![Some(false), None]; 8]);
        fleet.end().await
    });
}

/// A cut of 7 and 8 members. Each side settles within 15 s of the grace. All settle within 10 s of
/// the heal.
#[test]
fn both_sides_of_a_long_cut_wait_for_the_grace() {
    twice(&[1], async |world| {
        let fleet = Fleet::formed(world, 15).await;
        let all: Vec<usize> = (0..15).collect();
        let (seven, eight) = all.split_at(7);
        let ips = |members: &[usize]| members.iter().map(|n| World::ip(*n)).collect::<Vec<_>>();
        fleet.world.net.cut(&ips(seven), &ips(eight));
        fleet.pass(Duration::from_secs(30)).await;
        fleet.assert_no_failure();
        // The grace begins only when a member knows that more than two fifths are silent.
        fleet.settle_apart(&[seven, eight], Duration::from_secs(15)).await;
        fleet.assert_failures(&[(seven, eight), (eight, seven)]);
        assert_eq!(partition_events(&fleet, seven), vec![vec![Some(true)]; 7]);
        assert_eq!(partition_events(&fleet, eight), vec![vec![Some(false)]; 8]);

        fleet.pass(Duration::from_mins(10)).await;
        fleet.world.net.heal();
        fleet.settle(Duration::from_secs(10)).await;
        fleet.end().await
    });
}
