//! A stress test ("storm") over real QUIC on the loopback interface, smaller than the one of the
//! pool.
//!
//! Two nodes send requests and open streams, to each other and to four nodes that crash and
//! restart. Deadlines and cancellations are random, and the pools are too small. In the end no
//! connection, permit or task may be left. A seed decides the choices, but real time and real
//! packets do not repeat.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{ClusterId, NodeId, Rng};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{AppStream, Incoming, Listener, Transport};
use crate::config::TransportConfig;
use crate::identity::ClusterCa;
use crate::peer::Peer;

/// These nodes send the requests, also to each other, and run until the end.
const SENDERS: [&str; 2] = ["m0", "m1"];
/// These nodes only answer, and crash. Their names are lower and higher than the senders' names:
/// the names decide which of two simultaneous connections stays.
const ANSWERERS: [&str; 4] = ["a0", "a1", "z0", "z1"];
const CALLERS: usize = 16;
const REQUESTS: usize = 300;
/// Fewer connections than the peers need, so that the pool evicts some.
const MAX_TOTAL: usize = 4;
const LONG: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_over_quic_leaves_nothing_behind() {
    let tasks_before = Handle::current().metrics().num_alive_tasks();
    let ca = ClusterCa::create(&ClusterId::new("c").unwrap()).unwrap();
    let mut rng = Rng::from_seed(1);
    let mut services = JoinSet::new();
    let senders = SENDERS.map(|name| start(config(&ca, name), &mut services));
    let answerers: Vec<TransportConfig> = ANSWERERS.iter().map(|name| fixed_port(&ca, name)).collect();
    let peers: Vec<Peer> = answerers
        .iter()
        .map(|config| Peer::new(config.identity.id().clone(), config.listen.into()))
        .chain(senders.iter().map(|sender| Peer::new(sender.id().clone(), sender.local_addr())))
        .collect();
    let mut crashing = JoinSet::new();
    for config in answerers {
        crashing.spawn(crash_again_and_again(config, rng.fork()));
    }

    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let sender = senders[caller % SENDERS.len()].clone();
        let peers = peers.iter().filter(|peer| peer.id != *sender.id()).cloned().collect();
        callers.spawn(call(sender, peers, rng.fork()));
    }
    let (mut answered, mut ended) = (0, 0);
    while let Some(part) = callers.join_next().await {
        let part = part.unwrap();
        answered += part;
        ended += REQUESTS;
    }
    assert_eq!(ended, CALLERS * REQUESTS);
    assert!(answered > ended / 4, "{answered} of {ended} were answered");
    for sender in &senders {
        at_rest(sender).await;
        sender.close(Duration::from_secs(2)).await;
        assert_eq!((sender.connection_count(), sender.pool().stats().total), (0, 0));
    }
    crashing.shutdown().await;
    drop(senders);
    while services.join_next().await.is_some() {}
    let all_ended = until(|| Handle::current().metrics().num_alive_tasks() <= tasks_before);
    timeout(LONG, all_ended).await.expect("no task is left");
}

fn config(ca: &ClusterCa, name: &str) -> TransportConfig {
    let identity = ca.issue(&NodeId::new(name).unwrap(), Duration::from_hours(24)).unwrap();
    let mut config = TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity);
    config.pool.max_total = MAX_TOTAL;
    (config.streams_max, config.queue_max, config.app_streams_max) = (8, 16, 4);
    config
}

/// The configuration of a node that restarts on the same port.
fn fixed_port(ca: &ClusterCa, name: &str) -> TransportConfig {
    let mut config = config(ca, name);
    let free = std::net::UdpSocket::bind(config.listen).unwrap();
    config.listen = free.local_addr().unwrap();
    config
}

fn start(config: TransportConfig, services: &mut JoinSet<()>) -> Transport {
    let (transport, incoming) = Transport::bind(config).unwrap();
    let listener = transport.accept("echo").unwrap();
    services.spawn(answer(incoming));
    services.spawn(echo(listener));
    transport
}

async fn crash_again_and_again(config: TransportConfig, mut rng: Rng) {
    loop {
        let port_is_free = until(|| std::net::UdpSocket::bind(config.listen).is_ok());
        timeout(LONG, port_is_free).await.expect("a crash frees the port");
        let mut services = JoinSet::new();
        let transport = start(config.clone(), &mut services);
        // Sleeps because a crash follows no event.
        sleep(Duration::from_millis(100 + rng.below(400) as u64)).await;
        transport.abort();
    }
}

/// Answers most requests, some late, some never.
async fn answer(mut incoming: Incoming) {
    let mut late = JoinSet::new();
    while let Some(inbound) = incoming.recv().await {
        let Some(responder) = inbound.responder else { continue };
        match inbound.body.first() {
            Some(255) => drop(responder),
            Some(wait @ 1..) => {
                let wait = Duration::from_millis(u64::from(*wait));
                late.spawn(async move {
                    // Sleeps because the peer that it plays is slow.
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

/// Sends the requests of one caller, one after another. Returns the number of answers.
async fn call(transport: Transport, peers: Vec<Peer>, mut rng: Rng) -> usize {
    let (mut answered, begun) = (0, Instant::now());
    for _ in 0..REQUESTS {
        // All callers use the same two peers for 200 ms, so that other connections become idle and
        // are evicted.
        let focus = usize::try_from(begun.elapsed().as_millis() / 200).unwrap();
        let peer = &peers[(focus + rng.below(2)) % peers.len()];
        let deadline = Duration::from_millis(20 + rng.below(400) as u64);
        // One request in ten is cancelled at a random moment.
        let limit = if rng.below(10) == 0 { Duration::from_millis(rng.below(20) as u64) } else { LONG };
        if rng.below(10) == 0 {
            // The time-out may drop the future at any point, which is what this tests.
            drop(timeout(limit, stream(&transport, peer, deadline)).await);
            continue;
        }
        let kind = [0, 0, 0, 0, 0, 2, 50, 255][rng.below(8)];
        let body = Bytes::from(vec![kind; 1 + rng.below(20) * rng.below(1024)]);
        match timeout(limit, transport.request(peer, body.clone(), deadline)).await {
            Ok(Ok(answer)) => {
                assert_eq!(answer, body, "the answer is the one to this request");
                answered += 1;
            }
            // Any error may happen, and must leave nothing behind.
            Ok(Err(_)) => sleep_after_refusal(&mut rng).await,
            Err(_) => assert!(limit < LONG, "a request outlived its deadline"),
        }
    }
    answered
}

async fn sleep_after_refusal(rng: &mut Rng) {
    // Sleeps because an immediate repetition would be refused again.
    sleep(Duration::from_millis(1 + rng.below(20) as u64)).await;
}

/// Opens a stream, sends and receives once, and finishes it.
async fn stream(transport: &Transport, peer: &Peer, deadline: Duration) -> Option<AppStream> {
    let mut stream = transport.open_stream(peer, "echo", deadline).await.ok()?;
    stream.send(Bytes::from_static(b"over and out")).await.ok()?;
    timeout(deadline, stream.receive()).await.ok()?.ok()?;
    stream.finish().ok()?;
    Some(stream)
}

/// Waits until no slot and no permit is taken.
async fn at_rest(transport: &Transport) {
    let rest = until(|| {
        let stats = transport.pool().stats();
        let slots_rest = stats.in_use + stats.connecting + stats.draining == 0;
        slots_rest && transport.is_idle()
    });
    let rested = timeout(LONG, rest).await;
    rested.unwrap_or_else(|_| panic!("{:?}", transport.pool().stats()));
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        // Sleeps because there is no event for it. The time limit around it is generous.
        sleep(Duration::from_millis(5)).await;
    }
}
