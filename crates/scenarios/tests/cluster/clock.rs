//! Members with a wrong wall clock.

use std::time::Duration;

use kinfolk_scenarios::{Fleet, World};

use crate::twice::{LONG, twice};

/// More than the 24 h by which two clocks may differ at a join.
const TOO_MUCH: Duration = Duration::from_hours(25);

/// Source: cockroachdb/cockroach#3779.
#[test]
fn join_with_a_clock_far_ahead_fails_until_it_is_right() {
    for keeps_state in [false, true] {
        twice(&[1], async |world| {
            let mut fleet = Fleet::new(world, 4);
            if keeps_state {
                fleet.keep_state();
            }
            fleet.start_all(&[0, 1, 2]).await;
            fleet.settle(LONG).await;

            let ahead = fleet.world.since_epoch() + TOO_MUCH;
            let member = fleet.start_at(3, ahead);
            let error = member.join(&[World::addr(0).to_string()]).await.expect_err("its clock is wrong");
            let text = error.to_string();
            assert!(text.contains("our clock says") && text.contains("its clock says"), "{text}");
            fleet.settle_apart(&[&[0, 1, 2], &[3]], LONG).await;

            fleet.crash(&[3]).await;
            fleet.start_all(&[3]).await;
            fleet.settle(Duration::from_secs(5)).await;
            fleet.assert_no_failure();
            fleet.end().await
        });
    }
}

#[test]
fn join_with_a_clock_far_behind_fails() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 3);
        fleet.start_all(&[0, 1]).await;
        fleet.settle(LONG).await;
        let behind = fleet.world.since_epoch().saturating_sub(TOO_MUCH);
        let member = fleet.start_at(2, behind);
        let error = member.join(&[World::addr(0).to_string()]).await.expect_err("its clock is wrong");
        assert!(error.to_string().contains("24 h apart"), "{error}");
        fleet.settle_apart(&[&[0, 1], &[2]], LONG).await;
        fleet.end().await
    });
}

#[test]
fn former_instance_23_h_ahead_does_not_block_a_join() {
    twice(&[1], async |world| {
        let mut fleet = Fleet::new(world, 3);
        fleet.start_all(&[0, 1]).await;
        let ahead = fleet.world.since_epoch() + Duration::from_hours(23);
        let member = fleet.start_at(2, ahead);
        member.join(&[World::addr(0).to_string()]).await.expect("the clocks are near enough");
        fleet.settle(LONG).await;
        fleet.crash(&[2]).await;
        fleet.start_all(&[2]).await;
        fleet.settle(Duration::from_secs(5)).await;
        fleet.end().await
    });
}
