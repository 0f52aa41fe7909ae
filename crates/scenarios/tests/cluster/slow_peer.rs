//! One member has slow links.

use std::time::Duration;

use kinfolk_scenarios::{Fleet, Link, World};

use crate::twice::twice;

/// The round trip to the member is 200 to 300 ms.
#[test]
fn member_on_slow_links_is_not_declared_failed() {
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
