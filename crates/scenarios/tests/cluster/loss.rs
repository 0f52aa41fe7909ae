//! The network loses datagrams for two minutes.

use std::time::Duration;

use kinfolk_scenarios::{Fleet, Link};

use crate::twice::{LONG, twice};

fn no_member_is_declared_failed_at(loss: f64, seeds: &[u64]) {
    twice(seeds, async |world| {
        let fleet = Fleet::formed(world, 5).await;
        fleet.world.net.set_links(Link::lossy(loss));
        fleet.pass(Duration::from_mins(2)).await;
        fleet.assert_no_failure();
        let stats = fleet.world.net.stats();
        assert!(stats.lost > 0, "{stats:?}");
        fleet.world.net.set_links(Link::GOOD);
        fleet.settle(LONG).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}

#[test]
fn no_member_is_declared_failed_at_1_percent_loss() {
    no_member_is_declared_failed_at(0.01, &[1, 2]);
}

#[test]
fn no_member_is_declared_failed_at_5_percent_loss() {
    no_member_is_declared_failed_at(0.05, &[1, 2]);
}

#[test]
fn no_member_is_declared_failed_at_20_percent_loss() {
    no_member_is_declared_failed_at(0.2, &[1, 2]);
}
