//! Runs a QUIC endpoint on a socket of a simulated network, with tokio's clock, which a test can pause, and randomness
//! from a seed. QUIC's own code is the product's; only what lies below its packets is not.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use kinfolk_core::Rng;
use s2n_quic::provider::{io as quic_io, random};
use s2n_quic_core::endpoint::Endpoint;
use s2n_quic_core::event::EndpointPublisher;
use s2n_quic_core::inet::{ExplicitCongestionNotification, SocketAddress, datagram};
use s2n_quic_core::io::event_loop::{EventLoop, Stats};
use s2n_quic_core::io::{rx, tx};
use s2n_quic_core::path::{Handle as _, Tuple, mtu};
use s2n_quic_core::task::cooldown::Cooldown;
use s2n_quic_core::time::clock::{ClockWithTimer, Timer};
use s2n_quic_core::time::{Clock, NoopClock, Timestamp};
use tokio::time::{Instant, Sleep, sleep_until};

use super::io::Started;
use crate::simulation::{Datagram, Receiver, Sender, Socket};

/// How many datagrams an endpoint may send in one turn of its loop.
const BURST_MAX: usize = 1024;

/// A socket of a simulated network, to be run by a QUIC endpoint.
pub(super) struct SimulatedIo {
    pub(super) socket: Socket,
    pub(super) started: Started,
}

impl quic_io::Provider for SimulatedIo {
    type PathHandle = Tuple;
    type Error = io::Error;

    fn start<E: Endpoint<PathHandle = Tuple>>(self, mut endpoint: E) -> io::Result<SocketAddress> {
        let Socket { addr, sender, receiver } = self.socket;
        let mtu = mtu::Config::default();
        endpoint.set_mtu_config(mtu);
        let event_loop = EventLoop {
            endpoint,
            clock: TokioClock::start(),
            rx: Rx { receiver, local: addr, arrived: Arrived::default() },
            tx: Tx {
                queue: TxQueue { sender, buffer: vec![0; mtu.max_mtu().into()], sent: 0 },
                was_full: false,
            },
            cooldown: Cooldown::default(),
            stats: NoStats,
        };
        let task = tokio::spawn(event_loop.start(addr.into()));
        self.started.set(task.abort_handle());
        Ok(addr.into())
    }
}

/// QUIC's randomness, from a seed.
pub(super) struct Seeded {
    public: Rng,
    private: Rng,
}

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        Self { public: rng.fork(), private: rng.fork() }
    }
}

impl random::Provider for Seeded {
    type Generator = Self;
    type Error = Infallible;

    fn start(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

impl random::Generator for Seeded {
    fn public_random_fill(&mut self, dest: &mut [u8]) {
        fill(&mut self.public, dest);
    }

    fn private_random_fill(&mut self, dest: &mut [u8]) {
        fill(&mut self.private, dest);
    }
}

fn fill(rng: &mut Rng, dest: &mut [u8]) {
    for chunk in dest.chunks_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_le_bytes()[..chunk.len()]);
    }
}

/// The receiving half.
struct Rx {
    receiver: Box<dyn Receiver>,
    local: SocketAddr,
    arrived: Arrived,
}

/// Datagrams on their way from the socket into QUIC.
#[derive(Default)]
struct Arrived {
    datagrams: Vec<Datagram>,
    local: Option<SocketAddr>,
}

impl rx::Rx for Rx {
    type PathHandle = Tuple;
    type Queue = Arrived;
    type Error = Infallible;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.receiver.poll_receive(cx, &mut self.arrived.datagrams).map(Ok)
    }

    fn queue<F: FnOnce(&mut Arrived)>(&mut self, f: F) {
        self.arrived.local = Some(self.local);
        f(&mut self.arrived);
    }

    fn handle_error<E: EndpointPublisher>(self, error: Infallible, _: &mut E) {
        match error {}
    }
}

impl rx::Queue for Arrived {
    type Handle = Tuple;

    fn for_each<F: FnMut(datagram::Header<Tuple>, &mut [u8])>(&mut self, mut on_packet: F) {
        for mut datagram in self.datagrams.drain(..) {
            let mut path = Tuple::from_remote_address(SocketAddress::from(datagram.from).into());
            if let Some(local) = self.local {
                path.set_local_address(SocketAddress::from(local).into());
            }
            let header = datagram::Header { path, ecn: ExplicitCongestionNotification::default() };
            on_packet(header, &mut datagram.payload);
        }
    }

    fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }
}

/// The sending half.
struct Tx {
    queue: TxQueue,
    /// The last turn ended at the bound: the endpoint may have more to send.
    was_full: bool,
}

struct TxQueue {
    sender: Box<dyn Sender>,
    /// Holds one datagram of the largest size.
    buffer: Vec<u8>,
    /// How many datagrams have been sent in this turn.
    sent: usize,
}

impl tx::Tx for Tx {
    type PathHandle = Tuple;
    type Queue = TxQueue;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A socket that is not full has no news. The loop asks again after each turn, so that nobody need be woken.
        if self.was_full { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn queue<F: FnOnce(&mut TxQueue)>(&mut self, f: F) {
        self.queue.sent = 0;
        f(&mut self.queue);
        self.was_full = self.queue.sent == BURST_MAX;
    }

    fn handle_error<E: EndpointPublisher>(self, error: Infallible, _: &mut E) {
        match error {}
    }
}

impl tx::Queue for TxQueue {
    type Handle = Tuple;

    fn push<M: tx::Message<Handle = Tuple>>(&mut self, mut message: M) -> Result<tx::Outcome, tx::Error> {
        if self.sent == BURST_MAX {
            return Err(tx::Error::AtCapacity);
        }
        let len = message.write_payload(tx::PayloadBuffer::new(&mut self.buffer), 0)?;
        let to = SocketAddr::from(message.path_handle().remote_address().0);
        self.sender.send(to, &self.buffer[..len]);
        self.sent += 1;
        Ok(tx::Outcome { len, index: self.sent - 1 })
    }

    fn capacity(&self) -> usize {
        BURST_MAX - self.sent
    }
}

/// Tokio's clock in QUIC's terms.
#[derive(Clone, Copy)]
struct TokioClock {
    origin: Instant,
}

impl TokioClock {
    fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// QUIC's name for the origin. Any will do; this is one that can be had.
    fn zero() -> Timestamp {
        NoopClock.get_time()
    }
}

impl Clock for TokioClock {
    fn get_time(&self) -> Timestamp {
        Self::zero() + self.origin.elapsed()
    }
}

impl ClockWithTimer for TokioClock {
    type Timer = TokioTimer;

    fn timer(&self) -> TokioTimer {
        TokioTimer { clock: *self, target: None, sleep: Box::pin(sleep_until(self.origin)) }
    }
}

struct TokioTimer {
    clock: TokioClock,
    target: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl Timer for TokioTimer {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.target.is_none() {
            return Poll::Pending;
        }
        let fired = self.sleep.as_mut().poll(cx);
        if fired.is_ready() {
            // Until the next one is set, or the loop would never rest.
            self.target = None;
        }
        fired
    }

    fn update(&mut self, timestamp: Timestamp) {
        let target = self.clock.origin + timestamp.saturating_duration_since(TokioClock::zero());
        if self.target != Some(target) {
            self.sleep.as_mut().reset(target);
            self.target = Some(target);
        }
    }
}

/// There is nothing to report about calls to a system.
struct NoStats;

impl Stats for NoStats {
    fn publish<P: EndpointPublisher>(&mut self, _: &mut P) {}
}
