//! The pool with connections that are only made believe, under tokio's paused clock: hours pass in no time, and each
//! step is where the test puts it.
#![cfg(not(kinfolk_loom))]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use kinfolk_core::{NodeAddr, NodeId};
use parking_lot::Mutex as PlainMutex;
use tokio::time::sleep;

use super::*;

/// What a made-believe network does and has seen.
#[derive(Default)]
struct World {
    dial_time: Duration,
    /// Dials of these peers fail.
    refusing: PlainMutex<HashSet<NodeId>>,
    dials: AtomicUsize,
    open_now: AtomicUsize,
    open_most: AtomicUsize,
    closed: PlainMutex<Vec<(NodeId, CloseReason)>>,
}

struct Network(Arc<World>);

#[derive(Clone)]
struct Conn {
    peer: NodeId,
    world: Arc<World>,
    open: Arc<AtomicBool>,
}

impl Conn {
    fn open(world: &Arc<World>, peer: &NodeId) -> Self {
        let now = world.open_now.fetch_add(1, SeqCst) + 1;
        world.open_most.fetch_max(now, SeqCst);
        Self { peer: peer.clone(), world: Arc::clone(world), open: Arc::new(AtomicBool::new(true)) }
    }

    /// Ends without the pool being told.
    fn die(&self) {
        if self.open.swap(false, SeqCst) {
            self.world.open_now.fetch_sub(1, SeqCst);
        }
    }
}

impl Connection for Conn {
    fn is_open(&self) -> bool {
        self.open.load(SeqCst)
    }

    fn check(&self) -> bool {
        self.is_open()
    }

    fn close(&self, reason: CloseReason) {
        self.world.closed.lock().push((self.peer.clone(), reason));
        self.die();
    }
}

impl Connect for Network {
    type Connection = Conn;

    async fn connect(&self, peer: &Peer, _: ConnId) -> Result<Conn, DialError> {
        self.0.dials.fetch_add(1, SeqCst);
        sleep(self.0.dial_time).await;
        if self.0.refusing.lock().contains(&peer.id) {
            return Err(DialError::Busy);
        }
        Ok(Conn::open(&self.0, &peer.id))
    }
}

type TestPool = ConnectionPool<Network>;

fn peer(n: usize) -> Peer {
    let addr: std::net::SocketAddr = "127.0.0.1:1".parse().unwrap();
    Peer::new(NodeId::new(&format!("n{n}")).unwrap(), NodeAddr::new(addr))
}

fn pool(config: PoolConfig) -> (TestPool, Arc<World>) {
    let world = Arc::new(World { dial_time: Duration::from_millis(10), ..World::default() });
    (ConnectionPool::new(NodeId::new("me").unwrap(), config, Network(Arc::clone(&world))), world)
}

fn closed(world: &World) -> Vec<(NodeId, CloseReason)> {
    world.closed.lock().clone()
}

/// Lets every task run until it waits for something.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

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
    sleep(Duration::from_secs(1)).await;
    drop(leases.swap_remove(10));
    // Peer 20 is idle for longer than peer 10.
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
    let (Ok(first), Ok(second), Err(third)) = outcomes else { panic!("two of three are given") };
    assert_ne!(first.id(), second.id());
    assert_eq!(third, PoolError::PoolFull { current: 2, max: 2 });
    // Sharing needs no further connection, and another peer has a limit of its own.
    pool.acquire(&one).await.unwrap();
    pool.acquire_another(&two).await.unwrap();
    assert_eq!(world.dials.load(SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn idle_cleanup_loop_integration() {
    let (pool, world) = pool(PoolConfig::default());
    let held = pool.acquire(&peer(1)).await.unwrap();
    drop(pool.acquire(&peer(2)).await.unwrap());
    sleep(Duration::from_secs(59)).await;
    assert_eq!(pool.stats().total, 2, "nothing is closed before it was idle for 60 s");
    // The loop runs every 30 s, so that 90 s is the longest that an idle connection stays.
    sleep(Duration::from_secs(32)).await;
    assert_eq!(closed(&world), [(peer(2).id, CloseReason::Idle)]);
    drop(held);
    sleep(Duration::from_secs(91)).await;
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
        sleep(Duration::from_secs(1)).await;
    }
    // Peer 2 is the least recently used.
    drop(pool.acquire(&peer(4)).await.unwrap());
    assert_eq!(closed(&world), [(peer(2).id, CloseReason::Evicted)]);
    assert_eq!((pool.stats().total, pool.stats().evicted), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn concurrent_access() {
    let (pool, world) = pool(PoolConfig { max_total: 8, ..PoolConfig::default() });
    let callers = (0..400).map(|n| {
        let pool = pool.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(n % 37)).await;
            match pool.acquire(&peer((n % 12) as usize)).await {
                Ok(lease) => {
                    sleep(Duration::from_millis(n % 5)).await;
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
    // The one who asked first gives up; the others get the connection all the same.
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
async fn a_failed_dial_tells_every_waiter_why() {
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
async fn a_dial_that_hangs_ends_at_the_connect_timeout() {
    let world = Arc::new(World { dial_time: Duration::from_hours(1), ..World::default() });
    let pool =
        ConnectionPool::new(NodeId::new("me").unwrap(), PoolConfig::default(), Network(Arc::clone(&world)));
    let begun = tokio::time::Instant::now();
    let failed = pool.acquire(&peer(1)).await.unwrap_err();
    assert!(matches!(failed, PoolError::Dial { cause: DialError::Silent { .. }, .. }), "{failed}");
    assert_eq!(begun.elapsed().as_secs(), 5, "of the paused clock");
    assert_eq!(pool.stats().total, 0);
}

#[tokio::test(start_paused = true)]
async fn dials_in_flight_are_bounded() {
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
async fn the_queue_for_a_dial_is_bounded() {
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
    sleep(Duration::from_secs(29)).await;
    assert_eq!(pool.stats().total, 2);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(closed(&world), [(peer(1).id, CloseReason::Dead)]);
    drop((dead, alive));
    assert_eq!((pool.stats().total, pool.stats().dead), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dead_connection_is_never_handed_out() {
    let (pool, world) = pool(PoolConfig::default());
    let first = pool.acquire(&peer(1)).await.unwrap();
    first.die();
    let second = pool.acquire(&peer(1)).await.unwrap();
    assert_ne!(first.id(), second.id());
    assert_eq!(world.dials.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_connection_ends_with_its_requests_or_after_two_seconds() {
    let (pool, world) = pool(PoolConfig::default());
    let (slow, quick) = (pool.acquire(&peer(1)).await.unwrap(), pool.acquire(&peer(1)).await.unwrap());
    quick.doubt();
    drop(quick);
    assert!(closed(&world).is_empty(), "another request is still in flight on it");
    let fresh = pool.acquire(&peer(1)).await.unwrap();
    assert_ne!(fresh.id(), slow.id());
    sleep(Duration::from_millis(1900)).await;
    assert!(slow.is_open());
    sleep(Duration::from_millis(200)).await;
    assert_eq!(closed(&world), [(peer(1).id, CloseReason::Overdue)]);

    fresh.doubt();
    drop(fresh);
    assert_eq!(closed(&world)[1..], [(peer(1).id, CloseReason::Doubtful)], "at once, as it carried nothing");
    drop(slow);
    assert_eq!(pool.stats().total, 0);
}

#[tokio::test(start_paused = true)]
async fn a_closed_pool_wakes_its_waiters_and_gives_nothing() {
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
    sleep(Duration::from_mins(1)).await;
    assert_eq!((world.open_now.load(SeqCst), pool.stats().total), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_peers_dial_serves_those_who_wait_for_ours_if_it_wins() {
    let (pool, world) = pool(PoolConfig::default());
    // "a" is lower than "me": its dial wins. "n1" is higher: ours wins.
    let low = Peer::new(NodeId::new("a").unwrap(), peer(1).addr);
    let waiting = tokio::spawn({
        let (pool, low) = (pool.clone(), low.clone());
        async move { pool.acquire(&low).await.map(|lease| lease.id()) }
    });
    settle().await;
    let theirs = pool.new_id();
    assert_eq!(pool.adopt(theirs, &low.id, Conn::open(&world, &low.id), Side::Remote), Taken::InUse);
    assert_eq!(waiting.await.unwrap().unwrap(), theirs);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(closed(&world), [(low.id, CloseReason::Superseded)], "our own dial came through too late");
    assert_eq!(pool.stats().total, 1);
}

#[tokio::test(start_paused = true)]
async fn the_peers_dial_stands_by_while_ours_may_win() {
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
        assert_eq!(pool.adopt(theirs, &high.id, Conn::open(&world, &high.id), Side::Remote), Taken::Spare);
        let got = waiting.await.unwrap().unwrap();
        assert_eq!(got == theirs, refusing, "theirs is used if, and only if, our dial fails");
    }
    sleep(Duration::from_secs(3)).await;
    assert_eq!(closed(&world), [(peer(1).id, CloseReason::Superseded)]);
    assert_eq!(pool.stats().total, 2);
}
