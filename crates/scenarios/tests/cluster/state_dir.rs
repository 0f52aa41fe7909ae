//! Members with a state directory.

use std::time::Duration;

use kinfolk::{Incarnation, NodeState, Tags};
use kinfolk_scenarios::{Fleet, World, until};

use crate::twice::{LONG, twice};

/// Longer than a member takes to write a change to its state file (5 s).
const SAVED: Duration = Duration::from_secs(6);

async fn formed_with_state(world: World, size: usize) -> Fleet {
    let mut fleet = Fleet::new(world, size);
    fleet.keep_state();
    fleet.start_all(&(0..size).collect::<Vec<_>>()).await;
    fleet.settle(LONG).await;
    fleet.pass(SAVED).await;
    fleet
}

fn incarnation(fleet: &Fleet, of: usize, by: usize) -> Incarnation {
    fleet.member(by).members().get(&fleet.id(of)).expect("it is known").incarnation
}

/// It takes at most 10 s.
#[test]
fn killed_cluster_forms_again_without_a_seed() {
    twice(&[1, 2], async |world| {
        let mut fleet = formed_with_state(world, 5).await;
        let all = [0, 1, 2, 3, 4];
        fleet.crash(&all).await;
        fleet.pass(Duration::from_secs(1)).await;
        for n in all {
            fleet.start(n);
        }
        fleet.settle(Duration::from_secs(10)).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}

#[test]
fn killed_members_reconnect_one_by_one_without_a_seed() {
    twice(&[1], async |world| {
        let mut fleet = formed_with_state(world, 4).await;
        let all = [0, 1, 2, 3];
        fleet.crash(&all).await;
        for n in all {
            fleet.start(n);
            fleet.pass(Duration::from_mins(1)).await;
        }
        fleet.settle(Duration::from_secs(10)).await;
        fleet.end().await
    });
}

#[test]
fn killed_cluster_without_state_stays_apart() {
    twice(&[1], async |world| {
        let mut fleet = formed_with_state(world, 3).await;
        fleet.crash(&[0, 1, 2]).await;
        for n in 0..3 {
            fleet.config(n).state_dir = None;
            fleet.start(n);
        }
        fleet.pass(Duration::from_mins(2)).await;
        fleet.settle_apart(&[&[0], &[1], &[2]], Duration::ZERO).await;
        fleet.end().await
    });
}

/// The process is killed, and its clock goes back by 23 h.
#[test]
fn incarnation_never_goes_back() {
    twice(&[1], async |world| {
        let mut fleet = formed_with_state(world, 3).await;
        let mut before = incarnation(&fleet, 2, 2);
        for round in 0..3 {
            // More than the 1,000 incarnations that the file reserves, right before the kill.
            for number in 0..1_200 {
                let tags = Tags::new([("number", number.to_string())]).expect("a short tag");
                fleet.member(2).update_tags(tags).await.expect("it runs");
            }
            before = before.max(incarnation(&fleet, 2, 2)).max(incarnation(&fleet, 2, 0));
            fleet.crash(&[2]).await;
            // A clock that was set back by nearly as much as clocks may differ at a join.
            let clock = fleet.world.since_epoch().saturating_sub(Duration::from_hours(23));
            let again = fleet.start_at(2, clock);
            let after = again.members().get(again.id()).expect("itself").incarnation;
            assert!(after > before, "round {round}: {after} after {before}");
            fleet.settle(LONG).await;
            before = after;
        }
        fleet.assert_no_failure();
        fleet.end().await
    });
}

/// The member uses no incarnation that its state file does not reserve.
#[test]
fn three_thousand_tag_updates_in_a_row_arrive() {
    twice(&[1], async |world| {
        let fleet = formed_with_state(world, 3).await;
        let begin = incarnation(&fleet, 1, 1);
        for number in 0..3_000 {
            let tags = Tags::new([("number", number.to_string())]).expect("a short tag");
            fleet.member(1).update_tags(tags).await.expect("it runs");
        }
        let arrived = || (0..3).all(|n| fleet.member(n).nodes_with_tag("number", "2999").len() == 1);
        assert!(until(LONG, arrived).await, "the last update reaches all");
        assert!(incarnation(&fleet, 1, 0) > begin);
        assert_eq!(fleet.member(1).stats().state_write_failures, 0);
        fleet.end().await
    });
}

/// It takes at most 10 s.
#[test]
fn stopped_cluster_forms_again_without_a_seed() {
    twice(&[1, 2], async |world| {
        let mut fleet = formed_with_state(world, 5).await;
        let all = [0, 1, 2, 3, 4];
        for n in all {
            fleet.stop(n).await;
        }
        for n in all {
            fleet.start(n);
        }
        fleet.settle(Duration::from_secs(10)).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}

/// It takes at most 10 s.
#[test]
fn stopped_member_returns_by_itself() {
    twice(&[1], async |world| {
        let mut fleet = formed_with_state(world, 3).await;
        fleet.stop(2).await;
        fleet.pass(Duration::from_mins(5)).await;
        fleet.start(2);
        fleet.settle(Duration::from_secs(10)).await;
        fleet.end().await
    });
}

#[test]
fn stop_is_a_leave_with_that_setting() {
    twice(&[1], async |world| {
        let mut fleet = formed_with_state(world, 3).await;
        fleet.config(2).rejoin_after_stop = false;
        fleet.crash(&[2]).await;
        fleet.start(2);
        fleet.settle(LONG).await;
        fleet.stop(2).await;
        fleet.start(2);
        fleet.pass(Duration::from_mins(2)).await;
        assert_eq!(fleet.member(2).members().members().count(), 1);
        fleet.end().await
    });
}

#[test]
fn left_member_declines_all_contacts() {
    twice(&[1], async |world| {
        let mut fleet = formed_with_state(world, 3).await;
        fleet.leave(2).await;
        fleet.stop(0).await;
        fleet.stop(1).await;
        // The stopped members contact it, because they know no running member.
        fleet.start(2);
        fleet.start(0);
        fleet.pass(Duration::from_mins(2)).await;
        assert!(fleet.member(0).stats().contacts > 0);
        fleet.start(1);
        fleet.settle_apart(&[&[0, 1], &[2]], LONG).await;
        // A join through any seed ends that state, also a join through its own address.
        let own = fleet.member(2).addr().to_string();
        fleet.member(2).join(&[own]).await.expect("there is nothing to do");
        fleet.member(0).join(&[World::addr(2).to_string()]).await.expect("it is there");
        fleet.settle(LONG).await;
        fleet.end().await
    });
}

#[test]
fn left_member_returns_only_with_a_seed() {
    twice(&[1], async |world| {
        let mut fleet = formed_with_state(world, 3).await;
        fleet.leave(2).await;
        fleet.start(2);
        fleet.pass(Duration::from_mins(2)).await;
        assert_eq!(fleet.member(2).members().members().count(), 1);
        let left = fleet.member(0).members().get(&fleet.id(2)).map(|node| node.state);
        assert_eq!(left, Some(NodeState::Left));
        // It stays out also after a kill.
        fleet.crash(&[2]).await;
        fleet.start(2);
        fleet.pass(Duration::from_mins(2)).await;
        assert_eq!(fleet.member(2).members().members().count(), 1);

        fleet.member(2).join(&[World::addr(0).to_string()]).await.expect("it is there");
        fleet.settle(LONG).await;
        fleet.end().await
    });
}

#[test]
fn rejoined_member_returns_by_itself_after_a_kill() {
    twice(&[1], async |world| {
        let mut fleet = formed_with_state(world, 3).await;
        fleet.leave(2).await;
        fleet.start_all(&[2]).await;
        fleet.settle(LONG).await;
        fleet.pass(SAVED).await;
        fleet.crash(&[2]).await;
        fleet.start(2);
        fleet.settle(Duration::from_secs(10)).await;
        fleet.end().await
    });
}

#[test]
fn member_at_a_new_address_returns_by_itself() {
    twice(&[1], async |world| {
        let mut fleet = formed_with_state(world, 3).await;
        fleet.crash(&[2]).await;
        fleet.config(2).listen.set_port(7_000);
        fleet.start(2);
        fleet.settle(Duration::from_secs(10)).await;
        let addr = fleet.member(0).members().get(&fleet.id(2)).expect("it is known").addr;
        assert_eq!(addr.socket().port(), 7_000);
        fleet.end().await
    });
}

#[test]
fn member_with_a_failing_disk_goes_on_and_writes_later() {
    twice(&[1], async |world| {
        let mut fleet = formed_with_state(world, 3).await;
        let next = fleet.config(1).state_dir.clone().expect("it has one").join("kinfolk.state.next");
        // A folder in the place of the file makes every write fail.
        std::fs::create_dir(&next).expect("a folder can be made");
        for number in 0..2_500 {
            let tags = Tags::new([("number", number.to_string())]).expect("a short tag");
            fleet.member(1).update_tags(tags).await.expect("it runs");
        }
        let arrived = || (0..3).all(|n| fleet.member(n).nodes_with_tag("number", "2499").len() == 1);
        assert!(until(LONG, arrived).await, "updates are sent although the disk fails");
        let stats = fleet.member(1).stats();
        assert!(stats.state_write_failures > 0, "{stats:?}");

        std::fs::remove_dir(&next).expect("it is empty");
        let writes = |fleet: &Fleet| fleet.member(1).stats().state_writes;
        let before = writes(&fleet);
        assert!(until(SAVED, || writes(&fleet) > before).await, "the write is tried again");
        let highest = incarnation(&fleet, 1, 1);
        fleet.crash(&[1]).await;
        let clock = fleet.world.since_epoch().saturating_sub(Duration::from_hours(23));
        let again = fleet.start_at(1, clock);
        let after = again.members().get(again.id()).expect("itself").incarnation;
        assert!(after > highest, "{after} after {highest}");
        fleet.settle(LONG).await;
        fleet.end().await
    });
}
