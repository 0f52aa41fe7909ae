//! How long the pool takes to hand out a ready connection and to take it back, with 1 to 50 connections in it, and with 1
//! to 8 threads that ask at the same time, each for all peers in turn.
//!
//! Two figures: the median time of a lookup, from batches that each thread times for itself, which shows what a caller
//! waits; and the time of the cores that a lookup costs in all, which also shows what threads lose to each other.

use std::future::Future;
use std::pin::pin;
use std::sync::{Barrier, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use kinfolk_transport::{Incoming, Peer, Transport};
use serde::Serialize;

use super::bed::{Server, bind, peer};
use crate::host::{cores, cpu_time};
use crate::numbers::{Rounds, Spread, quantile};

/// How many connections the pools have.
const CONNECTIONS: [usize; 4] = [1, 10, 25, 50];
/// How many threads ask.
const THREADS: [usize; 4] = [1, 2, 4, 8];
/// Lookups between two looks at the clock.
const BATCH: usize = 100;

/// Pools of several sizes, all connected.
pub struct Lookup {
    pools: Vec<Filled>,
    /// The peers, with their queues, in which nothing ever arrives.
    _peers: Vec<(Transport, Incoming)>,
}

/// A pool with a ready connection to each of `peers`.
struct Filled {
    client: Transport,
    peers: Vec<Peer>,
}

/// What one number of threads measured on one pool.
#[derive(Debug, Clone, Serialize)]
pub struct LookupCell {
    /// Connections in the pool.
    pub connections: usize,
    /// Threads that ask at the same time.
    pub threads: usize,
    /// The median lookup, in nanoseconds, over the rounds.
    pub median_ns: Spread,
    /// What a lookup costs of all cores that the threads can use, in nanoseconds, over the rounds: the length of the
    /// window times the cores, by the lookups of all threads.
    pub core_ns: Spread,
    /// The time that the process really spent on cores, in nanoseconds a lookup, over the rounds: what `core_ns` is on a
    /// machine that does nothing else.
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
            pools.push(Filled { client, peers });
        }
        Ok(Self { pools, _peers: peers })
    }

    /// Looks up `count` connections in the pool of this size, on this thread, and says how long that took.
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

/// Measures every pool with every number of threads, all of them once a round.
pub(super) fn measure(lookup: &Lookup, rounds: Rounds) -> Result<Vec<LookupCell>> {
    let contest =
        |pool, threads| Contest { pool, threads, medians: Vec::new(), costs: Vec::new(), spent: Vec::new() };
    let mut contests: Vec<Contest<'_>> =
        lookup.pools.iter().flat_map(|pool| THREADS.map(|threads| contest(pool, threads))).collect();
    for _ in 0..rounds.count {
        for contest in &mut contests {
            contest.run(rounds.window)?;
        }
    }
    Ok(contests.into_iter().map(Contest::cell).collect())
}

/// A number of threads that ask one pool, and what they measured in each round.
struct Contest<'a> {
    pool: &'a Filled,
    threads: usize,
    medians: Vec<f64>,
    costs: Vec<f64>,
    spent: Vec<f64>,
}

impl Contest<'_> {
    fn run(&mut self, window: Duration) -> Result<()> {
        let cpu_before = cpu_time();
        let mut batches = contend(self.pool, self.threads, window)?;
        let spent = cpu_time().saturating_sub(cpu_before);
        batches.sort_unstable_by(f64::total_cmp);
        self.medians.push(quantile(&batches, 0.5) / BATCH as f64);
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

/// Lets threads ask for `window`, and gives how long each batch took that ended within it, in nanoseconds.
fn contend(pool: &Filled, threads: usize, window: Duration) -> Result<Vec<f64>> {
    let (start, origin) = (Barrier::new(threads), OnceLock::new());
    let ask = |first: usize| {
        // Each thread begins elsewhere, so that they do not go through the peers in step.
        let mut peers = pool.peers.iter().cycle().skip(first * pool.peers.len() / threads);
        let mut batches = Vec::new();
        start.wait();
        // The window is the same for all: a thread that gets its core late gets no longer one for it.
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
        let threads: Vec<_> = (0..threads).map(|first| scope.spawn(move || ask(first))).collect();
        let mut batches = Vec::new();
        for thread in threads {
            let of_thread: Result<Vec<f64>> =
                thread.join().expect("a thread that asks has nothing to panic at");
            batches.extend(of_thread?);
        }
        Ok(batches)
    })
}

/// Takes the ready connection and gives it back.
fn look_up(client: &Transport, peer: &Peer) -> Result<()> {
    let lease = at_once(client.pool().acquire(peer))
        .context("a connection has ended, so that there was none ready")??;
    ensure!(lease.peer() == &peer.id, "the pool gave out the connection of another");
    Ok(())
}

/// What `future` gives without waiting.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
