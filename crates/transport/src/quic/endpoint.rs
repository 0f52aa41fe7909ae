//! The transport: builds the two QUIC endpoints, the pool and the inbox, and ends all of it.
//! `exchange.rs` sends on it, and `renewal.rs` replaces its identity.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Fill, NodeAddr, NodeId};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::context::Events;
use super::credentials::Credentials;
use super::dialer::Dialer;
use super::exchange::after;
use super::hub::Hub;
use super::inbound::Incoming;
use super::io::Host;
use super::limits::{ConnectionLimiter, Handshakes, Sources};
use super::owner::{Owner, Ports};
use super::refusal::Refusals;
use super::streams::Listener;
use super::{expiry, listener, start};
use crate::config::TransportConfig;
use crate::error::TransportError;
use crate::peer::Peer;
use crate::pool::{Connection as _, ConnectionPool, Side};
use crate::stats::{Counters, TransportStats};
use crate::stream_error::ServiceError;

/// The connections of one node to its peers. Sends requests and messages; the [`Incoming`] that
/// [`bind`](Self::bind) returns receives those of the peers.
///
/// Cloning is cheap and gives the same transport. Dropping the last clone closes every connection
/// without waiting; [`close`](Self::close) ends the transport gracefully.
#[derive(Clone)]
pub struct Transport(pub(super) Arc<Owner>);

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
    /// call for this peer. `None` without a ready connection, or without an answer since then. Only
    /// [prompt](crate::RequestOptions::prompt) requests count.
    ///
    /// [`rtt`](Self::rtt) is no substitute. It remembers the handshake for long. And on the side
    /// that only answers it contains the delay of acknowledgements, 25 ms: QUIC does not subtract
    /// that if less than its shortest measurement would remain (RFC 9002, section 5.3).
    pub fn take_round_trip(&self, peer: &NodeId) -> Option<Duration> {
        self.0.pool.peek(peer)?.take_round_trip()
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
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("id", self.id())
            .field("addr", &self.local_addr())
            .finish_non_exhaustive()
    }
}
