//! Measures a lookup: the pool lends a ready connection and takes it back. The pool has 1 to 50
//! connections. 1 to 8 threads make lookups at the same time, each for all peers in turn.
//!
//! There are two kinds of figures. The median time of a lookup shows how long a caller waits; each
//! thread times its own batches. The core time of a lookup also shows what threads cost each other.

use std::future::Future;
use std::pin::pin;
use std::sync::{Barrier, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use kinfolk_transport::{Incoming, Peer, Transport};
use serde::Serialize;

use super::test_bed::{Server, bind, peer};
use crate::host::{cores, cpu_time};
use crate::numbers::{Rounds, Spread, quantile};

/// The numbers of connections of the pools.
const CONNECTIONS: [usize; 4] = [1, 10, 25, 50];
/// The numbers of threads.
const THREADS: [usize; 4] = [1, 2, 4, 8];
/// The lookups between two reads of the clock. The time of one read is then a small part of the
/// figure.
const BATCH: usize = 100;

/// Pools of several sizes, all connected.
pub struct Lookup {
    pools: Vec<ConnectedPool>,
    /// The peers, kept so that their connections stay open. Their queues stay empty.
    _peers: Vec<(Transport, Incoming)>,
}

/// A pool with a ready connection to each of `peers`.
struct ConnectedPool {
    client: Transport,
    peers: Vec<Peer>,
}

/// The figures of one number of threads on one pool.
#[derive(Debug, Clone, Serialize)]
pub struct LookupCell {
    /// The connections in the pool.
    pub connections: usize,
    /// The threads that make lookups at the same time.
    pub threads: usize,
    /// The median time of a lookup, in nanoseconds, over the rounds.
    pub median_ns: Spread,
    /// The core time of a lookup, in nanoseconds, over the rounds: the length of the window times
    /// the cores that the threads can use, divided by the lookups of all threads.
    pub core_ns: Spread,
    /// The CPU time of the process for a lookup, in nanoseconds, over the rounds. `core_ns` equals
    /// it on a machine without other work.
    pub cpu_ns: Spread,
}

impl Lookup {
    /// Starts the peers and connects a pool of each size.
    pub(super) async fn connect(server: &Server) -> Result<Self> {
        let count = CONNECTIONS.into_iter().max().unwrap_or(0);
        let peers = (0..count).map(|number| bind(server.identity(&format!("peer-{number}"))?));
        let peers = peers.collect::<Result<Vec<_>>>()?;
        let mut pools = Vec::new();
        for connections in CONNECTIONS {
            let client = bind(server.identity(&format!("pool-of-{connections}"))?)?.0;
            let peers: Vec<Peer> =
                peers[..connections].iter().map(|(transport, _)| peer(transport)).collect();
            for peer in &peers {
                client.pool().acquire(peer).await.with_context(|| format!("no connection to {peer}"))?;
            }
            pools.push(ConnectedPool { client, peers });
        }
        Ok(Self { pools, _peers: peers })
    }

    /// Makes `count` lookups in the pool of this size, on this thread. Returns the time of all of
    /// them.
    ///
    /// # Errors
    /// When there is no pool of this size, or a connection of it has ended.
    pub fn time(&self, connections: usize, count: u64) -> Result<Duration> {
        let pool = self.pools.iter().find(|pool| pool.peers.len() == connections);
        let pool = pool.with_context(|| format!("there is no pool of {connections} connections"))?;
        let begun = Instant::now();
        for peer in pool.peers.iter().cycle().take(usize::try_from(count)?) {
            look_up(&pool.client, peer)?;
        }
        Ok(begun.elapsed())
    }
}

/// Measures every pool with every number of threads, each pair once in a round.
pub(super) fn measure(lookup: &Lookup, rounds: Rounds) -> Result<Vec<LookupCell>> {
    let contention = |pool, threads| Contention {
        pool,
        threads,
        medians: Vec::new(),
        costs: Vec::new(),
        spent: Vec::new(),
    };
    let mut contentions: Vec<Contention<'_>> =
        lookup.pools.iter().flat_map(|pool| THREADS.map(|threads| contention(pool, threads))).collect();
    for _ in 0..rounds.count {
        for contention in &mut contentions {
            contention.run(rounds.window)?;
        }
    }
    Ok(contentions.into_iter().map(Contention::cell).collect())
}

/// A number of threads that use one pool at the same time, and their figures of each round.
struct Contention<'a> {
    pool: &'a ConnectedPool,
    threads: usize,
    medians: Vec<f64>,
    costs: Vec<f64>,
    spent: Vec<f64>,
}

impl Contention<'_> {
    fn run(&mut self, window: Duration) -> Result<()> {
        let cpu_before = cpu_time();
        let mut batches = contend(self.pool, self.threads, window)?;
        let spent = cpu_time().saturating_sub(cpu_before);
        batches.sort_unstable_by(f64::total_cmp);
        self.medians.push(quantile(&batches, 0.5) / BATCH as f64);
        // More threads than cores cannot use more cores.
        let core_time = window.as_secs_f64() * 1e9 * self.threads.min(cores()) as f64;
        let count = (batches.len() * BATCH) as f64;
        self.costs.push(core_time / count);
        self.spent.push(spent.as_secs_f64() * 1e9 / count);
        Ok(())
    }

    fn cell(self) -> LookupCell {
        LookupCell {
            connections: self.pool.peers.len(),
            threads: self.threads,
            median_ns: Spread::of(self.medians),
            core_ns: Spread::of(self.costs),
            cpu_ns: Spread::of(self.spent),
        }
    }
}

/// Lets threads make lookups for `window`. Returns the time of each batch that ended within the
/// window, in nanoseconds.
fn contend(pool: &ConnectedPool, threads: usize, window: Duration) -> Result<Vec<f64>> {
    let (start, origin) = (Barrier::new(threads), OnceLock::new());
    let look_up_all = |first: usize| {
        // Each thread begins with another peer, so that threads do not always look up the same
        // peer.
        let mut peers = pool.peers.iter().cycle().skip(first * pool.peers.len() / threads);
        let mut batches = Vec::new();
        start.wait();
        // All threads share one window, also a thread that gets its core late. With a window for
        // each thread, lookups by more threads than cores looked cheaper than they are.
        let mut begun = *origin.get_or_init(Instant::now);
        let end = begun + window;
        loop {
            for peer in peers.by_ref().take(BATCH) {
                look_up(&pool.client, peer)?;
            }
            let done = Instant::now();
            if done > end {
                return Ok(batches);
            }
            batches.push((done - begun).as_secs_f64() * 1e9);
            begun = done;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|first| scope.spawn(move || look_up_all(first))).collect();
        let mut batches = Vec::new();
        for thread in threads {
            let of_thread: Result<Vec<f64>> = thread.join().expect("a lookup does not panic");
            batches.extend(of_thread?);
        }
        Ok(batches)
    })
}

/// Takes the ready connection, and gives it back at the end of the function.
fn look_up(client: &Transport, peer: &Peer) -> Result<()> {
    let lease = ready_output(client.pool().acquire(peer))
        .context("no connection is ready; one of them has ended")??;
    ensure!(lease.peer() == &peer.id, "the pool lent a connection to another peer");
    Ok(())
}

/// The output of `future` if it is ready at its first poll. The lookup of a ready connection does
/// not wait, so the figure need not contain the work of a runtime.
fn ready_output<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
