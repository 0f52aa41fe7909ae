//! The transport itself: both endpoints, the pool and the queue, put together; requests out, frames in; and the ways it
//! ends.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{NodeAddr, NodeId};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, debug, debug_span};

use super::context::Events;
use super::dialer::Dialer;
use super::hub::{Hub, Stage};
use super::inbound::Incoming;
use super::io::Host;
use super::limits::{Door, Handshakes, Sources};
use super::owner::{Owner, Ports};
use super::peer::Request;
use super::refusal::Refusals;
use super::streams::{self, AppStream, Listener};
use super::{listener, start};
use crate::config::TransportConfig;
use crate::error::TransportError;
use crate::frame;
use crate::hello;
use crate::peer::{Peer, Target};
use crate::pool::{CloseReason, Connection as _, ConnectionPool, Lane, Route, Side, Taken};
use crate::request::{Ending, Manner, Phase, RequestError};
use crate::stats::{Counters, TransportStats, add};
use crate::stream_error::ServiceError;

/// A deadline that is as good as none, for durations that no clock can add.
const FAR: Duration = Duration::from_hours(365 * 24);

/// Which ways a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// To the peer, whose answer comes back.
    Both,
    /// To the peer.
    There,
}

/// One node's connections to the others: requests and messages go out through it, and those of others come in through the
/// [`Incoming`] that it is bound with.
///
/// Cloning is cheap and gives the same transport. When the last clone is dropped, every connection is closed, without
/// waiting; [`close`](Self::close) does it in good order.
#[derive(Clone)]
pub struct Transport(Arc<Owner>);

impl Transport {
    /// Opens both ports and starts to listen.
    ///
    /// # Errors
    /// [`TransportError`]: the port is in use or cannot be bound, the TLS library does not take the identity, a setting is
    /// out of its range, or there is no tokio runtime. Nothing is left open.
    pub fn bind(config: TransportConfig) -> Result<(Self, Incoming), TransportError> {
        Self::bind_at(config, Host::System)
    }

    /// As [`bind`](Self::bind), on a machine of a simulated network.
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
        let (dial_io, dial_task, _) = host.bind(SocketAddr::new(config.listen.ip(), 0))?;
        let door = Door {
            sources: Arc::clone(&sources),
            handshakes: Arc::clone(&handshakes),
            counters: Arc::clone(&counters),
            inbound_max: config.inbound_max,
            inbound_per_ip_max: config.inbound_per_ip_max,
        };
        let server = start::server(&config, events(Side::Remote), door, listen_io)?;
        let client = start::client(&config, events(Side::Local), dial_io)?;

        let (sender, queue) = mpsc::channel(config.inbox_max.max(1));
        let hub = Arc::new(Hub::new(config, counters, refusals, sender));
        let dialer = Dialer::new(client, Arc::clone(&hub), host.clone());
        let pool = ConnectionPool::new(hub.id().clone(), hub.config.pool.clone(), dialer);
        hub.set_pool(&pool);
        tokio::spawn(listener::run(server, Arc::clone(&hub)));
        let incoming = Incoming::new(queue, hub.watch_stage());
        let ports = Ports { host, local, tasks: [listen_task, dial_task] };
        Ok((Self(Owner::new(hub, pool, sources, ports, runtime)), incoming))
    }

    /// This node's name.
    pub fn id(&self) -> &NodeId {
        self.0.hub.id()
    }

    /// The address listened on, with the real port.
    pub fn local_addr(&self) -> NodeAddr {
        NodeAddr::new(self.0.ports.local)
    }

    /// The address to tell others: the configured one, or else the one listened on.
    pub fn advertised_addr(&self) -> NodeAddr {
        self.0.hub.config.advertise.unwrap_or_else(|| self.local_addr())
    }

    /// Whether the host of `peer` says, within that time, that nobody listens at its port: its process is gone. False if
    /// somebody listens, and also if the host says nothing, which proves nothing.
    ///
    /// # Cancel safety
    /// Nothing is left behind.
    pub async fn port_is_closed(&self, peer: &Peer, within: Duration) -> bool {
        let Owner { hub, ports, .. } = &*self.0;
        ports.host.port_is_closed(ports.local, peer.addr.socket(), within, &hub.counters.sent_for).await
    }

    /// Sends `body` to `peer` and waits for its answer, at most for `deadline` in all (dialling included).
    ///
    /// # Errors
    /// [`RequestError`]; its [`evidence`](RequestError::evidence) says what the failure shows about the peer. The peer may
    /// have acted on the request unless the error says that nothing was sent, or that the peer rejected it. After a
    /// time-out the connection stays, until the peer acknowledges nothing for
    /// [`mute_max`](crate::PoolConfig::mute_max): then the next request dials afresh. A request that crosses the
    /// peer's closing of an idle connection is sent once more by itself.
    ///
    /// # Cancel safety
    /// Nothing is left behind; whether the peer acts on the request is open.
    pub async fn request(&self, peer: &Peer, body: Bytes, deadline: Duration) -> Result<Bytes, RequestError> {
        self.request_by(peer, body, deadline, Manner::default()).await
    }

    /// As [`request`](Self::request), in a manner of its own.
    ///
    /// # Errors
    /// As [`request`](Self::request); also [`NotConnected`](RequestError::NotConnected) with
    /// [`Need::OpenOnly`](crate::Need::OpenOnly).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn request_by(
        &self,
        peer: &Peer,
        body: Bytes,
        deadline: Duration,
        manner: Manner,
    ) -> Result<Bytes, RequestError> {
        let span = debug_span!("request", %peer);
        let talk = self.talk(peer, Direction::Both, &body, (deadline, manner)).instrument(span);
        let outcome = self.counted(|| peer.into(), talk).await;
        // An exchange of this kind has a reply.
        outcome.map(Option::unwrap_or_default)
    }

    /// Sends `body` to `peer`, without an answer. Returns when the peer's transport has received all of it; whether the
    /// application there has taken it, is not told.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn send(&self, peer: &Peer, body: Bytes, deadline: Duration) -> Result<(), RequestError> {
        self.send_by(peer, body, deadline, Manner::default()).await
    }

    /// As [`send`](Self::send), in a manner of its own.
    ///
    /// # Errors
    /// As [`request_by`](Self::request_by).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub async fn send_by(
        &self,
        peer: &Peer,
        body: Bytes,
        deadline: Duration,
        manner: Manner,
    ) -> Result<(), RequestError> {
        let span = debug_span!("message", %peer);
        let talk = self.talk(peer, Direction::There, &body, (deadline, manner)).instrument(span);
        self.counted(|| peer.into(), talk).await.map(|_| ())
    }

    /// Dials an address whose node is not known, such as a seed, and gives the name in its certificate. The connection
    /// stays in the pool under that name.
    ///
    /// # Errors
    /// [`RequestError`], as for a request. A seed that turns out to be this very node gives
    /// [`Connect`](RequestError::Connect) with [`OwnName`](crate::DialError::OwnName).
    ///
    /// # Cancel safety
    /// The dial is given up.
    pub async fn identify(&self, addr: SocketAddr, deadline: Duration) -> Result<NodeId, RequestError> {
        let dial = self.dial_unnamed(addr, deadline).instrument(debug_span!("identify", %addr));
        self.counted(|| Target { id: None, addr: addr.into() }, dial).await
    }

    /// Opens a stream to a service of `peer`, within `deadline` (dialling included). It returns when the peer's transport
    /// has put the stream into the service's backlog; when the program there takes it from the backlog, is not told.
    ///
    /// # Errors
    /// [`RequestError`], as for a request; [`Rejected`](RequestError::Rejected) with
    /// [`UnknownService`](crate::Rejection::UnknownService) or [`Busy`](crate::Rejection::Busy) (its backlog is full);
    /// [`TooManyStreams`](RequestError::TooManyStreams) if `app_streams_max` to this peer are open.
    ///
    /// # Cancel safety
    /// The stream is cut off; the program there may see it come and go.
    pub async fn open_stream(
        &self,
        peer: &Peer,
        service: &str,
        deadline: Duration,
    ) -> Result<AppStream, RequestError> {
        let span = debug_span!("open_stream", %peer, service);
        let opening = self.dial_service(peer, service, deadline).instrument(span);
        let outcome = self.counted(|| peer.into(), opening).await;
        add(&self.0.hub.counters.streams_opened, u64::from(outcome.is_ok()));
        outcome
    }

    /// Accepts the streams that peers open to a service of this node, until the listener is dropped.
    ///
    /// # Errors
    /// [`ServiceError`]: the name cannot be one, the service is accepted already, or the transport has stopped.
    pub fn accept(&self, service: &str) -> Result<Listener, ServiceError> {
        let hub = &self.0.hub;
        hub.services.listen(service, hub.config.stream_backlog, hub.watch_stage())
    }

    /// The connection pool.
    pub fn pool(&self) -> &ConnectionPool<Dialer> {
        &self.0.pool
    }

    /// What happened so far.
    pub fn stats(&self) -> TransportStats {
        self.0.hub.counters.stats()
    }

    /// Open connections, in both directions, pooled or not.
    pub fn connection_count(&self) -> usize {
        self.0.hub.connection_count()
    }

    /// The smoothed round trip to a peer with a ready connection, once measured.
    pub fn rtt(&self, peer: &NodeId) -> Option<Duration> {
        self.0.pool.peek(peer)?.rtt()
    }

    /// Ends the transport in good order: no new requests; those in flight in either direction may end, for three quarters
    /// of `limit`; every connection is closed, and its peer told that this node leaves; both ports are free afterwards. It
    /// takes `limit` at the most. Calling it again does no harm.
    ///
    /// # Cancel safety
    /// The steps done so far stay done; call it again, or drop the transport.
    pub async fn close(&self, limit: Duration) {
        self.0.close(limit, after(limit)).await;
    }

    /// Ends the transport as a crash would: both sockets are closed and nothing more is sent, not even that connections
    /// end. Peers see silence, and, if they ask the host, a closed port. Requests in flight end with an error.
    pub fn abort(&self) {
        self.0.abort();
    }

    /// What everything in the transport shares.
    #[cfg(test)]
    pub(super) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Whether no dial runs and no place for a request or a stream is taken on any connection: every permit is back.
    #[cfg(any(test, feature = "simulation"))]
    #[doc(hidden)]
    pub fn is_at_rest(&self) -> bool {
        let pool = &self.0.pool;
        pool.dials_free() == pool.config().dials_max && self.0.hub.is_at_rest()
    }

    /// One request or message, and once more if it crossed the peer's closing of an idle connection.
    async fn talk(
        &self,
        peer: &Peer,
        direction: Direction,
        body: &Bytes,
        (deadline, manner): (Duration, Manner),
    ) -> Result<Option<Bytes>, RequestError> {
        let until = after(deadline);
        let mut outcome = self.talk_once(peer, direction, body, (deadline, manner), until).await;
        // A message may have been taken up and only its acknowledgement be lost; a request that was has its connection
        // in use until it is answered.
        if direction == Direction::Both
            && matches!(outcome, Err(RequestError::Closed { cause: Ending::Unused { .. }, .. }))
        {
            add(&self.0.hub.counters.requests_repeated, 1);
            outcome = self.talk_once(peer, direction, body, (deadline, manner), until).await;
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

    async fn talk_once(
        &self,
        peer: &Peer,
        direction: Direction,
        body: &Bytes,
        (deadline, manner): (Duration, Manner),
        until: Instant,
    ) -> Result<Option<Bytes>, RequestError> {
        let target = || Target::from(peer);
        let max = self.0.hub.config.frame_bytes_max;
        frame::check(body.len(), max).map_err(|cause| RequestError::TooLarge { peer: target(), cause })?;
        let request = Request { body, traffic: manner.traffic, frame_bytes_max: max };
        // One timer for all three steps: it costs as much as everything else here. These two tell what it cut off.
        let (mut phase, mut held, mut asked) = (Phase::Connecting, None, Instant::now());
        let steps = async {
            let lease = self.0.pool.acquire_by(peer, manner.need).await;
            let lease = &*held.insert(lease.map_err(|error| RequestError::of_pool(target(), error))?);
            phase = Phase::Queued;
            let turn = lease.turn().await.map_err(|fault| fault.about(target()))?;
            (phase, asked) = (Phase::Answer, Instant::now());
            let talked = match direction {
                Direction::Both => lease.exchange(&request, &turn).await.map(Some),
                Direction::There => lease.send(&request, &turn).await.map(|()| None),
            };
            talked.map_err(|fault| fault.about(target()))
        };
        let in_time = timeout_at(until, steps).await;
        in_time.unwrap_or_else(|_| {
            if let (Phase::Answer, Some(lease)) = (phase, held) {
                debug!("no answer in time");
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

    async fn dial_service(
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
            // If it is given up, the streams that it carries go on; further ones get a connection of their own.
            lease.timed_out(&peer.id, asked);
            return Err(late(Phase::Answer));
        };
        let opening = opened.map_err(|fault| fault.about(target()))?;
        Ok(opening.into_stream(lease))
    }

    async fn dial_unnamed(&self, addr: SocketAddr, deadline: Duration) -> Result<NodeId, RequestError> {
        let target = || Target { id: None, addr: addr.into() };
        let pool = &self.0.pool;
        let mut phase = Phase::Queued;
        let dial = async {
            let place = pool.reserve().await.map_err(|error| RequestError::of_pool(target(), error))?;
            phase = Phase::Connecting;
            let (id, lane) = (place.id(), Lane::Requests);
            let dialled = pool.connector().dial(addr, None, lane, id).await;
            let conn = dialled.map_err(|cause| RequestError::of_dial(target(), cause))?;
            let name = conn.peer().clone();
            if pool.adopt(id, Route::new(&name, lane), conn.clone(), Side::Local) == Taken::NoRoom {
                conn.close(CloseReason::Evicted);
            }
            Ok(name)
        };
        // No pool and no connection ends it when the transport stops, so that it has to look for that by itself.
        tokio::select! {
            biased;
            outcome = timeout_at(after(deadline), dial) => {
                outcome.map_err(|_| RequestError::Timeout { peer: target(), deadline, phase })?
            }
            () = self.0.hub.stopped() => Err(RequestError::ShuttingDown { peer: target() }),
        }
    }

    /// What a caller without a connection to `peer` waits for.
    fn connecting(&self, peer: &Peer, lane: Lane) -> Phase {
        let queued = self.0.pool.dial_is_queued(Route::new(&peer.id, lane));
        if queued { Phase::Queued } else { Phase::Connecting }
    }

    /// Runs a request unless the transport is on its way out, and counts it. What is under way when the transport stops
    /// ends with its connection, or with the pool if it waits for one: both end then.
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

/// When `limit` will have passed.
fn after(limit: Duration) -> Instant {
    Instant::now() + limit.min(FAR)
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("id", self.id())
            .field("addr", &self.local_addr())
            .finish_non_exhaustive()
    }
}
