//! One member crashes, and starts again.

use kinfolk_scenarios::Fleet;

use crate::twice::{LONG, twice};

#[test]
fn a_crash_is_told_once_by_each_survivor_and_a_restart_brings_the_member_back() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::formed(world, 5).await;
        fleet.crash(&[3]).await;
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&[0, 1, 2, 4], &[3])]);

        fleet.start_all(&[3]).await;
        fleet.settle(LONG).await;
        fleet.assert_failures(&[(&[0, 1, 2, 4], &[3])]);
        fleet.end().await
    });
}

#[test]
fn a_member_that_restarts_before_anybody_noticed_is_back_at_once() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::formed(world, 5).await;
        fleet.crash(&[3]).await;
        fleet.start_all(&[3]).await;
        fleet.settle(LONG).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}
