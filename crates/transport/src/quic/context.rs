//! What QUIC's events tell about each connection: how far the handshake is, the peer's certificates, the source address,
//! the round trip, and how it ended. It notes; what follows from it is decided elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use s2n_quic::connection;
use s2n_quic::provider::event::{ConnectionInfo, ConnectionMeta, Subscriber, events};
use tokio::sync::watch;
use tokio::time::Instant;

use super::limits::{Handshakes, Sources, Ticket};
use super::refusal::Refusals;
use crate::pool::Side;
use crate::stats::{Counters, add};
use crate::traffic::Use;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Handshaking,
    /// Both sides have accepted each other's certificate.
    Confirmed,
    Closed(connection::Error),
}

/// What is known about one connection; shared between QUIC's event loop and us.
#[derive(Debug)]
pub(super) struct Facts {
    status: watch::Sender<Status>,
    /// Whether the status is `Closed`, to be asked without the lock in `status`. It only goes from false to true.
    closed: AtomicBool,
    chain: OnceLock<Vec<Vec<u8>>>,
    source: OnceLock<SocketAddr>,
    /// Why the TLS library here refused the peer.
    tls_fault: OnceLock<String>,
    /// What its latest bytes are for.
    latest_use: AtomicU8,
    arrivals: Arrivals,
}

/// What each packet that comes changes. It has cache lines to itself: the others are read at each look-up.
#[derive(Debug)]
#[repr(align(128))]
struct Arrivals {
    /// The smoothed round trip in microseconds, 0 before the first measurement.
    rtt: AtomicU64,
    /// What the times here count from.
    begun: Instant,
    /// When the peer last acknowledged a packet that it had not acknowledged before, in microseconds. Its own packets say less:
    /// they come also if nothing of ours reaches it.
    heard: AtomicU64,
    /// When the first question was asked that nothing has come after, in microseconds. Void if it is before `heard`.
    asked: AtomicU64,
}

impl Arrivals {
    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.begun).as_micros()).unwrap_or(u64::MAX)
    }
}

impl Facts {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            status: watch::Sender::new(Status::Handshaking),
            chain: OnceLock::new(),
            source: OnceLock::new(),
            tls_fault: OnceLock::new(),
            latest_use: AtomicU8::new(Use::Handshake as u8),
            closed: AtomicBool::new(false),
            arrivals: Arrivals {
                rtt: AtomicU64::new(0),
                begun: Instant::now(),
                heard: AtomicU64::new(0),
                asked: AtomicU64::new(0),
            },
        })
    }

    /// Waits until the peer has accepted us, or the connection ends. (`connect` returns before that: in TLS 1.3 the
    /// server judges the client's certificate last.)
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

    /// The peer's own certificate in DER. None if it showed none, which is to be taken as a refusal.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        self.chain.get()?.first().map(Vec::as_slice)
    }

    pub(super) fn tls_fault(&self) -> Option<&str> {
        self.tls_fault.get().map(String::as_str)
    }

    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.source.get().copied()
    }

    /// The smoothed round trip, once measured.
    pub(super) fn rtt(&self) -> Option<Duration> {
        match self.arrivals.rtt.load(Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    /// What is sent from now on is for that.
    pub(super) fn used_for(&self, of: Use) {
        self.latest_use.store(of as u8, Relaxed);
    }

    /// Whether the peer has acknowledged something since then.
    pub(super) fn has_heard_since(&self, then: Instant) -> bool {
        self.arrivals.heard.load(Relaxed) >= self.arrivals.micros(then)
    }

    /// For how long nothing has come though it was asked; `asked` is when the last question was sent.
    pub(super) fn mute_since(&self, asked: Instant) -> Duration {
        if self.has_heard_since(asked) {
            return Duration::ZERO;
        }
        let arrivals = &self.arrivals;
        let (asked, heard) = (arrivals.micros(asked), arrivals.heard.load(Relaxed));
        // Two callers may write at the same time: both times are of questions that nothing came after.
        let first = Some(arrivals.asked.load(Relaxed))
            .filter(|first| (heard..asked).contains(first))
            .unwrap_or(asked);
        arrivals.asked.store(first, Relaxed);
        Duration::from_micros(arrivals.micros(Instant::now()).saturating_sub(first))
    }
}

/// QUIC's context of one connection. It lives until QUIC has forgotten the connection.
pub(super) struct Context {
    pub(super) facts: Arc<Facts>,
    /// When the peer began the handshake, while that is under way.
    begun: Option<Instant>,
    /// The highest number of our packets that the peer has acknowledged.
    acknowledged: u64,
    ticket: Ticket,
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
        // Our own dials bring their facts along; a connection from outside gets new ones.
        let brought = info.application.and_then(|any| any.downcast_ref::<Arc<Facts>>());
        let facts = brought.map_or_else(Facts::new, Arc::clone);
        let begun = (self.side == Side::Remote).then(Instant::now);
        Context { facts, begun, acknowledged: 0, ticket: Ticket::new(&self.sources) }
    }

    fn on_connection_started(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::ConnectionStarted<'_>,
    ) {
        let source = socket_addr(&event.path.remote_addr);
        // The event comes once a connection, so that the cell is still empty.
        let _first = cx.facts.source.set(source);
        if self.side == Side::Remote {
            cx.ticket.count(source.ip());
        }
    }

    fn on_tls_exporter_ready(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::TlsExporterReady<'_>,
    ) {
        if let Ok(chain) = event.session.peer_cert_chain_der() {
            let _first = cx.facts.chain.set(chain);
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
        let before = cx.facts.status.send_replace(Status::Closed(event.error));
        cx.ticket.closed();
        if before == Status::Handshaking && cx.facts.tls_fault().is_none() {
            self.refusals.refused_there(self.side, cx.facts.source(), event.error);
        }
    }

    fn on_recovery_metrics(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::RecoveryMetrics<'_>,
    ) {
        let micros = u64::try_from(event.smoothed_rtt.as_micros()).unwrap_or(u64::MAX);
        cx.facts.arrivals.rtt.store(micros.max(1), Relaxed);
    }

    fn on_ack_range_received(
        &mut self,
        cx: &mut Context,
        _: &ConnectionMeta,
        event: &events::AckRangeReceived<'_>,
    ) {
        // The packets of a handshake are numbered by themselves.
        if matches!(event.packet_header, events::PacketHeader::OneRtt { .. })
            && *event.ack_range.end() > cx.acknowledged
        {
            cx.acknowledged = *event.ack_range.end();
            let arrivals = &cx.facts.arrivals;
            arrivals.heard.store(arrivals.micros(Instant::now()), Relaxed);
        }
    }

    fn on_datagram_sent(&mut self, cx: &mut Context, _: &ConnectionMeta, event: &events::DatagramSent) {
        let bytes = u64::from(event.len);
        add(&self.counters.udp.datagrams_sent, 1);
        add(&self.counters.udp.bytes_sent, bytes);
        self.counters.sent_for.of(Use::of_byte(cx.facts.latest_use.load(Relaxed))).add(bytes);
    }

    fn on_datagram_received(
        &mut self,
        _: &mut Context,
        _: &ConnectionMeta,
        event: &events::DatagramReceived,
    ) {
        add(&self.counters.udp.datagrams_received, 1);
        add(&self.counters.udp.bytes_received, u64::from(event.len));
    }
}

/// An address as an event gives it.
pub(super) fn socket_addr(addr: &events::SocketAddress<'_>) -> SocketAddr {
    match addr {
        events::SocketAddress::IpV4 { ip, port, .. } => {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::from(**ip)), *port)
        }
        events::SocketAddress::IpV6 { ip, port, .. } => {
            SocketAddr::new(IpAddr::V6(Ipv6Addr::from(**ip)).to_canonical(), *port)
        }
        // A kind of address that does not exist yet gets the unspecified one: it is only counted and logged.
        _ => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    }
}
