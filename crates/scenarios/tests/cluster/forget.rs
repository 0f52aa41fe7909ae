//! All members forget a failed member.

use std::time::Duration;

use kinfolk::{ClusterError, ClusterEvent, ForgetError, NodeState};
use kinfolk_scenarios::{Fleet, World, until};

use crate::twice::{LONG, twice};

/// Whether none of these members has an entry for `of`.
fn is_removed(fleet: &Fleet, at: &[usize], of: usize) -> bool {
    at.iter().all(|n| fleet.member(*n).members().get(&fleet.id(of)).is_none())
}

async fn wait_until_removed(fleet: &Fleet, at: &[usize], of: usize) {
    assert!(until(LONG, || is_removed(fleet, at, of)).await, "n{of} is still in a view");
}

/// Waits until each of these members sees `of` as failed.
async fn wait_until_failed(fleet: &Fleet, at: &[usize], of: usize) {
    let has_failed = |n: &usize| {
        let node = fleet.member(*n).members().get(&fleet.id(of)).cloned();
        node.is_some_and(|node| node.state == NodeState::Failed)
    };
    assert!(until(LONG, || at.iter().all(has_failed)).await, "n{of} has failed");
}

/// The number of events that report the removal of `of`.
fn reaped(fleet: &Fleet, of: usize) -> usize {
    let id = fleet.id(of);
    let entries = fleet.history.entries();
    entries
        .iter()
        .filter(|entry| matches!(&entry.event, ClusterEvent::NodeReaped { id: of } if *of == id))
        .count()
}

/// Source: cortexproject/cortex#4591, grafana/pyroscope#5448.
#[test]
fn forgotten_member_is_removed_and_can_start_again() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::formed(world, 5).await;
        let rest = [0, 1, 2, 4];
        let still = fleet.member(0).forget(&fleet.id(3)).await.expect_err("it runs");
        assert!(matches!(still, ClusterError::Forget(ForgetError::StillMember { .. })), "{still}");
        fleet.crash(&[3]).await;
        wait_until_failed(&fleet, &rest, 3).await;

        let known = fleet.member(0).forget(&fleet.id(3)).await.expect("it has failed");
        assert_eq!((known.addr.socket(), known.state), (World::addr(3), NodeState::Failed));
        assert!(is_removed(&fleet, &[0], 3), "it is removed here at once");
        wait_until_removed(&fleet, &rest, 3).await;
        let again = fleet.member(1).forget(&fleet.id(3)).await.expect_err("no member knows it");
        assert!(matches!(again, ClusterError::Forget(ForgetError::Unknown { .. })), "{again}");
        let partition = fleet.member(1).partition_status();
        assert_eq!((partition.known, partition.live), (4, 4), "it does not count in the size");

        // Contacts and anti-entropy rounds of several minutes do not bring it back.
        let contacts = |fleet: &Fleet| rest.map(|n| fleet.member(n).stats().contacts);
        let before = contacts(&fleet);
        fleet.pass(Duration::from_mins(5)).await;
        assert!(is_removed(&fleet, &rest, 3));
        assert_eq!((contacts(&fleet), reaped(&fleet, 3)), (before, 4), "its address is not contacted");

        fleet.start_all(&[3]).await;
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&rest, &[3])]);
        fleet.end().await
    });
}

/// One member is isolated while another one is forgotten. It knows the tombstone, or does not even
/// know of the failure.
#[test]
fn member_that_missed_the_forget_brings_none_back() {
    for knows_tombstone in [true, false] {
        twice(&[1], async |world| {
            let mut fleet = Fleet::formed(world, 5).await;
            let (rest, others) = ([0, 1, 2], [0, 1, 2, 3]);
            let cut = |fleet: &Fleet| fleet.world.net.cut(&[World::ip(4)], &others.map(World::ip));
            if !knows_tombstone {
                cut(&fleet);
            }
            fleet.crash(&[3]).await;
            let all = [0, 1, 2, 4];
            wait_until_failed(&fleet, if knows_tombstone { &all } else { &rest }, 3).await;
            if knows_tombstone {
                cut(&fleet);
            }
            wait_until_failed(&fleet, &rest, 4).await;
            fleet.member(1).forget(&fleet.id(3)).await.expect("it has failed");
            wait_until_removed(&fleet, &rest, 3).await;
            fleet.pass(Duration::from_mins(1)).await;
            let before = fleet.history.entries().len();

            fleet.world.net.heal();
            fleet.settle(LONG).await;
            wait_until_removed(&fleet, &all, 3).await;
            fleet.pass(Duration::from_mins(5)).await;
            assert!(is_removed(&fleet, &all, 3));
            let back = fleet.history.entries().split_off(before).into_iter().find(
                |entry| matches!(&entry.event, ClusterEvent::NodeJoined { node } if node.id == fleet.id(3)),
            );
            assert_eq!(back, None);

            fleet.start_all(&[3]).await;
            fleet.settle(LONG).await;
            fleet.end().await
        });
    }
}

/// A member is isolated, declared failed and forgotten while it runs.
#[test]
fn forgotten_running_member_returns_by_itself() {
    twice(&[1, 2], async |world| {
        let fleet = Fleet::formed(world, 5).await;
        let rest = [0, 1, 2, 3];
        fleet.world.net.cut(&[World::ip(4)], &rest.map(World::ip));
        wait_until_failed(&fleet, &rest, 4).await;
        fleet.member(0).forget(&fleet.id(4)).await.expect("it has failed here");
        wait_until_removed(&fleet, &rest, 4).await;
        fleet.world.net.heal();
        fleet.settle(LONG).await;
        fleet.end().await
    });
}
