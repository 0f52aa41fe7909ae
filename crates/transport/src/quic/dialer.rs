//! How a connection is opened from this side.

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

/// After how many of the round trips that are assumed at first (`initial_rtt`) a dial without an
/// answer looks whether its path is too small for QUIC: after 200 ms by default, when a handshake
/// over a good path is over, and before the protocol takes a probe for missed.
const PATH_CHECKED_AFTER: u32 = 4;

/// Dials over QUIC. The pool of a [`Transport`](crate::Transport) gets its connections from one.
pub struct Dialer {
    client: Client,
    hub: Arc<Hub>,
    host: Host,
}

impl Dialer {
    pub(super) fn new(client: Client, hub: Arc<Hub>, host: Host) -> Self {
        Self { client, hub, host }
    }

    /// Dials an address. Returns once the peer has accepted this node and carries the expected name, or any name of this
    /// cluster if none is expected. Dropping the future gives the dial up.
    pub(super) async fn dial(
        &self,
        addr: SocketAddr,
        expected: Option<&NodeId>,
        lane: Lane,
        id: ConnId,
    ) -> Result<PeerConnection, DialError> {
        let cluster = self.hub.config.identity.cluster();
        let asked_for = match expected {
            Some(node) => lanes::asked_for(lane, &PeerName::new(node.clone(), cluster.clone())),
            None => cluster_name(cluster),
        };
        let facts = Facts::new();
        let connection = self.connection(addr, asked_for, &facts).await?;
        self.hub.admit(connection, facts, Side::Local, lane, id, expected)
    }

    /// Opens a connection, or finds out that the path to the peer takes none. Returns once the peer
    /// has accepted this node.
    async fn connection(
        &self,
        addr: SocketAddr,
        asked_for: String,
        facts: &Arc<Facts>,
    ) -> Result<Connection, DialError> {
        let handshake = self.handshake(addr, asked_for, facts);
        tokio::pin!(handshake);
        let soon = self.hub.config.initial_rtt.saturating_mul(PATH_CHECKED_AFTER);
        let outcome = match timeout(soon, handshake.as_mut()).await {
            Ok(outcome) => outcome,
            Err(_) => match self.path_fault(addr) {
                Some(fault @ DialError::PathTooSmall { .. }) => return Err(fault),
                _ => handshake.await,
            },
        };
        outcome.map_err(|error| match error {
            // A router may have reported a small MTU after the first look.
            DialError::Silent { .. } => self.path_fault(addr).unwrap_or(error),
            error => error,
        })
    }

    async fn handshake(
        &self,
        addr: SocketAddr,
        asked_for: String,
        facts: &Arc<Facts>,
    ) -> Result<Connection, DialError> {
        let begun = Instant::now();
        let failed = |error| dial_error(error, facts.tls_fault(), begun.elapsed());
        let mut attempt = self.client.connect(Address::new(addr).with_server_name(asked_for));
        attempt.set_application_context(Box::new(Arc::clone(facts)));
        let connection = attempt.await.map_err(failed)?;
        // QUIC's own limit ends when the handshake is complete here. The peer's confirmation may never come: it has refused us, and
        // the packet that says so is lost.
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
