//! Stress test of the pool: 100,000 requests with random deadlines, cancellations, dials of peers,
//! dials without a name, too few places, and restarts of peers.
//!
//! It runs under tokio's paused clock and from fixed seeds, so that a failure can be replayed. At
//! the end nothing may be left in the pool, and no request may have exceeded its deadline.
#![cfg(not(kinfolk_loom))]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use kinfolk_core::{NodeId, Rng};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::fake::{Conn, Network, TestPool, World, pass};
use super::*;

const REQUESTS: usize = 100_000;
const CALLERS: usize = 50;
const MAX_TOTAL: usize = 8;
const GUESTS_MAX: usize = 2;
/// Names lower and higher than this node's name, "me", so that ties with both outcomes occur.
const PEERS: [&str; 6] = ["a0", "a1", "a2", "z0", "z1", "z2"];
/// Tokio's timers fire up to a millisecond late, also under the paused clock.
const TIMER_ERROR: Duration = Duration::from_millis(2);

fn peer(n: usize) -> Peer {
    let addr: SocketAddr = "127.0.0.1:1".parse().unwrap();
    Peer::new(NodeId::new(PEERS[n]).unwrap(), addr.into())
}

/// The outcomes of the requests.
#[derive(Debug, Default)]
struct Tally {
    answered: usize,
    failed: usize,
    full: usize,
    timed_out: usize,
    cancelled: usize,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.full += other.full;
        self.timed_out += other.timed_out;
        self.cancelled += other.cancelled;
    }

    fn all(&self) -> usize {
        self.answered + self.failed + self.full + self.timed_out + self.cancelled
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_100_000_requests_leaves_nothing_behind() {
    for seed in 0..4 {
        storm(seed, REQUESTS / 4).await;
    }
}

async fn storm(seed: u64, requests: usize) {
    let tasks_before = Handle::current().metrics().num_alive_tasks();
    let mut rng = Rng::from_seed(seed);
    let config = PoolConfig {
        max_total: MAX_TOTAL,
        guests_max: GUESTS_MAX,
        dials_max: 3,
        waiters_max: 12,
        ..PoolConfig::default()
    };
    let world = Arc::new(World { dial_time: Duration::from_millis(7), ..World::default() });
    let pool = ConnectionPool::new(NodeId::new("me").unwrap(), config, Network(Arc::clone(&world)));
    let disturbances = tokio::spawn(disturbances(pool.clone(), Arc::clone(&world), rng.fork()));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(call(pool.clone(), rng.fork(), requests / CALLERS));
    }
    let mut tally = Tally::default();
    while let Some(part) = callers.join_next().await {
        tally.add(&part.unwrap());
    }
    disturbances.abort();
    drop(disturbances.await);

    let stats = pool.stats();
    assert_eq!(tally.all(), requests, "each request has ended, in one way");
    // Check the test itself: every kind of outcome and of event must occur.
    assert!(tally.answered > requests / 2, "seed {seed}: {tally:?}");
    assert!(tally.failed.min(tally.full).min(tally.timed_out).min(tally.cancelled) > 0, "{seed}: {tally:?}");
    assert!(
        stats.evicted.min(stats.unresponsive).min(stats.superseded).min(stats.adopted) > 0,
        "{seed}: {stats:?}"
    );
    // While the pool decides whether to adopt a peer's connection, one connection more than the
    // limits is open.
    let most = world.open_most.load(SeqCst);
    assert!(most <= MAX_TOTAL + GUESTS_MAX + 1, "seed {seed}: {most} open at once");

    // Nothing may be left: requests in flight end, then idle connections are closed.
    pass(Duration::from_mins(3)).await;
    let stats = pool.stats();
    assert_eq!((stats.total, world.open_now.load(SeqCst)), (0, 0), "seed {seed}: {stats:?}");
    assert_eq!(pool.dials_free(), 3, "seed {seed}: every permit is back");
    pool.close();
    pass(Duration::from_secs(1)).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks_before, "seed {seed}: no task is left");
}

/// One caller: its share of the requests, one after another.
async fn call(pool: TestPool, mut rng: Rng, share: usize) -> Tally {
    let (mut tally, start) = (Tally::default(), Instant::now());
    for _ in 0..share {
        // All callers use the same peers for a while, so that connections to the others become idle
        // and are evicted.
        let focus = usize::try_from(start.elapsed().as_secs() / 2).unwrap();
        let peer = peer((focus + rng.below(3)) % PEERS.len());
        let lane = if rng.below(8) == 0 { Lane::StreamsOut } else { Lane::Requests };
        let deadline = Duration::from_millis(1 + rng.below(100) as u64);
        let work = Duration::from_millis([0, 1, 2, 5, 200][rng.below(5) * rng.below(5) / 4]);
        // One request in ten is cancelled at a random moment.
        let cancelled_after =
            if rng.below(10) == 0 { Duration::from_millis(rng.below(12) as u64) } else { Duration::MAX };
        let begun = Instant::now();
        let one = request(&pool, &peer, lane, begun + deadline, work);
        match timeout(cancelled_after, one).await {
            Ok(part) => tally.add(&part),
            Err(_) => tally.cancelled += 1,
        }
        let took = begun.elapsed();
        assert!(took <= deadline + TIMER_ERROR, "{took:?} for a deadline of {deadline:?}");
        pass(Duration::from_millis(rng.below(30) as u64)).await;
    }
    tally
}

/// One request, as the transport sends it.
async fn request(pool: &TestPool, peer: &Peer, lane: Lane, until: Instant, work: Duration) -> Tally {
    let mut tally = Tally::default();
    match timeout_at(until, pool.acquire_on(peer, lane)).await {
        Err(_) => tally.timed_out += 1,
        Ok(Err(PoolError::PoolFull { .. } | PoolError::QueueFull { .. })) => tally.full += 1,
        Ok(Err(_)) => tally.failed += 1,
        Ok(Ok(lease)) => match timeout_at(until, pass(work)).await {
            Ok(()) if lease.is_open() => tally.answered += 1,
            Ok(()) => tally.failed += 1,
            Err(_) => {
                lease.give_up();
                tally.timed_out += 1;
            }
        },
    }
    tally
}

/// The events beside the requests. Peers restart, or refuse dials for a while. Peers dial this node
/// and use their connections. This node dials seeds that are those peers.
async fn disturbances(pool: TestPool, world: Arc<World>, mut rng: Rng) {
    let mut inbound = JoinSet::new();
    loop {
        pass(Duration::from_millis(1 + rng.below(40) as u64)).await;
        let peer = peer(rng.below(PEERS.len())).id;
        match rng.below(6) {
            0 => world.restart(&peer),
            1 => drop(world.refusing.lock().insert(peer)),
            2 => world.refusing.lock().clear(),
            3 | 4 => {
                let lane = if rng.below(4) == 0 { Lane::StreamsIn } else { Lane::Requests };
                inbound.spawn(peer_dials(pool.clone(), Arc::clone(&world), peer, lane, rng.fork()));
            }
            _ => {
                let (pool, world) = (pool.clone(), Arc::clone(&world));
                inbound.spawn(async move {
                    let Ok(place) = pool.reserve().await else { return };
                    pass(Duration::from_millis(5)).await;
                    let conn = Conn::open(&world, &peer);
                    let route = Route::new(&peer, Lane::Requests);
                    if pool.adopt(place.id(), route, conn.clone(), Side::Local) == Taken::NoRoom {
                        conn.die();
                    }
                });
            }
        }
        while inbound.try_join_next().is_some() {}
    }
}

/// A peer dials this node and uses its connection a few times.
async fn peer_dials(pool: TestPool, world: Arc<World>, peer: NodeId, lane: Lane, mut rng: Rng) {
    let (id, conn) = (pool.new_id(), Conn::open(&world, &peer));
    if pool.adopt(id, Route::new(&peer, lane), conn.clone(), Side::Remote) == Taken::NoRoom {
        conn.die();
    }
    for _ in 0..rng.below(5) {
        let lease = pool.enter(id);
        pass(Duration::from_millis(rng.below(60) as u64)).await;
        drop(lease);
    }
    if rng.below(2) == 0 {
        // The peer closes the connection, and this node notices it.
        conn.die();
        pool.remove(id);
    }
}
