//! Runs a QUIC endpoint on a socket of a simulated network.
//!
//! It uses tokio's clock, which a test can pause, and randomness from a seed. QUIC's own code is
//! the same as in production; only the layer below its packets differs.

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

/// The largest number of datagrams that an endpoint sends in one turn of its event loop.
const BURST_MAX: usize = 1024;

/// A socket of a simulated network for a QUIC endpoint.
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

/// QUIC's randomness, from a seed, so that a run can be repeated.
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

/// Datagrams that the socket has received and QUIC has not read yet.
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
            // No ECN marks: the real sockets ignore them too (`ignore_ecn` in `io.rs`).
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
    /// Whether the last turn ended at `BURST_MAX`. Then the endpoint may have more to send.
    was_full: bool,
}

struct TxQueue {
    sender: Box<dyn Sender>,
    /// A buffer for one datagram of the largest size.
    buffer: Vec<u8>,
    /// The number of datagrams sent in this turn.
    sent: usize,
}

impl tx::Tx for Tx {
    type PathHandle = Tuple;
    type Queue = TxQueue;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Only a full turn makes the loop run again at once. The loop polls again after each turn,
        // so no waker is needed.
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

/// Tokio's clock as a clock of QUIC.
#[derive(Clone, Copy)]
struct TokioClock {
    origin: Instant,
}

impl TokioClock {
    fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The origin as a QUIC timestamp. Any value works; the no-op clock gives a constant one.
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
            // Disarm the timer until the next `update`. Otherwise it would be ready at each poll,
            // and the loop would never wait.
            self.target = None;
        }
        fired
    }

    fn update(&mut self, timestamp: Timestamp) {
        let target = self.clock.origin + timestamp.saturating_duration_since(TokioClock::zero());
        // The loop updates the timer in each turn. Only a new time resets tokio's timer.
        if self.target != Some(target) {
            self.sleep.as_mut().reset(target);
            self.target = Some(target);
        }
    }
}

/// A simulated network makes no system calls, so there are no statistics about them.
struct NoStats;

impl Stats for NoStats {
    fn publish<P: EndpointPublisher>(&mut self, _: &mut P) {}
}
