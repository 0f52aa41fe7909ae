//! Measures how much a bulk transfer delays small requests to the same peer.
//!
//! It measures the round trip of a probe while nothing else is sent, while an application stream
//! sends bytes to the peer, and while it receives bytes from the peer. Two nodes run in one process
//! over loopback.
//!
//! `cargo run --release -p kinfolk-transport --example probe_under_load [MEGABYTES]
//! [STREAM_BUFFER_BYTES]` (default 100 and 65,536). `docs/decisions/0005` has the results and the
//! decision.
#![expect(clippy::print_stdout, reason = "the program prints its measurements")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use kinfolk_core::{ClusterId, NodeId};
use kinfolk_transport::{AppStream, ClusterCa, Incoming, Peer, Transport, TransportConfig};
use tokio::task::JoinHandle;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const LIMIT: Duration = Duration::from_mins(1);
const MEGABYTE: usize = 1_000_000;
const ROUNDS: usize = 10;
const IDLE_PROBES: usize = 300;
/// The pause between one probe's answer and the next probe.
const PAUSE: Duration = Duration::from_millis(1);

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let megabytes = args.next().map_or(Ok(100), |arg| arg.parse())?;
    let buffer_bytes = args.next().map_or(Ok(64 * 1024), |arg| arg.parse())?;
    let ca = ClusterCa::create(&ClusterId::new("demo")?)?;
    let (a, a_incoming) = bind(&ca, "a", buffer_bytes)?;
    let (b, b_incoming) = bind(&ca, "b", buffer_bytes)?;
    let echoes = [tokio::spawn(echo(a_incoming)), tokio::spawn(echo(b_incoming))];
    let peer = Peer::new(b.id().clone(), b.local_addr());

    // The first probes include the handshake and cold caches. Do not count them.
    probes(&a, &peer, 200, None).await?;
    let [mut idle, mut sending, mut receiving] =
        [Case::new("idle"), Case::new("sending to it"), Case::new("receiving")];
    // Take turns, so that other load of the machine affects all cases alike.
    for _ in 0..ROUNDS {
        idle.times.extend(probes(&a, &peer, IDLE_PROBES, None).await?);
        for (case, upward) in [(&mut sending, true), (&mut receiving, false)] {
            let begun = Instant::now();
            let transfer = bulk(&a, &b, &peer, megabytes * MEGABYTE, upward).await?;
            case.times.extend(probes(&a, &peer, usize::MAX, Some(&transfer)).await?);
            transfer.await??;
            case.megabytes += megabytes;
            case.transfers += begun.elapsed();
        }
    }
    println!(
        "{:<14}{:>8}{:>9}{:>9}{:>9}{:>8}{:>8}{:>8}",
        "", "probes", "p50 us", "p90 us", "p99 us", "p50 x", "p99 x", "MB/s"
    );
    for case in [&mut idle, &mut sending, &mut receiving] {
        case.times.sort_unstable();
    }
    for case in [&idle, &sending, &receiving] {
        case.report(&idle);
    }
    stalled(&a, &b, &peer).await?;
    println!("connections: {}", a.connection_count());
    a.close(LIMIT).await;
    b.close(LIMIT).await;
    for echo in echoes {
        echo.await?;
    }
    Ok(())
}

fn bind(ca: &ClusterCa, name: &str, buffer_bytes: u32) -> Outcome<(Transport, Incoming)> {
    let identity = ca.issue(&NodeId::new(name)?, Duration::from_hours(1))?;
    let mut config = TransportConfig::new("127.0.0.1:0".parse()?, identity);
    config.stream_buffer_bytes = buffer_bytes;
    Ok(Transport::bind(config)?)
}

async fn echo(mut incoming: Incoming) {
    while let Some(request) = incoming.recv().await {
        if let Some(responder) = request.responder {
            // The requester may have dropped its future. Ignore the error.
            let _cancelled = responder.respond(request.body).await;
        }
    }
}

/// Starts to move `bytes` over a stream that `a` opens: to `b`, or from `b`.
async fn bulk(
    a: &Transport,
    b: &Transport,
    peer: &Peer,
    bytes: usize,
    upward: bool,
) -> Outcome<JoinHandle<Outcome<()>>> {
    let mut listener = b.accept("bulk")?;
    let (opened, accepted) = tokio::join!(a.open_stream(peer, "bulk", LIMIT), listener.accept());
    let (_, accepted) = accepted.ok_or("the listener has ended")?;
    let (from, to) = if upward { (opened?, accepted) } else { (accepted, opened?) };
    Ok(tokio::spawn(async move {
        let sending = tokio::spawn(send(from, bytes));
        let received = receive(to).await?;
        sending.await??;
        if received == bytes { Ok(()) } else { Err(format!("{received} of {bytes} bytes arrived").into()) }
    }))
}

/// Probes while the program at the other end of a stream does not read. The stream then holds as
/// many bytes in flight as it may.
async fn stalled(a: &Transport, b: &Transport, peer: &Peer) -> Outcome<()> {
    let mut listener = b.accept("stalled")?;
    let (opened, accepted) = tokio::join!(a.open_stream(peer, "stalled", LIMIT), listener.accept());
    let (mut stream, _unread) = (opened?, accepted);
    let piece = Bytes::from(vec![7; 64 * 1024]);
    let mut taken = 0;
    while tokio::time::timeout(Duration::from_millis(500), stream.send(piece.clone())).await.is_ok() {
        taken += piece.len();
    }
    let mut failed = 0;
    for _ in 0..20 {
        let answer = a.request(peer, Bytes::from_static(&[0; 100]), Duration::from_secs(1)).await;
        failed += usize::from(answer.is_err());
    }
    println!("unread stream: {taken} bytes in flight, {failed} of 20 probes failed within 1 s");
    Ok(())
}

async fn send(mut stream: AppStream, bytes: usize) -> Outcome<()> {
    let piece = Bytes::from(vec![7; 64 * 1024]);
    let mut left = bytes;
    while left > 0 {
        let now = left.min(piece.len());
        stream.send(piece.slice(..now)).await?;
        left -= now;
    }
    stream.close().await?;
    // The other end sends nothing. This loop waits until it has read all bytes.
    while stream.receive().await?.is_some() {}
    Ok(())
}

async fn receive(mut stream: AppStream) -> Outcome<usize> {
    let mut received = 0;
    while let Some(piece) = stream.receive().await? {
        received += piece.len();
    }
    stream.close().await?;
    Ok(received)
}

/// Sends probes one after another, `count` of them or until the transfer ends. Returns their
/// round-trip times.
async fn probes(
    a: &Transport,
    peer: &Peer,
    count: usize,
    transfer: Option<&JoinHandle<Outcome<()>>>,
) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    while times.len() < count && transfer.is_none_or(|transfer| !transfer.is_finished()) {
        let begun = Instant::now();
        a.request(peer, Bytes::from_static(&[0; 100]), LIMIT).await?;
        times.push(begun.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(times)
}

/// The measurements of one case.
struct Case {
    name: &'static str,
    times: Vec<Duration>,
    megabytes: usize,
    transfers: Duration,
}

impl Case {
    fn new(name: &'static str) -> Self {
        Self { name, times: Vec::new(), megabytes: 0, transfers: Duration::ZERO }
    }

    /// In microseconds. `times` must be sorted.
    fn percentile(&self, percent: usize) -> f64 {
        let at = (self.times.len() * percent / 100).min(self.times.len().saturating_sub(1));
        self.times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    }

    fn report(&self, idle: &Self) {
        let [p50, p90, p99] = [50, 90, 99].map(|percent| self.percentile(percent));
        let [x50, x99] = [50, 99].map(|percent| self.percentile(percent) / idle.percentile(percent));
        let rate = self.megabytes as f64 / self.transfers.as_secs_f64().max(1e-9);
        let (name, probes) = (self.name, self.times.len());
        println!("{name:<14}{probes:>8}{p50:>9.0}{p90:>9.0}{p99:>9.0}{x50:>8.1}{x99:>8.1}{rate:>8.0}");
    }
}
