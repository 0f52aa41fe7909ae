//! One member has low limits for outgoing messages, connections and dials. Its network gets worse,
//! so that it reaches these limits. Then the network recovers, and so must the member.

use std::time::Duration;

use kinfolk::{ClusterStats, Tags};
use kinfolk_scenarios::{Fleet, Link, World};

use crate::twice::{LONG, twice};

/// The number of members.
const SIZE: usize = 12;

/// The member with low limits.
const LIMITED: usize = 7;

/// The limits of that member.
#[derive(Clone, Copy)]
struct Room {
    /// The maximum number of outgoing messages at a time.
    outbox_max: usize,
    /// The maximum number of connections.
    max_total: usize,
    /// The maximum number of dials at a time.
    dials_max: usize,
}

/// Forms a cluster whose member `LIMITED` has these limits.
async fn formed(world: World, room: Room) -> Fleet {
    let mut fleet = Fleet::new(world, SIZE);
    let config = fleet.config(LIMITED);
    config.gossip.outbox_max = room.outbox_max;
    let pool = &mut config.pool;
    (pool.max_total, pool.guests_max, pool.dials_max) = (room.max_total, 0, room.dials_max);
    fleet.start_all(&(0..SIZE).collect::<Vec<_>>()).await;
    fleet.settle(LONG).await;
    fleet
}

fn stats(fleet: &Fleet) -> ClusterStats {
    fleet.member(LIMITED).stats()
}

/// Lets time pass. Checks the bounds every second.
async fn pass_within(room: Room, fleet: &Fleet, time: Duration) {
    for _ in 0..time.as_secs() {
        fleet.pass(Duration::from_secs(1)).await;
        let ClusterStats { gossip, pool, .. } = stats(fleet);
        assert!(pool.total <= room.max_total, "{pool:?}");
        // The member's own messages wait in timers, one for each round. Its updates wait in a queue
        // with one place for each member.
        assert!(gossip.swim.queued <= SIZE, "{gossip:?}");
    }
}

/// Asserts that the member met back-pressure repeatedly, and so recovered from each time but the
/// last. The counters must show what the limits refused.
fn assert_saturated(before: &ClusterStats, during: &ClusterStats) {
    let (was, is) = (&before.gossip, &during.gossip);
    assert!(is.swim.back_pressures - was.swim.back_pressures >= 10, "{is:?}");
    assert!(is.outbox_full > was.outbox_full, "{is:?}");
    assert_eq!((is.answers_full, is.unanswered), (0, 0), "peers get their answers: {is:?}");
}

/// Asserts that a member with a good network soon meets back-pressure rarely, and works: it probes,
/// and its updates reach all.
async fn assert_recovers(room: Room, fleet: &Fleet) {
    pass_within(room, fleet, Duration::from_mins(1)).await;
    let tags = Tags::new([("k", "v")]).expect("a good tag");
    fleet.member(LIMITED).update_tags(tags).await.expect("the member runs");
    fleet.settle(LONG).await;
    // The messages that carry the tags end within a second or two.
    pass_within(room, fleet, Duration::from_secs(10)).await;

    let before = stats(fleet).gossip.swim;
    pass_within(room, fleet, Duration::from_secs(30)).await;
    let after = stats(fleet).gossip.swim;
    // A limit of two messages is sometimes reached on a good network too.
    assert!(after.back_pressures <= before.back_pressures + 3, "{after:?}");
    assert_eq!(after.probes_failed, before.probes_failed, "{after:?}");
    assert!(after.acks >= before.acks + 20, "about one a second: {after:?}");
}

#[test]
fn limited_member_on_slow_links_declares_no_failure() {
    let room = Room { outbox_max: 4, max_total: 3, dials_max: 1 };
    twice(&[1, 2], async |world| {
        let fleet = formed(world, room).await;
        pass_within(room, &fleet, Duration::from_secs(10)).await;
        let before = stats(&fleet);
        // The round trip is 200 to 300 ms. So messages wait, and a dial holds the only turn for
        // three round trips.
        fleet.world.net.set_links_of(World::ip(LIMITED), Link::slow(Duration::from_millis(100)));
        pass_within(room, &fleet, Duration::from_mins(1)).await;
        let during = stats(&fleet);
        assert_saturated(&before, &during);
        assert!(during.pool.refused_full > before.pool.refused_full, "{:?}", during.pool);
        assert!(during.pool.evicted > before.pool.evicted, "{:?}", during.pool);
        fleet.assert_no_failure();

        fleet.world.net.set_links_of(World::ip(LIMITED), Link::GOOD);
        assert_recovers(room, &fleet).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}

/// The requests to five of eleven peers are lost, and use up the limits until they time out. The
/// member still answers the other peers, so none of them suspects it.
#[test]
fn limited_member_still_answers_the_peers_that_reach_it() {
    let room = Room { outbox_max: 2, max_total: 50, dials_max: 16 };
    twice(&[1, 2], async |world| {
        let fleet = formed(world, room).await;
        pass_within(room, &fleet, Duration::from_secs(10)).await;
        let before = stats(&fleet);
        let lost: Vec<_> = (0..5).map(World::ip).collect();
        fleet.world.net.cut(&[World::ip(LIMITED)], &lost);
        pass_within(room, &fleet, Duration::from_mins(1)).await;
        let during = stats(&fleet);
        assert_saturated(&before, &during);
        assert_eq!(during.gossip.swim.refutations, 0, "no peer suspected it: {:?}", during.gossip.swim);
        fleet.assert_no_failure();

        fleet.world.net.heal();
        assert_recovers(room, &fleet).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}
