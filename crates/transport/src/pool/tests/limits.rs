//! The bounds of the pool, and which connection makes room for another one.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::super::fake::{Conn, TestPool, World, closed, pass, peer, pool};
use super::super::*;

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
