//! A member that failed is forgotten by all.

use std::time::Duration;

use kinfolk::{ClusterError, ClusterEvent, ForgetError, NodeState};
use kinfolk_scenarios::{Fleet, World, until};

use crate::twice::{LONG, twice};

/// Whether each of these members has no entry of `of`.
fn is_gone(fleet: &Fleet, at: &[usize], of: usize) -> bool {
    at.iter().all(|n| fleet.member(*n).members().get(&fleet.id(of)).is_none())
}

async fn wait_until_gone(fleet: &Fleet, at: &[usize], of: usize) {
    assert!(until(LONG, || is_gone(fleet, at, of)).await, "n{of} is still in a view");
}

/// Each of these members has `of` as failed.
async fn wait_until_failed(fleet: &Fleet, at: &[usize], of: usize) {
    let has_failed = |n: &usize| {
        let node = fleet.member(*n).members().get(&fleet.id(of)).cloned();
        node.is_some_and(|node| node.state == NodeState::Failed)
    };
    assert!(until(LONG, || at.iter().all(has_failed)).await, "n{of} has failed");
}

/// How often a member told that `of` was removed.
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
fn a_forgotten_member_is_gone_from_all_views_and_returns_when_it_starts() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::formed(world, 5).await;
        let rest = [0, 1, 2, 4];
        let still = fleet.member(0).forget(&fleet.id(3)).await.expect_err("it lives");
        assert!(matches!(still, ClusterError::Forget(ForgetError::StillMember { .. })), "{still}");
        fleet.crash(&[3]).await;
        wait_until_failed(&fleet, &rest, 3).await;

        let known = fleet.member(0).forget(&fleet.id(3)).await.expect("it has failed");
        assert_eq!((known.addr.socket(), known.state), (World::addr(3), NodeState::Failed));
        assert!(is_gone(&fleet, &[0], 3), "here it is gone at once");
        wait_until_gone(&fleet, &rest, 3).await;
        let again = fleet.member(1).forget(&fleet.id(3)).await.expect_err("nobody remembers it");
        assert!(matches!(again, ClusterError::Forget(ForgetError::Unknown { .. })), "{again}");
        let partition = fleet.member(1).partition_status();
        assert_eq!((partition.known, partition.live), (4, 4), "it counts no more");

        // All contacts and comparisons of several minutes bring nothing back.
        let heals = |fleet: &Fleet| rest.map(|n| fleet.member(n).stats().contacts);
        let before = heals(&fleet);
        fleet.pass(Duration::from_mins(5)).await;
        assert!(is_gone(&fleet, &rest, 3));
        assert_eq!((heals(&fleet), reaped(&fleet, 3)), (before, 4), "its address is not contacted");

        fleet.start_all(&[3]).await;
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&rest, &[3])]);
        fleet.end().await
    });
}

/// One member is cut off while another is forgotten; it knows the tombstone, or does not even know
/// of the failure.
#[test]
fn a_member_that_missed_the_word_brings_nobody_back() {
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
            wait_until_gone(&fleet, &rest, 3).await;
            fleet.pass(Duration::from_mins(1)).await;
            let told = fleet.history.entries().len();

            fleet.world.net.mend();
            fleet.settle(LONG).await;
            wait_until_gone(&fleet, &all, 3).await;
            fleet.pass(Duration::from_mins(5)).await;
            assert!(is_gone(&fleet, &all, 3));
            let back = fleet.history.entries().split_off(told).into_iter().find(
                |entry| matches!(&entry.event, ClusterEvent::NodeJoined { node } if node.id == fleet.id(3)),
            );
            assert_eq!(back, None);

            fleet.start_all(&[3]).await;
            fleet.settle(LONG).await;
            fleet.end().await
        });
    }
}

/// A member is declared failed and forgotten though it lives: it was only cut off.
#[test]
fn a_forgotten_member_that_lives_returns_by_itself() {
    twice(&[1, 2], async |world| {
        let fleet = Fleet::formed(world, 5).await;
        let rest = [0, 1, 2, 3];
        fleet.world.net.cut(&[World::ip(4)], &rest.map(World::ip));
        wait_until_failed(&fleet, &rest, 4).await;
        fleet.member(0).forget(&fleet.id(4)).await.expect("it has failed here");
        wait_until_gone(&fleet, &rest, 4).await;
        fleet.world.net.mend();
        fleet.settle(LONG).await;
        fleet.end().await
    });
}
