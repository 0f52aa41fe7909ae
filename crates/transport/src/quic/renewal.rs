//! The identity of this node while it runs: it is replaced, those of peers are replaced, and
//! certificates are revoked.

use std::sync::Arc;

use kinfolk_core::NodeId;
use kinfolk_core::signed::Revocation;

use super::endpoint::Transport;
use super::replace;
use crate::error::TransportError;
use crate::identity::{Certificate, NodeIdentity, RevokedCertificates};
use crate::pool::Lane;
use crate::stats::add;

impl Transport {
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
}
