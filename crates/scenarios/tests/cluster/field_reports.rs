//! Tests of whole members with faults that were reported for other systems. The list with the
//! sources is `docs/field-reports.md`.

use std::time::Duration;

use kinfolk::{ClusterEvent, NodeState, Tags};
use kinfolk_scenarios::{Fleet, World, until};

use crate::twice::{LONG, twice};

const SOON: Duration = Duration::from_secs(5);

/// Source: hashicorp/consul#6897. There the new instance stayed out for 42 s.
#[test]
fn name_at_another_address_is_alive_after_a_leave() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::new(world, 4);
        fleet.start_all(&[0, 1, 2, 3]).await;
        fleet.settle(LONG).await;
        fleet.leave(3).await;
        fleet.config(3).listen.set_port(7_500);
        fleet.start_all(&[3]).await;
        fleet.settle(SOON).await;
        let addr = fleet.member(0).members().get(&fleet.id(3)).expect("it is known").addr;
        assert_eq!(addr.socket().port(), 7_500);
        fleet.assert_no_failure();
        fleet.end().await
    });
}

/// Source: hashicorp/memberlist#253.
#[test]
fn tombstones_of_members_that_left_are_removed() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 3);
        for n in 0..3 {
            fleet.config(n).swim.tombstone_ttl = Duration::from_mins(2);
        }
        fleet.start_all(&[0, 1, 2]).await;
        fleet.settle(LONG).await;
        fleet.leave(2).await;
        fleet.pass(Duration::from_mins(3)).await;
        for n in [0, 1] {
            assert_eq!(fleet.member(n).members().nodes().len(), 2);
        }
        fleet.end().await
    });
}

/// Sources: hashicorp/serf#1, hashicorp/serf#638.
#[test]
fn isolated_leave_ends_within_its_limits() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 3);
        fleet.start_all(&[0, 1, 2]).await;
        fleet.settle(LONG).await;
        fleet.world.net.cut(&[World::ip(2)], &[World::ip(0), World::ip(1)]);
        let begin = fleet.world.elapsed();
        // Fleet::stop asserts that each phase ended within its limit.
        fleet.stop(2).await;
        assert!(fleet.world.elapsed() < begin + Duration::from_secs(9));
        fleet.world.net.heal();
        fleet.end().await
    });
}

/// Sources: quickwit-oss/chitchat#161, quickwit-oss/chitchat#94, caio/foca#31.
#[test]
fn restarts_at_other_ports_keep_one_entry() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 3);
        fleet.start_all(&[0, 1, 2]).await;
        fleet.settle(LONG).await;
        for round in 0..10 {
            fleet.crash(&[2]).await;
            fleet.config(2).listen.set_port(7_100 + round);
            fleet.start_all(&[2]).await;
            fleet.settle(SOON).await;
        }
        for n in 0..3 {
            assert_eq!(fleet.member(n).members().nodes().len(), 3);
        }
        fleet.end().await
    });
}

/// Source: quickwit-oss/chitchat#23.
#[test]
fn new_member_never_sees_a_failed_one_alive() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::new(world, 5);
        fleet.start_all(&[0, 1, 2, 3]).await;
        fleet.settle(LONG).await;
        fleet.crash(&[3]).await;
        fleet.settle(LONG).await;
        fleet.start_all(&[4]).await;
        fleet.settle(SOON).await;
        fleet.pass(Duration::from_mins(2)).await;
        let failed = fleet.id(3);
        for entry in fleet.history.entries() {
            if let ClusterEvent::NodeJoined { node } = &entry.event {
                assert!(entry.by != fleet.id(4) || node.id != failed, "{:?}", entry.event);
            }
        }
        fleet.end().await
    });
}

/// Source: quickwit-oss/chitchat#155.
#[test]
fn unequal_tombstone_times_bring_no_member_back() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 4);
        for (n, minutes) in [(0, 2), (1, 4), (2, 8)] {
            fleet.config(n).swim.tombstone_ttl = Duration::from_mins(minutes);
        }
        fleet.start_all(&[0, 1, 2, 3]).await;
        fleet.settle(LONG).await;
        fleet.crash(&[3]).await;
        fleet.settle(LONG).await;
        let before = fleet.history.entries().len();
        fleet.pass(Duration::from_mins(20)).await;
        let failed = fleet.id(3);
        for entry in &fleet.history.entries()[before..] {
            let returned = matches!(&entry.event, ClusterEvent::NodeJoined { node } if node.id == failed);
            assert!(!returned, "at {}", entry.by);
        }
        let view = fleet.member(0).members();
        assert!(view.get(&failed).is_none_or(|node| node.state == NodeState::Failed));
        fleet.end().await
    });
}

/// Source: caio/foca#19.
#[test]
fn queue_of_updates_drains_in_a_quiet_group() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 6);
        fleet.start_all(&[0, 1, 2, 3, 4, 5]).await;
        fleet.settle(LONG).await;
        for number in 0..50 {
            let tags = Tags::new([("number", number.to_string())]).expect("a short tag");
            fleet.member(number % 6).update_tags(tags).await.expect("it runs");
        }
        fleet.settle(LONG).await;
        let is_quiet = || (0..6).all(|n| fleet.member(n).stats().gossip.swim.queued == 0);
        assert!(until(Duration::from_mins(2), is_quiet).await, "updates wait forever");
        fleet.end().await
    });
}

/// Sources: hashicorp/serf#78, hashicorp/consul#18078.
#[test]
fn broadcasts_of_a_single_member_do_not_pile_up() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 2);
        let alone = fleet.start(0);
        for number in 0..3_000_u32 {
            alone.broadcast(number.to_string()).await.expect("it runs");
        }
        let stats = alone.stats().gossip.swim;
        assert!(stats.queued <= 1_025 && stats.broadcasts_dropped > 0, "{stats:?}");
        fleet.start(1).join(&[World::addr(0).to_string()]).await.expect("it is there");
        fleet.settle(SOON).await;
        let drained = || fleet.member(0).stats().gossip.swim.queued == 0;
        assert!(until(Duration::from_mins(5), drained).await);
        fleet.end().await
    });
}

/// Source: hashicorp/serf#333. There the state held only members that were alive at the end.
#[test]
fn member_that_saw_all_others_fail_reconnects() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 3);
        fleet.keep_state();
        fleet.start_all(&[0, 1, 2]).await;
        fleet.settle(LONG).await;
        fleet.crash(&[0, 1]).await;
        // Long enough to declare both failed, and to write the state file.
        fleet.pass(Duration::from_mins(1)).await;
        fleet.crash(&[2]).await;
        for n in [2, 0, 1] {
            fleet.start(n);
        }
        fleet.settle(Duration::from_secs(10)).await;
        fleet.end().await
    });
}
