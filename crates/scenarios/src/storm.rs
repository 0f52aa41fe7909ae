//! A storm over QUIC: requests, streams and unnamed dials between two nodes, and to four more.
//!
//! Deadlines and cancellations are random. The four nodes crash and start again on their addresses.
//! The pools have too few places, and the links lose and delay datagrams. The seed decides
//! everything. Afterwards nothing may be left, and no request may have exceeded its deadline.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::Rng;
use kinfolk_transport::{AppStream, Incoming, Listener, Peer, RequestError, Transport, TransportConfig};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::link::Link;
use crate::wait::until;
use crate::world::World;

/// The nodes that send the requests, to each other too. They do not stop.
const SENDERS: [&str; 2] = ["m0", "m1"];
/// The nodes that only answer, and crash. Their names sort before and after those of the senders:
/// so ties between two simultaneous dials, which the names decide, end both ways.
const ANSWERERS: [&str; 4] = ["a0", "a1", "z0", "z1"];
/// The number of requests at the same time.
pub const CALLERS: usize = 40;
/// Fewer connections than the peers need, so that connections are evicted.
const MAX_TOTAL: usize = 4;
/// How long a peer may acknowledge nothing before its connection is given up.
const MUTE_MAX: Duration = Duration::from_millis(100);
/// How late a request may end. Tokio's timers fire up to 1 ms late, also under the paused clock;
/// the rest is a margin.
const TIMER_ERROR: Duration = Duration::from_millis(2);

/// The outcomes of the requests of a storm, one for each request; and the work of the pools.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Requests that got their answer, dials that learned a name, and streams that were opened.
    pub answered: usize,
    /// Requests whose deadline passed.
    pub timed_out: usize,
    /// Requests that the caller gave up.
    pub cancelled: usize,
    /// Requests that met a limit of the pool or of a queue.
    pub full: usize,
    /// Requests with any other error: the connection broke or could not be made, the peer had no
    /// answer, and so on.
    pub failed: usize,
    /// Connections that the pool closed to make room for others.
    pub evicted: u64,
    /// Connections that were given up after a time-out.
    pub unresponsive: u64,
    /// The number of crashes.
    pub crashes: usize,
    /// The duration of the storm, in virtual time.
    pub took: Duration,
    /// The digest of all datagrams.
    pub trace: u64,
}

impl Tally {
    /// The number of requests that have ended.
    pub fn ended(&self) -> usize {
        self.answered + self.timed_out + self.cancelled + self.full + self.failed
    }

    /// Adds the counts of another storm, or of a part of this one.
    pub fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.timed_out += other.timed_out;
        self.cancelled += other.cancelled;
        self.full += other.full;
        self.failed += other.failed;
        self.evicted += other.evicted;
        self.unresponsive += other.unresponsive;
        self.crashes += other.crashes;
        self.took += other.took;
        self.trace ^= other.trace;
    }

    fn count<T>(&mut self, outcome: &Result<T, RequestError>) {
        *match outcome {
            Ok(_) => &mut self.answered,
            Err(RequestError::Timeout { .. }) => &mut self.timed_out,
            Err(
                RequestError::PoolFull { .. }
                | RequestError::QueueFull { .. }
                | RequestError::TooManyStreams { .. },
            ) => &mut self.full,
            Err(_) => &mut self.failed,
        } += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, timed_out, cancelled, full, failed, .. } = self;
        write!(
            f,
            "{} requests: {answered} answered, {timed_out} timed out, {cancelled} cancelled, ",
            self.ended()
        )?;
        write!(f, "{full} met a limit, {failed} failed; {} evictions, ", self.evicted)?;
        write!(f, "{} unresponsive connections, {} crashes; ", self.unresponsive, self.crashes)?;
        write!(f, "{:.1} s of virtual time; trace {:016x}", self.took.as_secs_f64(), self.trace)
    }
}

/// Runs a storm of `requests` requests, rounded down to a multiple of [`CALLERS`].
///
/// # Panics
/// If a request exceeds its deadline or gets the answer to another one. Also if anything is left
/// afterwards: a slot, a permit, a connection, a socket or a task.
pub async fn storm(mut world: World, requests: usize) -> Tally {
    let tasks_before = Handle::current().metrics().num_alive_tasks();
    world.net.set_links(Link { loss: 0.01, duplication: 0.01, ..Link::GOOD });
    let mut services = JoinSet::new();
    let senders = [0, 1].map(|n| start(&world, n, 0, config(&world, n, SENDERS[n]), &mut services));
    let configs: Vec<_> = (0..4).map(|k| config(&world, k + SENDERS.len(), ANSWERERS[k])).collect();
    let peers: Vec<Peer> = configs
        .iter()
        .map(|config| Peer::new(config.identity.id().clone(), config.listen.into()))
        .chain(senders.iter().map(|sender| Peer::new(sender.id().clone(), sender.local_addr())))
        .collect();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let sender = senders[caller % SENDERS.len()].clone();
        let peers = peers.iter().filter(|peer| peer.id != *sender.id()).cloned().collect();
        callers.spawn(call(sender, peers, world.rng.fork(), requests / CALLERS));
    }
    let begun = Instant::now();
    let crashes = Arc::new(AtomicUsize::new(0));
    let forks: Vec<Rng> = configs.iter().map(|_| world.rng.fork()).collect();
    let world = Arc::new(world);
    let mut crashing = JoinSet::new();
    for (k, (config, rng)) in configs.into_iter().zip(forks).enumerate() {
        let (world, crashes) = (Arc::clone(&world), Arc::clone(&crashes));
        crashing.spawn(crash_repeatedly(world, k + SENDERS.len(), config, rng, crashes));
    }
    let mut tally = Tally::default();
    while let Some(part) = callers.join_next().await {
        tally.add(&part.expect("no caller panics"));
    }
    tally.took = begun.elapsed();
    tally.crashes = crashes.load(Relaxed);
    // The answerers still crash meanwhile. The senders must come to rest nevertheless.
    for sender in &senders {
        let stats = sender.pool().stats();
        tally.evicted += stats.evicted;
        tally.unresponsive += stats.unresponsive;
        at_rest(sender).await;
        sender.close(Duration::from_secs(2)).await;
        assert_eq!((sender.connection_count(), sender.pool().stats().total), (0, 0));
    }
    tally.trace = world.net.trace();
    crashing.shutdown().await;
    drop(senders);
    while services.join_next().await.is_some() {}
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let none_left = until(Duration::from_mins(2), || tasks() <= tasks_before).await;
    assert!(none_left, "{} tasks are left of a storm, {tasks_before} were there before", tasks());
    assert_eq!(world.net.socket_count(), 0, "no socket is left");
    tally
}

fn config(world: &World, n: usize, name: &str) -> TransportConfig {
    let mut config = world.config(n, name);
    config.pool.max_total = MAX_TOTAL;
    // The crashes are short. With the default of 2 s no connection would be given up.
    config.pool.unacknowledged_max = MUTE_MAX;
    (config.streams_max, config.queue_max, config.app_streams_max) = (8, 16, 4);
    config
}

fn start(
    world: &World,
    n: usize,
    instance: usize,
    config: TransportConfig,
    services: &mut JoinSet<()>,
) -> Transport {
    let (transport, incoming) = world.bind(n, instance, config).expect("the address is free");
    let listener = transport.accept("echo").expect("no other listener accepts for it");
    services.spawn(answer(incoming));
    services.spawn(echo(listener));
    transport
}

async fn crash_repeatedly(
    world: Arc<World>,
    n: usize,
    config: TransportConfig,
    mut rng: Rng,
    crashes: Arc<AtomicUsize>,
) {
    for instance in 0.. {
        let mut services = JoinSet::new();
        let sockets_before = world.net.sockets_of(config.listen.ip());
        // The next instance binds the same address, so the crash must have freed it.
        assert_eq!(sockets_before, 0, "a crash frees the ports");
        let transport = start(&world, n, instance, config.clone(), &mut services);
        sleep(Duration::from_millis(500 + rng.below(4_000) as u64)).await;
        transport.abort();
        crashes.fetch_add(1, Relaxed);
        sleep(Duration::from_millis(10 + rng.below(300) as u64)).await;
    }
}

/// Answers most requests at once, some late, some never.
async fn answer(mut incoming: Incoming) {
    let mut late = JoinSet::new();
    while let Some(inbound) = incoming.recv().await {
        let Some(responder) = inbound.responder else { continue };
        match inbound.body.first() {
            Some(255) => drop(responder),
            Some(wait @ 1..) => {
                let wait = Duration::from_millis(u64::from(*wait));
                late.spawn(async move {
                    sleep(wait).await;
                    drop(responder.respond(inbound.body).await);
                });
            }
            _ => drop(responder.respond(inbound.body).await),
        }
        while late.try_join_next().is_some() {}
    }
}

async fn echo(mut listener: Listener) {
    let mut streams = JoinSet::new();
    while let Some((_, mut stream)) = listener.accept().await {
        streams.spawn(async move {
            while let Ok(Some(piece)) = stream.receive().await {
                if stream.send(piece).await.is_err() {
                    return;
                }
            }
            drop(stream.finish());
        });
        while streams.try_join_next().is_some() {}
    }
}

/// Makes the requests of one caller, one after another.
async fn call(transport: Transport, peers: Vec<Peer>, mut rng: Rng, share: usize) -> Tally {
    let (mut tally, start) = (Tally::default(), Instant::now());
    for _ in 0..share {
        // All callers use the same peers for a while. So connections to others become idle and are
        // evicted.
        let focus = usize::try_from(start.elapsed().as_secs()).expect("a storm lasts for seconds");
        let peer = &peers[(focus + rng.below(2)) % peers.len()];
        let deadline = Duration::from_millis(20 + rng.below(400) as u64);
        // One request in ten is cancelled, at a random moment.
        let gives_up = rng.below(10) == 0;
        let limit = if gives_up { Duration::from_millis(rng.below(20) as u64) } else { Duration::MAX };
        let what = rng.below(40);
        // The first byte tells the answerer when to answer: at once, after so many ms, or (255)
        // never.
        let kind = [0, 0, 0, 0, 0, 2, 50, 255][rng.below(8)];
        let body = Bytes::from(vec![kind; 1 + rng.below(8) * rng.below(512)]);
        let begun = Instant::now();
        let one = async {
            match what {
                0 => transport.identify(peer.addr.socket(), deadline).await.map(drop),
                1..3 => stream(&transport, peer, deadline).await,
                _ => ask(&transport, peer, body, deadline).await,
            }
        };
        match timeout(limit, one).await {
            Ok(outcome) => tally.count(&outcome),
            Err(_) => tally.cancelled += 1,
        }
        let took = begun.elapsed();
        assert!(took <= deadline + TIMER_ERROR, "{took:?} for a deadline of {deadline:?}");
        sleep(Duration::from_millis(rng.below(20) as u64)).await;
    }
    tally
}

async fn ask(
    transport: &Transport,
    peer: &Peer,
    body: Bytes,
    deadline: Duration,
) -> Result<(), RequestError> {
    let answer = transport.request(peer, body.clone(), deadline).await?;
    assert_eq!(answer, body, "the answer is the one to this request");
    Ok(())
}

/// Opens a stream and uses it for a moment. Only the opening counts: a crash may end the stream
/// later.
async fn stream(transport: &Transport, peer: &Peer, deadline: Duration) -> Result<(), RequestError> {
    let until = Instant::now() + deadline;
    let stream = transport.open_stream(peer, "echo", deadline).await?;
    drop(timeout_at(until, chat(stream)).await);
    Ok(())
}

async fn chat(mut stream: AppStream) -> Option<()> {
    stream.send(Bytes::from_static(b"over and out")).await.ok()?;
    stream.finish().ok()?;
    while stream.receive().await.ok()?.is_some() {}
    Some(())
}

/// Waits until no slot, permit or place is in use.
async fn at_rest(transport: &Transport) {
    let rests = || {
        let stats = transport.pool().stats();
        stats.in_use + stats.connecting + stats.draining == 0 && transport.is_idle()
    };
    let rested = until(Duration::from_mins(2), rests).await;
    assert!(rested, "{:?}", transport.pool().stats());
}
