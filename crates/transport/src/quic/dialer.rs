//! Opens connections to peers.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use kinfolk_core::NodeId;
use s2n_quic::client::Connect as Address;
use s2n_quic::{Client, Connection};
use tokio::time::{Instant, timeout};

use super::context::Facts;
use super::hub::Hub;
use super::io::Host;
use super::lanes;
use super::peer::PeerConnection;
use super::refusal::dial_error;
use crate::identity::{PeerName, cluster_name};
use crate::peer::Peer;
use crate::pool::{ConnId, Connect, DialError, Lane, Side};

/// A dial without an answer checks the MTU of its path after this many `initial_rtt`.
///
/// 4 times 50 ms is 200 ms by default. By then a handshake over a good path has ended, and the
/// protocol does not yet count the probe as missed.
const PATH_CHECKED_AFTER: u32 = 4;

/// Dials peers over QUIC. Gives the pool of a [`Transport`](crate::Transport) its connections.
pub struct Dialer {
    client: Client,
    hub: Arc<Hub>,
    host: Host,
}

impl Dialer {
    pub(super) fn new(client: Client, hub: Arc<Hub>, host: Host) -> Self {
        Self { client, hub, host }
    }

    /// Dials an address. Returns once the peer has accepted this node.
    ///
    /// The peer's certificate must carry the expected name, or any name of this cluster if
    /// `expected` is `None`.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the dial.
    pub(super) async fn dial(
        &self,
        addr: SocketAddr,
        expected: Option<&NodeId>,
        lane: Lane,
        id: ConnId,
    ) -> Result<PeerConnection, DialError> {
        let cluster = &self.hub.credentials.name().cluster;
        let server_name = match expected {
            Some(node) => lanes::server_name(lane, &PeerName::new(node.clone(), cluster.clone())),
            None => cluster_name(cluster),
        };
        let facts = Facts::new(&self.hub.counters);
        let connection = self.connection(addr, server_name, &facts).await?;
        self.hub.admit(connection, facts, Side::Local, lane, id, expected)
    }

    /// Opens a connection, or reports that the path to the peer cannot carry QUIC. Returns once
    /// the peer has accepted this node.
    async fn connection(
        &self,
        addr: SocketAddr,
        server_name: String,
        facts: &Arc<Facts>,
    ) -> Result<Connection, DialError> {
        let handshake = self.handshake(addr, server_name, facts);
        tokio::pin!(handshake);
        let soon = self.hub.config.initial_rtt.saturating_mul(PATH_CHECKED_AFTER);
        let outcome = match timeout(soon, handshake.as_mut()).await {
            Ok(outcome) => outcome,
            Err(_) => match self.path_fault(addr) {
                // The dial ends early only on a path that is too small. Any other fault is reported
                // only if the dial ends in silence.
                Some(fault @ DialError::PathTooSmall { .. }) => return Err(fault),
                _ => handshake.await,
            },
        };
        outcome.map_err(|error| match error {
            // A router may have reported a small MTU after the first check.
            DialError::Silent { .. } => self.path_fault(addr).unwrap_or(error),
            error => error,
        })
    }

    async fn handshake(
        &self,
        addr: SocketAddr,
        server_name: String,
        facts: &Arc<Facts>,
    ) -> Result<Connection, DialError> {
        let begun = Instant::now();
        let failed = |error| dial_error(error, facts.tls_fault(), begun.elapsed());
        let mut attempt = self.client.connect(Address::new(addr).with_server_name(server_name));
        attempt.set_application_context(Box::new(Arc::clone(facts)));
        let connection = attempt.await.map_err(failed)?;
        // QUIC's own time-out covers only the handshake on this node. The peer's confirmation may
        // never arrive: the peer refused this node, and the network lost the packet that says so.
        // So the rest of the time-out bounds the wait here.
        let left = self.hub.config.handshake_timeout.saturating_sub(begun.elapsed());
        match timeout(left, facts.confirmed()).await {
            Ok(confirmed) => confirmed.map_err(failed)?,
            Err(_) => return Err(DialError::Silent { after: begun.elapsed() }),
        }
        Ok(connection)
    }

    fn path_fault(&self, addr: SocketAddr) -> Option<DialError> {
        self.host.path_fault(self.hub.config.listen.ip(), addr)
    }
}

impl Connect for Dialer {
    type Connection = PeerConnection;

    async fn connect(&self, peer: &Peer, id: ConnId) -> Result<PeerConnection, DialError> {
        self.connect_on(peer, Lane::Requests, id).await
    }

    async fn connect_on(&self, peer: &Peer, lane: Lane, id: ConnId) -> Result<PeerConnection, DialError> {
        self.dial(peer.addr.socket(), Some(&peer.id), lane, id).await
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("local", self.hub.id()).finish_non_exhaustive()
    }
}
