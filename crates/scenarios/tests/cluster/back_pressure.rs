//! One member has little room: for messages on their way, for connections, for dials. Its network
//! gets worse, so that it uses up all of that, and then recovers.

use std::time::Duration;

use kinfolk::{ClusterStats, Tags};
use kinfolk_scenarios::{Fleet, Link, World};

use crate::twice::{LONG, twice};

/// How many members there are.
const SIZE: usize = 12;

/// The member with little room.
const NARROW: usize = 7;

/// How much room it has.
#[derive(Clone, Copy)]
struct Room {
    /// Messages on their way.
    outbox_max: usize,
    /// Connections.
    max_total: usize,
    /// Dials at a time.
    dials_max: usize,
}

/// A cluster whose member `NARROW` has this room.
async fn formed(world: World, room: Room) -> Fleet {
    let mut fleet = Fleet::new(world, SIZE);
    let config = fleet.config(NARROW);
    config.gossip.outbox_max = room.outbox_max;
    let pool = &mut config.pool;
    (pool.max_total, pool.guests_max, pool.dials_max) = (room.max_total, 0, room.dials_max);
    fleet.start_all(&(0..SIZE).collect::<Vec<_>>()).await;
    fleet.settle(LONG).await;
    fleet
}

fn stats(fleet: &Fleet) -> ClusterStats {
    fleet.member(NARROW).stats()
}

/// Lets time pass. Looks at the bounds every second.
async fn pass_within(room: Room, fleet: &Fleet, time: Duration) {
    for _ in 0..time.as_secs() {
        fleet.pass(Duration::from_secs(1)).await;
        let ClusterStats { gossip, pool, .. } = stats(fleet);
        assert!(pool.total <= room.max_total, "{pool:?}");
        // The member's own messages wait in timers, one for each round, and its updates in a queue
        // with one place for each member.
        assert!(gossip.swim.queued <= SIZE, "{gossip:?}");
    }
}

/// Asserts that the member was congested again and again, and so has left each congestion but the
/// last one, and that the counters say what the limits kept back.
fn assert_saturated(before: &ClusterStats, during: &ClusterStats) {
    let (was, is) = (&before.gossip, &during.gossip);
    assert!(is.swim.congestions - was.swim.congestions >= 10, "{is:?}");
    assert!(is.outbox_full > was.outbox_full, "{is:?}");
    assert_eq!((is.answers_full, is.unanswered), (0, 0), "peers get their answers: {is:?}");
}

/// Asserts that a member with a good network is soon congested hardly ever, and does its work: it
/// probes, and what it says reaches all.
async fn assert_recovers(room: Room, fleet: &Fleet) {
    pass_within(room, fleet, Duration::from_mins(1)).await;
    let tags = Tags::new([("k", "v")]).expect("a good tag");
    fleet.member(NARROW).update_tags(tags).await.expect("the member runs");
    fleet.settle(LONG).await;
    // The tags' own messages end within a second or two.
    pass_within(room, fleet, Duration::from_secs(10)).await;

    let before = stats(fleet).gossip.swim;
    pass_within(room, fleet, Duration::from_secs(30)).await;
    let after = stats(fleet).gossip.swim;
    // Room for two messages is full now and then in good times too.
    assert!(after.congestions <= before.congestions + 3, "{after:?}");
    assert_eq!(after.probes_failed, before.probes_failed, "{after:?}");
    assert!(after.acks >= before.acks + 20, "about one a second: {after:?}");
}

#[test]
fn a_member_without_room_on_slow_links_fails_nobody() {
    let room = Room { outbox_max: 4, max_total: 3, dials_max: 1 };
    twice(&[1, 2], async |world| {
        let fleet = formed(world, room).await;
        pass_within(room, &fleet, Duration::from_secs(10)).await;
        let before = stats(&fleet);
        // A round trip of 200 to 300 ms: messages stay under way, and a dial holds the only turn
        // for three of them.
        fleet.world.net.set_links_of(World::ip(NARROW), Link::slow(Duration::from_millis(100)));
        pass_within(room, &fleet, Duration::from_mins(1)).await;
        let during = stats(&fleet);
        assert_saturated(&before, &during);
        assert!(during.pool.refused_full > before.pool.refused_full, "{:?}", during.pool);
        assert!(during.pool.evicted > before.pool.evicted, "{:?}", during.pool);
        fleet.assert_no_failure();

        fleet.world.net.set_links_of(World::ip(NARROW), Link::GOOD);
        assert_recovers(room, &fleet).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}

/// The requests to five of eleven peers are lost, and hold the little room for their whole time.
/// The member still answers the others, so none of them suspects it.
#[test]
fn a_member_without_room_still_answers_those_that_reach_it() {
    let room = Room { outbox_max: 2, max_total: 50, dials_max: 16 };
    twice(&[1, 2], async |world| {
        let fleet = formed(world, room).await;
        pass_within(room, &fleet, Duration::from_secs(10)).await;
        let before = stats(&fleet);
        let lost: Vec<_> = (0..5).map(World::ip).collect();
        fleet.world.net.cut(&[World::ip(NARROW)], &lost);
        pass_within(room, &fleet, Duration::from_mins(1)).await;
        let during = stats(&fleet);
        assert_saturated(&before, &during);
        assert_eq!(during.gossip.swim.refutations, 0, "nobody suspected it: {:?}", during.gossip.swim);
        fleet.assert_no_failure();

        fleet.world.net.mend();
        assert_recovers(room, &fleet).await;
        fleet.assert_no_failure();
        fleet.end().await
    });
}
