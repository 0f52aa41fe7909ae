//! Records what QUIC's events say about each connection: the handshake's progress, the peer's
//! certificate, the source address, the round trip, and the end. Other modules decide what
//! follows from it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use s2n_quic::connection;
use s2n_quic::provider::event::{ConnectionInfo, ConnectionMeta, Subscriber, events};
use tokio::sync::watch;
use tokio::time::Instant;

use super::limits::{CountedConnection, Handshakes, Sources};
use super::refusal::Refusals;
use super::trace::TraceKey;
use crate::pool::Side;
use crate::stats::{Counters, add};
use crate::traffic::{Count, Use};

/// The progress of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Handshaking,
    /// Both nodes have accepted each other's certificate.
    Confirmed,
    Closed(connection::Error),
}

/// The recorded state of one connection, shared between QUIC's event loop and this crate.
#[derive(Debug)]
pub(super) struct Facts {
    status: watch::Sender<Status>,
    /// Whether the status is `Closed`. It only changes from false to true. The pool reads it at
    /// each look-up while it holds its own lock, so it may not take the lock in `status`.
    closed: AtomicBool,
    /// The peer's own certificate in DER, and those of its authorities after it.
    certificate: OnceLock<Bytes>,
    source: OnceLock<SocketAddr>,
    trace_key: OnceLock<TraceKey>,
    /// Why the TLS library of this node refused the peer.
    tls_fault: OnceLock<String>,
    /// The use of the latest request, as a [`Use`]. QUIC's own packets count for it too.
    latest_use: AtomicU8,
    counters: Arc<Counters>,
    arrivals: Arrivals,
}

/// The fields that each received packet changes. They have their own cache lines: otherwise each
/// packet would slow down the look-ups, which read the other fields.
#[derive(Debug)]
#[repr(align(128))]
struct Arrivals {
    /// The smoothed round trip in microseconds; 0 before the first measurement.
    rtt: AtomicU64,
    /// The shortest time from a request to its answer in microseconds since it was last taken;
    /// `u64::MAX` without one.
    shortest: AtomicU64,
    /// The origin of the times below.
    begun: Instant,
    /// When the peer last acknowledged a packet for the first time, in microseconds. The arrival
    /// of the peer's own packets proves less: they also arrive if no packet reaches the peer.
    last_ack: AtomicU64,
    /// When the first request without a later acknowledgement was sent, in microseconds. Not
    /// valid if it is before `last_ack`.
    first_unanswered: AtomicU64,
    /// The datagrams that arrived since a use of them was known.
    collected: Count,
}

impl Arrivals {
    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.begun).as_micros()).unwrap_or(u64::MAX)
    }
}

impl Facts {
    pub(super) fn new(counters: &Arc<Counters>) -> Arc<Self> {
        Arc::new(Self {
            status: watch::Sender::new(Status::Handshaking),
            certificate: OnceLock::new(),
            source: OnceLock::new(),
            trace_key: OnceLock::new(),
            tls_fault: OnceLock::new(),
            latest_use: AtomicU8::new(Use::Handshake as u8),
            closed: AtomicBool::new(false),
            counters: Arc::clone(counters),
            arrivals: Arrivals {
                rtt: AtomicU64::new(0),
                shortest: AtomicU64::new(u64::MAX),
                begun: Instant::now(),
                last_ack: AtomicU64::new(0),
                first_unanswered: AtomicU64::new(0),
                collected: Count::default(),
            },
        })
    }

    /// Waits until the peer has accepted this node, or the connection ends.
    ///
    /// QUIC's `connect` returns earlier: in TLS 1.3 the server checks the client's certificate
    /// last.
    pub(super) async fn confirmed(&self) -> Result<(), connection::Error> {
        let mut status = self.status.subscribe();
        let settled = status.wait_for(|status| *status != Status::Handshaking).await;
        match *settled.expect("the sender is a field of self, which is borrowed") {
            Status::Closed(error) => Err(error),
            Status::Handshaking | Status::Confirmed => Ok(()),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    pub(super) fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// The peer's certificate and its chain in DER. `None` if the peer sent none; the caller must
    /// refuse it.
    pub(super) fn certificate(&self) -> Option<&Bytes> {
        self.certificate.get()
    }

    /// The secret from which both ends derive the trace ids of their exchanges.
    pub(super) fn trace_key(&self) -> Option<&TraceKey> {
        self.trace_key.get()
    }

    pub(super) fn tls_fault(&self) -> Option<&str> {
        self.tls_fault.get().map(String::as_str)
    }

    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.source.get().copied()
    }

    /// The smoothed round trip; `None` before the first measurement.
    pub(super) fn rtt(&self) -> Option<Duration> {
        match self.arrivals.rtt.load(Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    /// The answer to a request that the peer answers at once came after this time.
    pub(super) fn answered_after(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.arrivals.shortest.fetch_min(micros, Relaxed);
    }

    /// The shortest of these times since the last call; `None` without one.
    pub(super) fn take_shortest(&self) -> Option<Duration> {
        match self.arrivals.shortest.swap(u64::MAX, Relaxed) {
            u64::MAX => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    /// Counts the bytes that are sent from now on for this use. What arrived until now belongs to
    /// the use before.
    pub(super) fn used_for(&self, of: Use) {
        let before = self.latest_use.swap(of as u8, Relaxed);
        self.count_received(Use::of_byte(before));
    }

    /// A request or an answer for this use is complete. What arrived until now belongs to it.
    pub(super) fn received_for(&self, of: Use) {
        self.count_received(of);
        self.latest_use.store(of as u8, Relaxed);
    }

    fn latest_use(&self) -> Use {
        Use::of_byte(self.latest_use.load(Relaxed))
    }

    /// Counts all datagrams that were collected for this use.
    fn count_received(&self, of: Use) {
        self.counters.received_for.of(of).take_from(&self.arrivals.collected);
    }

    /// Whether the peer has acknowledged a packet since `then`.
    pub(super) fn has_acked_since(&self, then: Instant) -> bool {
        self.arrivals.last_ack.load(Relaxed) >= self.arrivals.micros(then)
    }

    /// For how long the peer has acknowledged nothing after a request. `asked` is when the last
    /// request was sent. Zero if an acknowledgement came since.
    pub(super) fn unacknowledged_for(&self, asked: Instant) -> Duration {
        if self.has_acked_since(asked) {
            return Duration::ZERO;
        }
        let arrivals = &self.arrivals;
        let (asked, last_ack) = (arrivals.micros(asked), arrivals.last_ack.load(Relaxed));
        // Two callers may store at the same time. Either value is right: nothing was acknowledged
        // after either request.
        let first = Some(arrivals.first_unanswered.load(Relaxed))
            .filter(|first| (last_ack..asked).contains(first))
            .unwrap_or(asked);
        arrivals.first_unanswered.store(first, Relaxed);
        Duration::from_micros(arrivals.micros(Instant::now()).saturating_sub(first))
    }
}

/// QUIC's context of one connection. QUIC drops it when it removes the connection.
pub(super) struct Context {
    pub(super) facts: Arc<Facts>,
    /// When the peer began the handshake. `None` once it is complete, and for our own dials.
    begun: Option<Instant>,
    /// The highest packet number of this node that the peer has acknowledged.
    acknowledged: u64,
    counted: CountedConnection,
}

/// Receives the events of one endpoint.
pub(super) struct Events {
    pub(super) side: Side,
    pub(super) counters: Arc<Counters>,
    pub(super) sources: Arc<Sources>,
    pub(super) handshakes: Arc<Handshakes>,
    pub(super) refusals: Arc<Refusals>,
}

impl Subscriber for Events {
    type ConnectionContext = Context;

    fn create_connection_context(&mut self, _: &ConnectionMeta, info: &ConnectionInfo<'_>) -> Context {
        // The dialler passes the facts of its own dial; an inbound connection gets new ones.
        let brought = info.application.and_then(|any| any.downcast_ref::<Arc<Facts>>());
        let facts = brought.map_or_else(|| Facts::new(&self.counters), Arc::clone);
        let begun = (self.side == Side::Remote).then(Instant::now);
        Context { facts, begun, acknowledged: 0, counted: CountedConnection::new(&self.sources) }
    }

    fn on_connection_started(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::ConnectionStarted<'_>,
    ) {
        let source = socket_addr(&event.path.remote_addr);
        // The event comes once for each connection, so the cell is still empty.
        let _first = cx.facts.source.set(source);
        // The limits for each address bound what peers open, not this node's own dials.
        if self.side == Side::Remote {
            cx.counted.count_for(source.ip());
        }
    }

    fn on_tls_exporter_ready(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::TlsExporterReady<'_>,
    ) {
        // The chain that TLS has verified: the peer's own certificate, its intermediates, and the
        // authority.
        let chain = event.session.peer_cert_chain_der().unwrap_or_default();
        if !chain.is_empty() {
            let _first = cx.facts.certificate.set(chain.concat().into());
        }
        if let Some(key) = TraceKey::of_connection(event) {
            let _first = cx.facts.trace_key.set(key);
        }
    }

    fn on_tls_handshake_failed(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::TlsHandshakeFailed<'_>,
    ) {
        let fault = Refusals::of_tls(event.error);
        self.refusals.refused_here(self.side, cx.facts.source(), &fault);
        let _first = cx.facts.tls_fault.set(fault.text);
    }

    fn on_handshake_status_updated(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::HandshakeStatusUpdated,
    ) {
        if matches!(event.status, events::HandshakeStatus::Confirmed { .. }) {
            let first = cx.facts.status.send_if_modified(|status| {
                let first = *status == Status::Handshaking;
                if first {
                    *status = Status::Confirmed;
                }
                first
            });
            if first {
                cx.facts.count_received(Use::Handshake);
            }
            add(&self.counters.handshakes, u64::from(first));
            if let Some(begun) = cx.begun.take() {
                self.handshakes.done(begun);
            }
        }
    }

    fn on_connection_closed(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::ConnectionClosed,
    ) {
        cx.facts.closed.store(true, Relaxed);
        cx.facts.count_received(cx.facts.latest_use());
        let before = cx.facts.status.send_replace(Status::Closed(event.error));
        cx.counted.uncount();
        if before == Status::Handshaking && cx.facts.tls_fault().is_none() {
            self.refusals.ended(self.side, cx.facts.source(), event.error);
        }
    }

    fn on_recovery_metrics(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::RecoveryMetrics<'_>,
    ) {
        let micros = u64::try_from(event.smoothed_rtt.as_micros()).unwrap_or(u64::MAX);
        // At least 1, because 0 means "not measured".
        cx.facts.arrivals.rtt.store(micros.max(1), Relaxed);
    }

    fn on_ack_range_received(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::AckRangeReceived<'_>,
    ) {
        // Handshake packets have their own number space, so their numbers cannot be compared.
        if matches!(event.packet_header, events::PacketHeader::OneRtt { .. })
            && *event.ack_range.end() > cx.acknowledged
        {
            cx.acknowledged = *event.ack_range.end();
            let arrivals = &cx.facts.arrivals;
            arrivals.last_ack.store(arrivals.micros(Instant::now()), Relaxed);
        }
    }

    fn on_datagram_sent(&mut self, cx: &mut Context, _: &ConnectionMeta, event: &events::DatagramSent) {
        let bytes = u64::from(event.len);
        add(&self.counters.udp.datagrams_sent, 1);
        add(&self.counters.udp.bytes_sent, bytes);
        self.counters.sent_for.of(cx.facts.latest_use()).add(bytes);
    }

    fn on_datagram_received(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::DatagramReceived,
    ) {
        let bytes = u64::from(event.len);
        add(&self.counters.udp.datagrams_received, 1);
        add(&self.counters.udp.bytes_received, bytes);
        // A connection for streams of applications has no other use, and no request that ends.
        if cx.facts.latest_use() == Use::Application {
            self.counters.received_for.of(Use::Application).add(bytes);
        } else {
            cx.facts.arrivals.collected.add(bytes);
        }
    }
}

/// Converts the address in an event.
pub(super) fn socket_addr(addr: &events::SocketAddress<'_>) -> SocketAddr {
    match addr {
        events::SocketAddress::IpV4 { ip, port, .. } => {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::from(**ip)), *port)
        }
        events::SocketAddress::IpV6 { ip, port, .. } => {
            // Canonical, so that the limit for an address also holds for its IPv4-mapped form.
            SocketAddr::new(IpAddr::V6(Ipv6Addr::from(**ip)).to_canonical(), *port)
        }
        // s2n-quic may add kinds of addresses. The result is only counted and logged, so the
        // unspecified address is good enough.
        _ => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    }
}
