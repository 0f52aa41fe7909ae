//! The pool with fake connections, under tokio's paused clock: hours pass in no real time, and the
//! test controls each step.
#![cfg(not(kinfolk_loom))]

mod dials;
mod ends;
mod limits;

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::fake::{pass, peer, pool, settle};
use super::*;

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
