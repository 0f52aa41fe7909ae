//! One member crashes, and starts again.

use kinfolk_scenarios::Fleet;

use crate::twice::{LONG, twice};

#[test]
fn each_survivor_reports_a_crash_once() {
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
fn restart_before_detection_is_no_failure() {
    twice(&[1, 2], async |world| {
        let mut fleet = Fleet::formed(world, 5).await;
        fleet.crash(&[3]).await;
        fleet.start_all(&[3]).await;
        fleet.settle(LONG).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}
