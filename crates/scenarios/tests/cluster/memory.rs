//! Members that remember their former lives.

use std::time::Duration;

use kinfolk::{Incarnation, NodeState, Tags};
use kinfolk_scenarios::{Fleet, World, until};

use crate::twice::{LONG, twice};

/// Longer than a member takes to write down what has changed.
const SAVED: Duration = Duration::from_secs(6);

async fn remembering(world: World, size: usize) -> Fleet {
    let mut fleet = Fleet::new(world, size);
    fleet.remember();
    fleet.start_all(&(0..size).collect::<Vec<_>>()).await;
    fleet.settle(LONG).await;
    fleet.pass(SAVED).await;
    fleet
}

fn incarnation(fleet: &Fleet, of: usize, by: usize) -> Incarnation {
    fleet.member(by).members().get(&fleet.id(of)).expect("it is known").incarnation
}

#[test]
fn a_cluster_that_was_killed_whole_is_one_again_within_10_s_without_a_seed() {
    twice(&[1, 2], async |world| {
        let mut fleet = remembering(world, 5).await;
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
fn members_that_come_back_one_by_one_after_a_kill_find_each_other_without_a_seed() {
    twice(&[1], async |world| {
        let mut fleet = remembering(world, 4).await;
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
fn a_cluster_that_was_killed_whole_and_remembers_nothing_stays_apart() {
    twice(&[1], async |world| {
        let mut fleet = remembering(world, 3).await;
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

#[test]
fn the_incarnation_never_goes_back_when_the_clock_did_and_the_process_was_killed() {
    twice(&[1], async |world| {
        let mut fleet = remembering(world, 3).await;
        let mut before = incarnation(&fleet, 2, 2);
        for round in 0..3 {
            // More than are written down ahead, and at once before the kill.
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

#[test]
fn a_thousand_tag_updates_in_a_row_all_arrive_though_each_incarnation_is_written_down_first() {
    twice(&[1], async |world| {
        let fleet = remembering(world, 3).await;
        let begin = incarnation(&fleet, 1, 1);
        for number in 0..3_000 {
            let tags = Tags::new([("number", number.to_string())]).expect("a short tag");
            fleet.member(1).update_tags(tags).await.expect("it runs");
        }
        let arrived = || (0..3).all(|n| fleet.member(n).nodes_with_tag("number", "2999").len() == 1);
        assert!(until(LONG, arrived).await, "the last ones are known to all");
        assert!(incarnation(&fleet, 1, 0) > begin);
        assert_eq!(fleet.member(1).stats().state_write_failures, 0);
        fleet.end().await
    });
}

#[test]
fn a_fleet_that_was_stopped_whole_is_one_again_within_10_s() {
    twice(&[1, 2], async |world| {
        let mut fleet = remembering(world, 5).await;
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

#[test]
fn a_member_that_was_stopped_is_back_within_10_s() {
    twice(&[1], async |world| {
        let mut fleet = remembering(world, 3).await;
        fleet.stop(2).await;
        fleet.pass(Duration::from_mins(5)).await;
        fleet.start(2);
        fleet.settle(Duration::from_secs(10)).await;
        fleet.end().await
    });
}

#[test]
fn a_stop_is_a_leave_where_the_setting_says_so() {
    twice(&[1], async |world| {
        let mut fleet = remembering(world, 3).await;
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
fn a_member_that_left_declines_whoever_contacts_it() {
    twice(&[1], async |world| {
        let mut fleet = remembering(world, 3).await;
        fleet.leave(2).await;
        fleet.stop(0).await;
        fleet.stop(1).await;
        // The stopped ones contact it, for they know nobody who lives.
        fleet.start(2);
        fleet.start(0);
        fleet.pass(Duration::from_mins(2)).await;
        assert!(fleet.member(0).stats().contacts > 0);
        fleet.start(1);
        fleet.settle_apart(&[&[0, 1], &[2]], LONG).await;
        // A join through any seed wakes it, also through itself.
        let own = fleet.member(2).addr().to_string();
        fleet.member(2).join(&[own]).await.expect("there is nothing to do");
        fleet.member(0).join(&[World::addr(2).to_string()]).await.expect("it is there");
        fleet.settle(LONG).await;
        fleet.end().await
    });
}

#[test]
fn one_who_left_on_purpose_does_not_return_until_it_is_given_a_seed() {
    twice(&[1], async |world| {
        let mut fleet = remembering(world, 3).await;
        fleet.leave(2).await;
        fleet.start(2);
        fleet.pass(Duration::from_mins(2)).await;
        assert_eq!(fleet.member(2).members().members().count(), 1);
        let left = fleet.member(0).members().get(&fleet.id(2)).map(|node| node.state);
        assert_eq!(left, Some(NodeState::Left));
        // Also not after a kill: nothing has brought it back.
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
fn one_who_was_brought_back_after_its_leave_returns_by_itself_after_a_kill() {
    twice(&[1], async |world| {
        let mut fleet = remembering(world, 3).await;
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
fn a_member_whose_address_has_changed_returns_by_itself() {
    twice(&[1], async |world| {
        let mut fleet = remembering(world, 3).await;
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
fn a_member_whose_disk_fails_goes_on_and_writes_again_when_it_can() {
    twice(&[1], async |world| {
        let mut fleet = remembering(world, 3).await;
        let next = fleet.config(1).state_dir.clone().expect("it has one").join("kinfolk.state.next");
        // Where this is, no file can be written.
        std::fs::create_dir(&next).expect("a folder can be made");
        for number in 0..2_500 {
            let tags = Tags::new([("number", number.to_string())]).expect("a short tag");
            fleet.member(1).update_tags(tags).await.expect("it runs");
        }
        let arrived = || (0..3).all(|n| fleet.member(n).nodes_with_tag("number", "2499").len() == 1);
        assert!(until(LONG, arrived).await, "a full disk keeps nobody from speaking");
        let stats = fleet.member(1).stats();
        assert!(stats.state_write_failures > 0, "{stats:?}");

        std::fs::remove_dir(&next).expect("it is empty");
        let writes = |fleet: &Fleet| fleet.member(1).stats().state_writes;
        let before = writes(&fleet);
        assert!(until(SAVED, || writes(&fleet) > before).await, "it is tried again");
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
