//! Two members change their tags at the same moment, on a network that loses datagrams.

use kinfolk::Tags;
use kinfolk_scenarios::{Fleet, Link};

use crate::twice::{LONG, twice};

#[test]
fn concurrent_tag_updates_both_reach_all() {
    twice(&[1, 2], async |world| {
        let fleet = Fleet::formed(world, 5).await;
        fleet.world.net.set_links(Link::lossy(0.05));
        let tags = |load| Tags::new([("role", "db"), ("load", load)]).unwrap();
        let updates = async |n: usize, load| fleet.member(n).update_tags(tags(load)).await.unwrap();
        tokio::join!(updates(1, "7"), updates(3, "9"));
        assert!(kinfolk_scenarios::until(LONG, || (0..5).all(|n| is_known_to(&fleet, n))).await);
        fleet.world.net.set_links(Link::GOOD);
        fleet.settle(LONG).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}

/// Whether member `n` knows both updates.
fn is_known_to(fleet: &Fleet, n: usize) -> bool {
    let with = |key, value| -> Vec<_> {
        fleet.member(n).nodes_with_tag(key, value).iter().map(|node| node.id.clone()).collect()
    };
    with("role", "db") == fleet.ids(&[1, 3])
        && with("load", "7") == fleet.ids(&[1])
        && with("load", "9") == fleet.ids(&[3])
}
