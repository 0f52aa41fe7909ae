//! The transport: builds the two QUIC endpoints, the pool and the inbox, sends requests and
//! messages, and ends all of it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::signed::Revocation;
use kinfolk_core::{Fill, NodeAddr, NodeId};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument as _, debug, debug_span};

use super::context::Events;
use super::credentials::Credentials;
use super::dialer::Dialer;
use super::hub::{Hub, Stage};
use super::inbound::Incoming;
use super::io::Host;
use super::limits::{ConnectionLimiter, Handshakes, Sources};
use super::owner::{Owner, Ports};
use super::peer::Request;
use super::refusal::Refusals;
use super::streams::{self, AppStream, Listener};
use super::{expiry, listener, replace, start};
use crate::config::TransportConfig;
use crate::error::TransportError;
use crate::frame;
use crate::hello;
use crate::identity::{Certificate, NodeIdentity, RevokedCertificates};
use crate::peer::{Peer, Target};
use crate::pool::{CloseReason, Connection as _, ConnectionPool, Lane, Route, Side, Taken};
use crate::request::{Ending, Phase, RequestError, RequestOptions};
use crate::stats::{Counters, TransportStats, add};
use crate::stream_error::ServiceError;

/// The longest deadline, one year. A longer `Duration` could overflow the clock.
const DEADLINE_MAX: Duration = Duration::from_hours(365 * 24);

/// What kind of exchange a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchange {
    /// A request: the peer's answer comes back.
    Request,
    /// A message: the peer's transport acknowledges it, and no frame comes back.
    OneWay,
}

/// The connections of one node to its peers. Sends requests and messages; the [`Incoming`] that
/// [`bind`](Self::bind) returns receives those of the peers.
///
/// Cloning is cheap and gives the same transport. Dropping the last clone closes every connection
/// without waiting; [`close`](Self::close) ends the transport gracefully.
#[derive(Clone)]
pub struct Transport(Arc<Owner>);

impl Transport {
    /// Opens both ports, for listening and for dialling, and starts to listen.
    ///
    /// # Errors
    /// [`TransportError`]: the port is in use or cannot be bound, the TLS library does not accept
    /// the identity, a setting is out of its range, or there is no tokio runtime. After an error
    /// no port stays open.
    pub fn bind(config: TransportConfig) -> Result<(Self, Incoming), TransportError> {
        Self::bind_at(config, Host::System)
    }

    /// As [`bind`](Self::bind), on a host of a simulated network.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    #[cfg(feature = "simulation")]
    #[doc(hidden)]
    pub fn bind_on(
        config: TransportConfig,
        host: crate::simulation::Host,
    ) -> Result<(Self, Incoming), TransportError> {
        Self::bind_at(config, Host::Simulated(host))
    }

    fn bind_at(config: TransportConfig, host: Host) -> Result<(Self, Incoming), TransportError> {
        let runtime = Handle::try_current().map_err(|_| TransportError::NoRuntime)?;
        start::check(&config)?;
        let counters = Arc::new(Counters::default());
        let refusals = Refusals::new(Arc::clone(&counters));
        let (sources, handshakes) = (Sources::new(), Handshakes::new(config.inbound_max));
        let events = |side| Events {
            side,
            counters: Arc::clone(&counters),
            sources: Arc::clone(&sources),
            handshakes: Arc::clone(&handshakes),
            refusals: Arc::clone(&refusals),
        };
        let (listen_io, listen_task, local) = host.bind(config.listen)?;
        // s2n-quic's server and client cannot share a socket, so dials leave from another port.
        let (dial_io, dial_task, _) = host.bind(SocketAddr::new(config.listen.ip(), 0))?;
        let limiter = ConnectionLimiter {
            sources: Arc::clone(&sources),
            handshakes: Arc::clone(&handshakes),
            counters: Arc::clone(&counters),
            inbound_max: config.inbound_max,
            inbound_per_ip_max: config.inbound_per_ip_max,
        };
        let credentials =
            Credentials::new(config.identity.clone(), config.protocols, config.certificate_clock.clone())?;
        let server = start::server(&config, credentials.clone(), events(Side::Remote), limiter, listen_io)?;
        let client = start::client(&config, credentials.clone(), events(Side::Local), dial_io)?;

        let (sender, queue) = mpsc::channel(config.inbox_max.max(1));
        let hub = Arc::new(Hub::new((config, credentials), counters, refusals, sender));
        let dialer = Dialer::new(client, Arc::clone(&hub), host.clone());
        let pool = ConnectionPool::new(hub.id().clone(), hub.config.pool.clone(), dialer);
        hub.set_pool(&pool);
        tokio::spawn(listener::run(server, Arc::clone(&hub)));
        tokio::spawn(expiry::run(Arc::downgrade(&hub)));
        let incoming = Incoming::new(queue, hub.watch_stage());
        let ports = Ports { host, local, tasks: [listen_task, dial_task] };
        Ok((Self(Owner::new(hub, pool, sources, ports, runtime)), incoming))
    }

    /// This node's name.
    pub fn id(&self) -> &NodeId {
        self.0.hub.id()
    }

    /// The address that this node listens on, with the port that the system chose.
    pub fn local_addr(&self) -> NodeAddr {
        NodeAddr::new(self.0.ports.local)
    }

    /// The address for peers to dial: the configured `advertise`, or else the local address.
    pub fn advertised_addr(&self) -> NodeAddr {
        self.0.hub.config.advertise.unwrap_or_else(|| self.local_addr())
    }

    /// Whether the host of `peer` reports, within that time, that no process listens at its port.
    ///
    /// False if a process listens there, and also if the host reports nothing, which proves
    /// nothing.
    ///
    /// # Cancel safety
    /// Dropping the future ends the check and closes its socket.
    pub async fn port_is_closed(&self, peer: &Peer, within: Duration) -> bool {
        let Owner { hub, ports, .. } = &*self.0;
        ports.host.port_is_closed(ports.local, peer.addr.socket(), within, &hub.counters.sent_for).await
    }

    /// Sends `body` to `peer` and waits for its answer, for at most `deadline` in total, which
    /// includes the dial.
    ///
    /// If the request crosses the peer's close of an idle connection, the transport sends it a
    /// second time.
    ///
    /// # Errors
    /// [`RequestError`]; its [`evidence`](RequestError::evidence) says what the failure shows about
    /// the peer. The peer may have acted on the request, unless the error says that nothing was
    /// sent, or that the peer rejected it.
    ///
    /// A time-out does not end the connection. The next request dials again only after the peer
    /// has acknowledged nothing for [`unacknowledged_max`](crate::PoolConfig::unacknowledged_max).
    ///
    /// # Cancel safety
    /// Dropping the future frees its stream and its place in the pool. The peer may or may not act
    /// on the request.
    pub async fn request(&self, peer: &Peer, body: Bytes, deadline: Duration) -> Result<Bytes, RequestError> {
        self.request_with(peer, body, deadline, RequestOptions::default()).await
    }

    /// As [`request`](Self::request), with options.
    ///
    /// # Errors
    /// As [`request`](Self::request); also [`NotConnected`](RequestError::NotConnected) with
    /// [`Need::OpenOnly`](crate::Need::OpenOnly).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn request_with(
        &self,
        peer: &Peer,
        body: Bytes,
        deadline: Duration,
        manner: RequestOptions,
    ) -> Result<Bytes, RequestError> {
        let span = debug_span!("request", %peer, traffic = ?manner.traffic, trace = Empty);
        let exchange = self.exchange(peer, Exchange::Request, &body, (deadline, manner)).instrument(span);
        let outcome = self.counted(|| peer.into(), exchange).await;
        // `exchange` returns a reply for each successful request.
        outcome.map(Option::unwrap_or_default)
    }

    /// Sends `body` to `peer`, without an answer. Returns when the peer's transport has received
    /// all of it. The application there may not have read it yet.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn send(&self, peer: &Peer, body: Bytes, deadline: Duration) -> Result<(), RequestError> {
        self.send_with(peer, body, deadline, RequestOptions::default()).await
    }

    /// As [`send`](Self::send), with options.
    ///
    /// # Errors
    /// As [`request_with`](Self::request_with).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn send_with(
        &self,
        peer: &Peer,
        body: Bytes,
        deadline: Duration,
        manner: RequestOptions,
    ) -> Result<(), RequestError> {
        let span = debug_span!("message", %peer);
        let exchange = self.exchange(peer, Exchange::OneWay, &body, (deadline, manner)).instrument(span);
        self.counted(|| peer.into(), exchange).await.map(|_| ())
    }

    /// Dials an address whose node is not known, such as a seed. Returns the name in its
    /// certificate. The connection stays in the pool under that name.
    ///
    /// # Errors
    /// [`RequestError`], as for a request. If the address belongs to this node itself, it is
    /// [`Connect`](RequestError::Connect) with [`OwnName`](crate::DialError::OwnName).
    ///
    /// # Cancel safety
    /// Dropping the future cancels the dial.
    pub async fn identify(&self, addr: SocketAddr, deadline: Duration) -> Result<NodeId, RequestError> {
        let dial = self.dial_address(addr, deadline).instrument(debug_span!("identify", %addr));
        self.counted(|| Target { id: None, addr: addr.into() }, dial).await
    }

    /// Opens a stream to a service of `peer` within `deadline`, which includes the dial.
    ///
    /// Returns when the peer's transport has put the stream into the service's backlog. The
    /// program there may accept it later.
    ///
    /// # Errors
    /// [`RequestError`], as for a request. [`Rejected`](RequestError::Rejected) with
    /// [`UnknownService`](crate::Rejection::UnknownService), or with
    /// [`Busy`](crate::Rejection::Busy) if the backlog is full.
    /// [`TooManyStreams`](RequestError::TooManyStreams) if `app_streams_max` streams to this peer
    /// are open.
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream. The program on the peer may see it begin and end.
    pub async fn open_stream(
        &self,
        peer: &Peer,
        service: &str,
        deadline: Duration,
    ) -> Result<AppStream, RequestError> {
        let span = debug_span!("open_stream", %peer, service);
        let opening = self.open_service(peer, service, deadline).instrument(span);
        let outcome = self.counted(|| peer.into(), opening).await;
        add(&self.0.hub.counters.streams_opened, u64::from(outcome.is_ok()));
        outcome
    }

    /// Accepts the streams that peers open to a service of this node, until the caller drops the
    /// listener.
    ///
    /// # Errors
    /// [`ServiceError`]: the name is not valid, the program accepts the service already, or the
    /// transport has stopped.
    pub fn accept(&self, service: &str) -> Result<Listener, ServiceError> {
        let hub = &self.0.hub;
        hub.services.listen(service, hub.config.stream_backlog, hub.watch_stage())
    }

    /// The connection pool.
    pub fn pool(&self) -> &ConnectionPool<Dialer> {
        &self.0.pool
    }

    /// The counters since [`bind`](Self::bind), and the inbox now.
    pub fn stats(&self) -> TransportStats {
        let inbox = &self.0.hub.inbox;
        self.0.hub.counters.stats(Fill::with_room(inbox.max_capacity(), inbox.capacity()))
    }

    /// The number of open connections in both directions, in the pool and outside it.
    pub fn connection_count(&self) -> usize {
        self.0.hub.connection_count()
    }

    /// The smoothed round trip to a peer. `None` without a ready connection or a measurement.
    pub fn rtt(&self, peer: &NodeId) -> Option<Duration> {
        self.0.pool.peek(peer)?.rtt()
    }

    /// The shortest time from a request to its answer on the connection to a peer, since the last
    /// call for this peer. `None` without a ready connection, or without an answer since then.
    ///
    /// [`rtt`](Self::rtt) is no substitute. It remembers the handshake for long. And on the side
    /// that only answers it contains the delay of acknowledgements, 25 ms: QUIC does not subtract
    /// that if less than its shortest measurement would remain (RFC 9002, section 5.3).
    pub fn take_round_trip(&self, peer: &NodeId) -> Option<Duration> {
        self.0.pool.peek(peer)?.take_round_trip()
    }

    /// The certificate of a peer's connection. `None` without a ready connection. Never dials.
    pub fn certificate_of(&self, peer: &NodeId) -> Option<Arc<Certificate>> {
        Some(Arc::clone(self.0.pool.peek(peer)?.certificate()))
    }

    /// The identity that new handshakes use.
    pub fn identity(&self) -> NodeIdentity {
        self.0.hub.credentials.identity()
    }

    /// Replaces the certificate, the key, and the trusted authorities. New handshakes use them at
    /// once. A handshake that has begun ends with the former ones.
    ///
    /// Within 15 s ([`ROTATION_ENDS_WITHIN`](crate::ROTATION_ENDS_WITHIN)) the transport replaces
    /// the connections of before, one after the other. Requests in flight end on the connection
    /// that they began on. So do application streams, however long they take: their connection
    /// closes when the last of them ends.
    ///
    /// # Errors
    /// [`TransportError::OtherName`] if the certificate is that of another node or cluster, and
    /// [`TransportError::Tls`] if the TLS library refuses it. Nothing has changed then.
    ///
    /// # Panics
    /// Outside a tokio runtime, because a task replaces the connections.
    pub fn rotate(&self, identity: NodeIdentity) -> Result<(), TransportError> {
        let hub = &self.0.hub;
        hub.credentials.replace(identity)?;
        add(&hub.counters.rotations, 1);
        tokio::spawn(replace::run(Arc::downgrade(hub)));
        Ok(())
    }

    /// A peer has this certificate now. Its connections with older ones for streams of this node
    /// get no new streams: the next stream gets a connection of its own time. The peer replaces the
    /// other connections itself, and cannot replace these as long as this node opens streams on
    /// them.
    pub fn renewed(&self, certificate: &Certificate) {
        let is_older = |known: &Certificate| {
            known.node() == certificate.node() && known.valid_from() < certificate.valid_from()
        };
        for conn in self.0.hub.connections() {
            if conn.lane() == Lane::StreamsOut && is_older(conn.certificate()) {
                self.0.pool.replace(conn.id());
            }
        }
    }

    /// Refuses the certificates that this verified revocation covers, and closes the connections of
    /// their node.
    pub fn revoke(&self, revocation: Revocation) {
        let hub = &self.0.hub;
        hub.config.revoked.insert(hub.credentials.clock().since_epoch().as_secs(), revocation);
        hub.close_revoked();
    }

    /// The revocations that this transport applies.
    pub fn revoked(&self) -> RevokedCertificates {
        self.0.hub.config.revoked.clone()
    }

    /// Ends the transport gracefully, within `limit`. Calling it again does no harm.
    ///
    /// It refuses new requests and waits for those in flight, in both directions, for at most half
    /// of `limit`. Then it closes every connection and tells each peer that this node leaves. In
    /// the end it frees both ports.
    ///
    /// # Cancel safety
    /// Finished steps stay finished. Call it again, or drop the transport.
    pub async fn close(&self, limit: Duration) {
        self.0.close(limit, after(limit)).await;
    }

    /// Ends the transport as a crash would: closes both sockets and sends nothing more, no close
    /// frames either. Peers see silence, and a port check finds the port closed. Requests in flight
    /// end with an error.
    pub fn abort(&self) {
        self.0.abort();
    }

    /// The shared state of this transport.
    #[cfg(test)]
    pub(super) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Whether no dial runs, and no request or stream holds a permit on any connection.
    #[cfg(any(test, feature = "simulation"))]
    #[doc(hidden)]
    pub fn is_idle(&self) -> bool {
        let pool = &self.0.pool;
        pool.dials_free() == pool.config().dials_max && self.0.hub.is_idle()
    }

    /// Sends one request or message. Sends a request a second time if it crossed the peer's close
    /// of an idle connection.
    async fn exchange(
        &self,
        peer: &Peer,
        kind: Exchange,
        body: &Bytes,
        (deadline, manner): (Duration, RequestOptions),
    ) -> Result<Option<Bytes>, RequestError> {
        let until = after(deadline);
        let mut outcome = self.exchange_once(peer, kind, body, (deadline, manner), until).await;
        // Only a request: while the peer serves one, it does not close the connection as unused. It
        // may have processed a message whose acknowledgement did not arrive.
        if kind == Exchange::Request
            && matches!(outcome, Err(RequestError::Closed { cause: Ending::Unused { .. }, .. }))
        {
            add(&self.0.hub.counters.requests_repeated, 1);
            outcome = self.exchange_once(peer, kind, body, (deadline, manner), until).await;
        }
        if let Ok(reply) = &outcome {
            let counters = &self.0.hub.counters;
            counters.frame_sent(body.len());
            if let Some(reply) = reply {
                counters.frame_received(reply.len());
            }
        }
        outcome
    }

    async fn exchange_once(
        &self,
        peer: &Peer,
        kind: Exchange,
        body: &Bytes,
        (deadline, manner): (Duration, RequestOptions),
        until: Instant,
    ) -> Result<Option<Bytes>, RequestError> {
        let target = || Target::from(peer);
        let max = self.0.hub.config.frame_bytes_max;
        frame::check(body.len(), max).map_err(|cause| RequestError::TooLarge { peer: target(), cause })?;
        let request = Request { body, traffic: manner.traffic, frame_bytes_max: max };
        // One timer for all three steps, because a timer costs as much as everything else here.
        // `phase` and `lease_used` tell which step the deadline interrupted.
        let (mut phase, mut lease_used, mut asked) = (Phase::Connecting, None, Instant::now());
        let steps = async {
            let lease = self.0.pool.acquire_by(peer, manner.need).await;
            let lease = &*lease_used.insert(lease.map_err(|error| RequestError::of_pool(target(), error))?);
            phase = Phase::Queued;
            let turn = lease.turn().await.map_err(|fault| fault.with_peer(target()))?;
            (phase, asked) = (Phase::Answer, Instant::now());
            let exchanged = match kind {
                Exchange::Request => lease.exchange(&request, &turn).await.map(Some),
                Exchange::OneWay => lease.send(&request, &turn).await.map(|()| None),
            };
            exchanged.map_err(|fault| fault.with_peer(target()))
        };
        let in_time = timeout_at(until, steps).await;
        in_time.unwrap_or_else(|_| {
            if let (Phase::Answer, Some(lease)) = (phase, lease_used) {
                // The peer did not answer this request. Its connection stays while the peer
                // acknowledges packets. What to do: nothing; if it repeats, look at the peer's load
                // and at the network.
                debug!(?deadline, "the peer did not answer within the deadline");
                if lease.timed_out(&peer.id, asked) {
                    phase = Phase::Acknowledged;
                }
            }
            if phase == Phase::Connecting {
                phase = self.connecting(peer, Lane::Requests);
            }
            Err(RequestError::Timeout { peer: target(), deadline, phase })
        })
    }

    async fn open_service(
        &self,
        peer: &Peer,
        service: &str,
        deadline: Duration,
    ) -> Result<AppStream, RequestError> {
        let target = || Target::from(peer);
        let until = after(deadline);
        let late = |phase| RequestError::Timeout { peer: target(), deadline, phase };
        let bad_service = || RequestError::BadService { peer: target(), service: service.to_owned() };
        let hello = hello::encode(service).ok_or_else(bad_service)?;
        let lease = timeout_at(until, self.0.pool.acquire_on(peer, Lane::StreamsOut)).await;
        let lease = lease.map_err(|_| late(self.connecting(peer, Lane::StreamsOut)))?;
        let lease = lease.map_err(|error| RequestError::of_pool(target(), error))?;
        let asked = Instant::now();
        let Ok(opened) = timeout_at(until, streams::open(&lease, hello)).await else {
            // If the pool gives this connection up, its streams go on, and new ones get another
            // connection. A connection of streams drains without a time limit.
            lease.timed_out(&peer.id, asked);
            return Err(late(Phase::Answer));
        };
        let opening = opened.map_err(|fault| fault.with_peer(target()))?;
        Ok(opening.into_stream(lease))
    }

    async fn dial_address(&self, addr: SocketAddr, deadline: Duration) -> Result<NodeId, RequestError> {
        let target = || Target { id: None, addr: addr.into() };
        let pool = &self.0.pool;
        let mut phase = Phase::Queued;
        let dial = async {
            let reservation = pool.reserve().await.map_err(|error| RequestError::of_pool(target(), error))?;
            phase = Phase::Connecting;
            let (id, lane) = (reservation.id(), Lane::Requests);
            let dialled = pool.connector().dial(addr, None, lane, id).await;
            let conn = dialled.map_err(|cause| RequestError::of_dial(target(), cause))?;
            let name = conn.peer().clone();
            if pool.adopt(id, Route::new(&name, lane), conn.clone(), Side::Local) == Taken::NoRoom {
                conn.close(CloseReason::Evicted);
            }
            Ok(name)
        };
        // This dial runs outside the pool, which would end it when the transport stops. So it must
        // watch the stage itself.
        tokio::select! {
            biased;
            outcome = timeout_at(after(deadline), dial) => {
                outcome.map_err(|_| RequestError::Timeout { peer: target(), deadline, phase })?
            }
            () = self.0.hub.stopped() => Err(RequestError::ShuttingDown { peer: target() }),
        }
    }

    /// The phase of a caller without a connection to `peer`: a queued dial is this node's own limit
    /// and says nothing about the peer.
    fn connecting(&self, peer: &Peer, lane: Lane) -> Phase {
        let queued = self.0.pool.dial_is_queued(Route::new(&peer.id, lane));
        if queued { Phase::Queued } else { Phase::Connecting }
    }

    /// Counts a request, and runs it unless the transport is closing.
    ///
    /// A stop of the transport ends the connections and the pool, and so every running request.
    async fn counted<T>(
        &self,
        peer: impl FnOnce() -> Target,
        request: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        let hub = &self.0.hub;
        add(&hub.counters.requests, 1);
        let outcome = if hub.stage() == Stage::Open {
            request.await
        } else {
            Err(RequestError::ShuttingDown { peer: peer() })
        };
        if let Err(error) = &outcome {
            add(&hub.counters.requests_failed, 1);
            add(&hub.counters.requests_timed_out, u64::from(matches!(error, RequestError::Timeout { .. })));
        }
        outcome
    }
}

/// The time at which `limit` has passed.
fn after(limit: Duration) -> Instant {
    Instant::now() + limit.min(DEADLINE_MAX)
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("id", self.id())
            .field("addr", &self.local_addr())
            .finish_non_exhaustive()
    }
}
