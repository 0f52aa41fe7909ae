//! The pool with fake connections, under tokio's paused clock: hours pass in no real time, and the
//! test controls each step.
#![cfg(not(kinfolk_loom))]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use kinfolk_core::NodeId;

use super::fake::{Conn, Network, TestPool, World, closed, pass, peer, pool, settle};
use super::*;

#[tokio::test(start_paused = true)]
async fn max_total_connections_enforced() {
    let (pool, world) = pool(PoolConfig::default());
    let mut leases = Vec::new();
    for n in 0..50 {
        leases.push(pool.acquire(&peer(n)).await.unwrap());
    }
    let refused = pool.acquire(&peer(50)).await.unwrap_err();
    assert_eq!(refused, PoolError::PoolFull { current: 50, max: 50 });

    drop(leases.swap_remove(20));
    pass(Duration::from_secs(1)).await;
    drop(leases.swap_remove(10));
    // Peer 20 was idle for longer than peer 10.
    pool.acquire(&peer(50)).await.unwrap();
    assert_eq!(closed(&world), [(peer(20).id, CloseReason::Evicted)]);
    assert_eq!((world.open_most.load(SeqCst), pool.stats().total), (50, 50));
}

#[tokio::test(start_paused = true)]
async fn per_peer_limit_enforced() {
    let (pool, world) = pool(PoolConfig { max_per_peer: 2, ..PoolConfig::default() });
    let (one, two) = (peer(1), peer(2));
    let outcomes =
        tokio::join!(pool.acquire_another(&one), pool.acquire_another(&one), pool.acquire_another(&one));
    let (Ok(first), Ok(second), Err(third)) = outcomes else { panic!("expected two leases and one error") };
    assert_ne!(first.id(), second.id());
    assert_eq!(third, PoolError::PoolFull { current: 2, max: 2 });
    // A shared connection needs no further one, and another peer has its own limit.
    pool.acquire(&one).await.unwrap();
    pool.acquire_another(&two).await.unwrap();
    assert_eq!(world.dials.load(SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn idle_cleanup_loop_integration() {
    let (pool, world) = pool(PoolConfig::default());
    let held = pool.acquire(&peer(1)).await.unwrap();
    drop(pool.acquire(&peer(2)).await.unwrap());
    pass(Duration::from_secs(59)).await;
    assert_eq!(pool.stats().total, 2, "no connection closes before 60 s of idle time");
    // The loop runs every 30 s, so an idle connection stays for at most 90 s.
    pass(Duration::from_secs(32)).await;
    assert_eq!(closed(&world), [(peer(2).id, CloseReason::Idle)]);
    drop(held);
    pass(Duration::from_secs(91)).await;
    assert_eq!(pool.stats().total, 0);
    assert_eq!(pool.stats().idle_closed, 2);
}

#[tokio::test(start_paused = true)]
async fn pool_exhausted_error() {
    let (pool, world) = pool(PoolConfig { max_total: 2, ..PoolConfig::default() });
    world.refusing.lock().insert(peer(9).id);
    for _ in 0..10 {
        let failed = pool.acquire(&peer(9)).await.unwrap_err();
        assert_eq!(failed, PoolError::Dial { peer: peer(9), cause: DialError::Busy });
    }
    assert_eq!(pool.stats().total, 0, "a failed dial leaves no slot");
    let held = (pool.acquire(&peer(1)).await.unwrap(), pool.acquire(&peer(2)).await.unwrap());
    assert_eq!(pool.acquire(&peer(3)).await.unwrap_err(), PoolError::PoolFull { current: 2, max: 2 });
    drop(held);
    pool.acquire(&peer(3)).await.unwrap();
    assert_eq!(pool.stats().refused_full, 1);
}

#[tokio::test(start_paused = true)]
async fn connection_reuse() {
    let (pool, world) = pool(PoolConfig::default());
    let (first, second) = (pool.acquire(&peer(1)).await.unwrap(), pool.acquire(&peer(1)).await.unwrap());
    drop(pool.acquire(&peer(1)).await.unwrap());
    assert_eq!(first.id(), second.id());
    assert_eq!((world.dials.load(SeqCst), pool.stats().in_use), (1, 1));
    drop((first, second));
    assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 1));
    assert!((pool.stats().reuse_ratio() - 2.0 / 3.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn idle_eviction() {
    let (pool, world) = pool(PoolConfig { max_total: 3, ..PoolConfig::default() });
    for n in [1, 2, 3, 1] {
        drop(pool.acquire(&peer(n)).await.unwrap());
        pass(Duration::from_secs(1)).await;
    }
    // Peer 2 is the least recently used.
    drop(pool.acquire(&peer(4)).await.unwrap());
    assert_eq!(closed(&world), [(peer(2).id, CloseReason::Evicted)]);
    assert_eq!((pool.stats().total, pool.stats().evicted), (3, 1));
}

/// Peer `n` opens a connection now.
fn peer_connects(pool: &TestPool, world: &Arc<World>, n: usize) -> (ConnId, Taken) {
    let (id, name) = (pool.new_id(), peer(n).id);
    let route = Route::new(&name, Lane::Requests);
    (id, pool.adopt(id, route, Conn::open(world, &name), Side::Remote))
}

#[tokio::test(start_paused = true)]
async fn guests_are_closed_when_idle_or_find_room() {
    let default = PoolConfig::default();
    let (pool, world) =
        pool(PoolConfig { max_total: 2, guests_max: 3, idle_timeout: Duration::MAX, ..default.clone() });
    for n in 0..5 {
        assert_eq!(peer_connects(&pool, &world, n).1, Taken::InUse);
    }
    assert_eq!((pool.stats().total, pool.stats().guests, closed(&world)), (5, 3, vec![]));
    // Callers use a guest like any other connection. One guest beyond the limit closes the
    // connection that was idle for longest and is not a guest.
    drop(pool.acquire(&peer(4)).await.unwrap());
    assert_eq!(world.dials.load(SeqCst), 0);
    pass(Duration::from_secs(1)).await;
    let (last, taken) = peer_connects(&pool, &world, 5);
    assert_eq!(taken, Taken::InUse);
    assert_eq!(closed(&world), [(peer(0).id, CloseReason::Evicted)]);
    assert_eq!((pool.stats().total, pool.stats().guests), (5, 3));
    // At the next round, guests that were idle for 5 s are closed, unless there is room for them.
    let used = pool.acquire(&peer(2)).await.unwrap();
    pass(default.health_interval).await;
    assert_eq!((pool.stats().total, pool.stats().guests), (3, 1));
    drop(used);
    pool.remove(last);
    pass(default.health_interval).await;
    assert_eq!((pool.stats().total, pool.stats().guests, pool.stats().evicted), (2, 0, 3));
}

/// The new connection gets the freed place, so it is not a guest.
#[tokio::test(start_paused = true)]
async fn peer_evicts_a_connection_idle_for_5_s() {
    let (pool, world) = pool(PoolConfig { max_total: 2, ..PoolConfig::default() });
    for n in 0..2 {
        assert_eq!(peer_connects(&pool, &world, n).1, Taken::InUse);
    }
    pass(Duration::from_secs(5)).await;
    assert_eq!(peer_connects(&pool, &world, 2).1, Taken::InUse);
    assert_eq!(closed(&world), [(peer(0).id, CloseReason::Evicted)]);
    assert_eq!((pool.stats().total, pool.stats().guests), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn concurrent_access() {
    let (pool, world) = pool(PoolConfig { max_total: 8, ..PoolConfig::default() });
    let callers = (0..400).map(|n| {
        let pool = pool.clone();
        tokio::spawn(async move {
            pass(Duration::from_millis(n % 37)).await;
            match pool.acquire(&peer((n % 12) as usize)).await {
                Ok(lease) => {
                    pass(Duration::from_millis(n % 5)).await;
                    drop(lease);
                }
                Err(error) => assert!(matches!(error, PoolError::PoolFull { max: 8, .. }), "{error}"),
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    assert!(world.open_most.load(SeqCst) <= 8);
    assert_eq!((pool.stats().in_use, pool.stats().connecting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn single_flight_connect() {
    let (pool, world) = pool(PoolConfig::default());
    let one = peer(1);
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (pool, one) = (pool.clone(), one.clone());
            tokio::spawn(async move { pool.acquire(&one).await.map(|lease| lease.id()) })
        })
        .collect();
    // The first caller gives up. The other callers still get the connection.
    settle().await;
    callers[0].abort();
    let mut ids = HashSet::new();
    for caller in callers.into_iter().skip(1) {
        ids.insert(caller.await.unwrap().unwrap());
    }
    assert_eq!((world.dials.load(SeqCst), ids.len()), (1, 1));
    settle().await;
    assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 1), "no use is left behind");
}

#[tokio::test(start_paused = true)]
async fn failed_dial_gives_every_waiter_its_cause() {
    let (pool, world) = pool(PoolConfig::default());
    world.refusing.lock().insert(peer(1).id);
    let one = peer(1);
    let (a, b) = tokio::join!(pool.acquire(&one), pool.acquire(&one));
    for outcome in [a, b] {
        assert_eq!(outcome.unwrap_err(), PoolError::Dial { peer: peer(1), cause: DialError::Busy });
    }
    assert_eq!((world.dials.load(SeqCst), pool.stats().total), (1, 0));
    world.refusing.lock().clear();
    pool.acquire(&peer(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn silent_dial_ends_at_the_connect_timeout() {
    let world = Arc::new(World { dial_time: Duration::from_hours(1), ..World::default() });
    let pool =
        ConnectionPool::new(NodeId::new("me").unwrap(), PoolConfig::default(), Network(Arc::clone(&world)));
    let begun = tokio::time::Instant::now();
    let failed = pool.acquire(&peer(1)).await.unwrap_err();
    assert!(matches!(failed, PoolError::Dial { cause: DialError::Silent { .. }, .. }), "{failed}");
    assert_eq!(begun.elapsed().as_secs(), 5, "on the paused clock");
    assert_eq!(pool.stats().total, 0);
}

#[tokio::test(start_paused = true)]
async fn dial_without_a_permit_fails_with_not_begun() {
    let (pool, world) = pool(PoolConfig { dials_max: 1, ..PoolConfig::default() });
    let held = pool.reserve().await.unwrap();
    let failed = pool.acquire(&peer(1)).await.unwrap_err();
    let cause = DialError::NotBegun { after: Duration::from_secs(5), max: 1 };
    assert_eq!(failed, PoolError::Dial { peer: peer(1), cause });
    assert_eq!((world.dials.load(SeqCst), pool.stats().total), (0, 1), "only the reservation is left");
    drop(held);
    pool.acquire(&peer(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dial_is_queued_until_it_has_a_permit() {
    let (pool, _world) = pool(PoolConfig { dials_max: 1, ..PoolConfig::default() });
    let one = peer(1);
    let is_queued = |lane| pool.dial_is_queued(Route::new(&one.id, lane));
    let held = pool.reserve().await.unwrap();
    let caller = tokio::spawn({
        let (pool, one) = (pool.clone(), one.clone());
        async move { pool.acquire(&one).await.map(drop) }
    });
    settle().await;
    assert!(is_queued(Lane::Requests) && !is_queued(Lane::StreamsOut));
    drop(held);
    settle().await;
    assert!(!is_queued(Lane::Requests));
    caller.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn running_dials_are_bounded() {
    let (pool, world) = pool(PoolConfig { dials_max: 2, ..PoolConfig::default() });
    let callers: Vec<_> = (0..6)
        .map(|n| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.acquire(&peer(n)).await.map(|_| ()) })
        })
        .collect();
    settle().await;
    assert_eq!((world.dials.load(SeqCst), pool.stats().connecting), (2, 6));
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn waiters_for_a_dial_are_bounded() {
    let (pool, _) = pool(PoolConfig { waiters_max: 2, ..PoolConfig::default() });
    let one = peer(1);
    let (a, b, c) = tokio::join!(pool.acquire(&one), pool.acquire(&one), pool.acquire(&one));
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(c.unwrap_err(), PoolError::QueueFull { peer: peer(1).id, waiting: 2, max: 2 });
}

#[tokio::test(start_paused = true)]
async fn health_loop_removes_dead_connections() {
    let (pool, world) = pool(PoolConfig::default());
    let (dead, alive) = (pool.acquire(&peer(1)).await.unwrap(), pool.acquire(&peer(2)).await.unwrap());
    dead.die();
    pass(Duration::from_secs(29)).await;
    assert_eq!(pool.stats().total, 2);
    pass(Duration::from_secs(2)).await;
    assert_eq!(closed(&world), [(peer(1).id, CloseReason::Dead)]);
    drop((dead, alive));
    assert_eq!((pool.stats().total, pool.stats().dead), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn dead_connection_is_never_handed_out() {
    let (pool, world) = pool(PoolConfig::default());
    let first = pool.acquire(&peer(1)).await.unwrap();
    first.die();
    let second = pool.acquire(&peer(1)).await.unwrap();
    assert_ne!(first.id(), second.id());
    assert_eq!(world.dials.load(SeqCst), 2);
}

/// 2 s are the default of `drain_timeout`.
#[tokio::test(start_paused = true)]
async fn given_up_connection_closes_after_its_requests_or_2_s() {
    let (pool, world) = pool(PoolConfig::default());
    let (slow, quick) = (pool.acquire(&peer(1)).await.unwrap(), pool.acquire(&peer(1)).await.unwrap());
    quick.give_up();
    drop(quick);
    assert!(closed(&world).is_empty(), "another request is still in flight on it");
    let fresh = pool.acquire(&peer(1)).await.unwrap();
    assert_ne!(fresh.id(), slow.id());
    pass(Duration::from_millis(1900)).await;
    assert!(slow.is_open());
    pass(Duration::from_millis(200)).await;
    assert_eq!(closed(&world), [(peer(1).id, CloseReason::Overdue)]);

    fresh.give_up();
    drop(fresh);
    assert_eq!(
        closed(&world)[1..],
        [(peer(1).id, CloseReason::Unresponsive)],
        "at once, as it carried nothing"
    );
    drop(slow);
    assert_eq!(pool.stats().total, 0);
}

#[tokio::test(start_paused = true)]
async fn closed_pool_wakes_waiters_and_refuses_callers() {
    let (pool, world) = pool(PoolConfig::default());
    let held = pool.acquire(&peer(1)).await.unwrap();
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire(&peer(2)).await.map(|_| ()) }
    });
    settle().await;
    pool.close();
    assert_eq!(waiting.await.unwrap(), Err(PoolError::Closed));
    assert_eq!(pool.acquire(&peer(1)).await.map(|_| ()), Err(PoolError::Closed));
    pool.unused().await;
    drop(held);
    pass(Duration::from_mins(1)).await;
    assert_eq!((world.open_now.load(SeqCst), pool.stats().total), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn winning_peers_dial_serves_our_waiters() {
    let (pool, world) = pool(PoolConfig::default());
    // "a" is lower than "me", so its dial wins. "n1" is higher, so this node's dial wins.
    let low = Peer::new(NodeId::new("a").unwrap(), peer(1).addr);
    let waiting = tokio::spawn({
        let (pool, low) = (pool.clone(), low.clone());
        async move { pool.acquire(&low).await.map(|lease| lease.id()) }
    });
    settle().await;
    let theirs = pool.new_id();
    assert_eq!(
        pool.adopt(theirs, Route::new(&low.id, Lane::Requests), Conn::open(&world, &low.id), Side::Remote),
        Taken::InUse
    );
    assert_eq!(waiting.await.unwrap().unwrap(), theirs);
    pass(Duration::from_secs(1)).await;
    assert_eq!(closed(&world), [(low.id, CloseReason::Superseded)], "this node's dial succeeded too late");
    assert_eq!(pool.stats().total, 1);
}

#[tokio::test(start_paused = true)]
async fn peers_dial_stands_by_while_ours_may_win() {
    let (pool, world) = pool(PoolConfig::default());
    for (n, refusing) in [(1, false), (2, true)] {
        let high = peer(n);
        if refusing {
            world.refusing.lock().insert(high.id.clone());
        }
        let waiting = tokio::spawn({
            let (pool, high) = (pool.clone(), high.clone());
            async move { pool.acquire(&high).await.map(|lease| lease.id()) }
        });
        settle().await;
        let theirs = pool.new_id();
        assert_eq!(
            pool.adopt(
                theirs,
                Route::new(&high.id, Lane::Requests),
                Conn::open(&world, &high.id),
                Side::Remote
            ),
            Taken::Spare
        );
        let got = waiting.await.unwrap().unwrap();
        assert_eq!(got == theirs, refusing, "the peer's connection is used only if this node's dial fails");
    }
    pass(Duration::from_secs(3)).await;
    assert_eq!(closed(&world), [(peer(1).id, CloseReason::Superseded)]);
    assert_eq!(pool.stats().total, 2);
}

#[tokio::test(start_paused = true)]
async fn stats_list_connections_and_dial_times() {
    let (pool, world) = pool(PoolConfig::default());
    let one = pool.acquire(&peer(1)).await.unwrap();
    drop(pool.acquire_on(&peer(1), Lane::StreamsOut).await.unwrap());
    let dialling = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire(&peer(2)).await.map(|_| ()) }
    });
    settle().await;
    let stats = pool.stats();
    let seen: Vec<_> =
        stats.connections.iter().map(|conn| (&conn.peer, conn.lane, conn.state, conn.uses)).collect();
    let (n1, n2) = (peer(1).id, peer(2).id);
    assert_eq!(
        seen,
        [
            (&n1, Lane::Requests, ConnectionState::Ready, 1),
            (&n1, Lane::StreamsOut, ConnectionState::Ready, 0),
            (&n2, Lane::Requests, ConnectionState::Connecting, 0),
        ]
    );
    assert_eq!((world.dials.load(SeqCst), stats.dial_times.count()), (3, 2));
    assert_eq!((stats.total, stats.ready(), stats.connecting, stats.timed_out), (3, 2, 1, 0));
    assert_eq!(stats.dial_times.quantile(1.0), Some(Duration::from_millis(10)));
    one.give_up();
    assert_eq!(pool.stats().connections[0].state, ConnectionState::Draining);
    assert_eq!((pool.stats().timed_out, pool.stats().ready()), (0, 1));
    dialling.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn dial_without_a_name_counts_against_the_total() {
    let (pool, _) = pool(PoolConfig { max_total: 2, ..PoolConfig::default() });
    let held = pool.acquire(&peer(1)).await.unwrap();
    let place = pool.reserve().await.unwrap();
    assert_eq!((pool.stats().total, pool.stats().connecting), (2, 1));
    assert_eq!(pool.reserve().await.map(|_| ()), Err(PoolError::PoolFull { current: 2, max: 2 }));
    assert_eq!(pool.acquire(&peer(2)).await.unwrap_err(), PoolError::PoolFull { current: 2, max: 2 });
    drop(place);
    assert_eq!(pool.stats().total, 1);
    pool.acquire(&peer(2)).await.unwrap();
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn overtaken_dial_keeps_its_place_until_it_ends() {
    for (max_total, taken) in [(1, Taken::NoRoom), (2, Taken::InUse)] {
        let (pool, world) = pool(PoolConfig { max_total, ..PoolConfig::default() });
        let low = Peer::new(NodeId::new("a").unwrap(), peer(1).addr);
        let waiting = tokio::spawn({
            let (pool, low) = (pool.clone(), low.clone());
            async move { pool.acquire(&low).await.map(|_| ()) }
        });
        settle().await;
        let (theirs, route) = (pool.new_id(), Route::new(&low.id, Lane::Requests));
        assert_eq!(pool.adopt(theirs, route, Conn::open(&world, &low.id), Side::Remote), taken);
        assert_eq!(pool.stats().total, max_total, "at the limit, and the dial still counts");
        waiting.await.unwrap().unwrap();
        pass(Duration::from_secs(1)).await;
        assert_eq!(pool.stats().total, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_over_their_half_evict_only_streams() {
    let (pool, world) = pool(PoolConfig { max_total: 4, ..PoolConfig::default() });
    drop(pool.acquire(&peer(1)).await.unwrap());
    pass(Duration::from_secs(1)).await;
    drop(pool.acquire_on(&peer(1), Lane::StreamsOut).await.unwrap());
    pass(Duration::from_secs(1)).await;
    let two = pool.acquire_on(&peer(2), Lane::StreamsOut).await.unwrap();
    // The connection for requests was idle for longest, but the streams already have their half.
    let three = pool.acquire_on(&peer(3), Lane::StreamsOut).await.unwrap();
    assert_eq!(closed(&world), [(peer(1).id, CloseReason::Evicted)]);
    assert_eq!(pool.stats().connections[0].lane, Lane::Requests);
    let refused = pool.acquire_on(&peer(4), Lane::StreamsOut).await.unwrap_err();
    assert_eq!(refused, PoolError::PoolFull { current: 2, max: 2 });
    drop((two, three));
}

#[tokio::test(start_paused = true)]
async fn open_only_never_dials() {
    let (pool, world) = pool(PoolConfig::default());
    let refused = pool.acquire_by(&peer(1), Need::OpenOnly).await.unwrap_err();
    assert_eq!(refused, PoolError::NotConnected { peer: peer(1) });
    assert_eq!((world.dials.load(SeqCst), pool.stats().refused_unconnected, pool.stats().total), (0, 1, 0));
    drop(pool.acquire_by(&peer(1), Need::CanWait).await.unwrap());
    assert!(pool.acquire_by(&peer(1), Need::OpenOnly).await.is_ok());
    assert_eq!(world.dials.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn urgent_dials_start_first_and_abandoned_dials_never() {
    let (pool, world) = pool(PoolConfig { dials_max: 1, ..PoolConfig::default() });
    let dial = |n: usize, need: Need| {
        let pool = pool.clone();
        tokio::spawn(async move { pool.acquire_by(&peer(n), need).await.map(drop) })
    };
    let first = dial(1, Need::CanWait);
    settle().await;
    let (given_up, patient, urgent) = (dial(2, Need::CanWait), dial(3, Need::CanWait), dial(4, Need::Urgent));
    settle().await;
    assert_eq!(pool.stats().dials_waiting, 3);
    given_up.abort();
    first.await.unwrap().unwrap();
    // Each dial takes 10 ms.
    pass(Duration::from_millis(15)).await;
    assert!(urgent.is_finished() && !patient.is_finished());
    patient.await.unwrap().unwrap();
    assert_eq!((world.dials.load(SeqCst), pool.stats().dials_dropped), (3, 1));
    assert_eq!(pool.dials_free(), 1);
}

#[tokio::test(start_paused = true)]
async fn connection_to_a_mute_peer_is_given_up() {
    let (pool, _) = pool(PoolConfig::default());
    let lease = pool.acquire(&peer(1)).await.unwrap();
    let asked = tokio::time::Instant::now();
    pass(Duration::from_secs(1)).await;
    // Fake connections know nothing of acknowledgements: the peer counts as mute since `asked`.
    assert!(!lease.timed_out(&peer(1).id, asked));
    assert_eq!((pool.stats().timed_out, pool.stats().ready()), (1, 1));
    pool.set_lateness(Duration::from_secs(1));
    pass(Duration::from_secs(3)).await;
    lease.timed_out(&peer(1).id, asked);
    assert_eq!(pool.stats().ready(), 1, "a late node waits longer");
    pool.set_lateness(Duration::ZERO);
    lease.timed_out(&peer(1).id, asked);
    assert_eq!((pool.stats().timed_out, pool.stats().ready(), pool.stats().draining), (3, 0, 1));
}
