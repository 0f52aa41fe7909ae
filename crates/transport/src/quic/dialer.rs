//! How a connection is opened from this side.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use kinfolk_core::NodeId;
use s2n_quic::Client;
use s2n_quic::client::Connect as Address;

use super::context::Facts;
use super::hub::Hub;
use super::lanes;
use super::peer::PeerConnection;
use super::refusal::dial_error;
use crate::identity::{PeerName, cluster_name};
use crate::peer::Peer;
use crate::pool::{ConnId, Connect, DialError, Lane, Side};

/// Dials over QUIC. The pool of a [`Transport`](crate::Transport) gets its connections from one.
pub struct Dialer {
    client: Client,
    hub: Arc<Hub>,
}

impl Dialer {
    pub(super) fn new(client: Client, hub: Arc<Hub>) -> Self {
        Self { client, hub }
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
        let mut attempt = self.client.connect(Address::new(addr).with_server_name(asked_for));
        attempt.set_application_context(Box::new(Arc::clone(&facts)));
        let connection = attempt.await.map_err(|error| dial_error(error, facts.tls_fault()))?;
        facts.confirmed().await.map_err(|error| dial_error(error, facts.tls_fault()))?;
        self.hub.admit(connection, facts, Side::Local, lane, id, expected)
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
