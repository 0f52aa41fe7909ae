//! Dials: shared, queued, bounded, and met by a dial of the peer.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use kinfolk_core::NodeId;

use super::super::fake::{Conn, Network, World, closed, pass, peer, pool, settle};
use super::super::*;

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
