//! One member sits behind slow links.

use std::time::Duration;

use kinfolk_scenarios::{Fleet, Link, World};

use crate::twice::twice;

#[test]
fn a_member_with_a_round_trip_of_200_to_300_ms_is_not_declared_failed() {
    twice(&[1, 2], async |world| {
        let fleet = Fleet::formed(world, 5).await;
        fleet.world.net.set_links_of(World::ip(4), Link::slow(Duration::from_millis(100)));
        fleet.pass(Duration::from_mins(2)).await;
        fleet.assert_no_failure();
        fleet.settle(Duration::from_mins(1)).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}
