//! When the pool closes a connection.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::super::fake::{closed, pass, peer, pool, settle};
use super::super::*;

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
