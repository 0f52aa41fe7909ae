//! The shared state of a running transport, and [`Hub::admit`]. Every connection, dialled or
//! inbound, passes through `admit`, which checks the peer's identity.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use kinfolk_core::NodeId;
use parking_lot::Mutex;
use s2n_quic::Connection;
use tokio::sync::{mpsc, watch};

use super::code::CloseCode;
use super::context::Facts;
use super::credentials::Credentials;
use super::dialer::Dialer;
use super::inbound::Inbound;
use super::peer::PeerConnection;
use super::refusal::Refusals;
use super::serve;
use super::streams::Services;
use crate::config::TransportConfig;
use crate::identity::Certificate;
use crate::pool::{ConnId, ConnectionPool, DialError, Lane, Side, WeakPool};
use crate::stats::Counters;

/// The stage of a transport's shutdown. It never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Open,
    /// The transport refuses new requests. Those in flight, in both directions, may end.
    Draining,
    /// All tasks and connections end.
    Stopped,
}

/// The shared state of a transport.
pub(super) struct Hub {
    pub(super) config: TransportConfig,
    /// The certificate of this node and the authorities that it trusts. They change while it runs.
    pub(super) credentials: Credentials,
    pub(super) counters: Arc<Counters>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) inbox: mpsc::Sender<Inbound>,
    pub(super) services: Services,
    stage: watch::Sender<Stage>,
    /// Weak, because the pool's dialer holds this hub: a strong reference would keep both alive.
    pool: OnceLock<WeakPool<Dialer>>,
    /// Every open connection, in the pool or outside it. The limits on dials and on inbound
    /// connections bound their number.
    connections: Mutex<BTreeMap<ConnId, PeerConnection>>,
}

impl Hub {
    pub(super) fn new(
        (config, credentials): (TransportConfig, Credentials),
        counters: Arc<Counters>,
        refusals: Arc<Refusals>,
        inbox: mpsc::Sender<Inbound>,
    ) -> Self {
        let (stage, connections) = (watch::Sender::new(Stage::Open), Mutex::new(BTreeMap::new()));
        let (services, pool) = (Services::default(), OnceLock::new());
        Self { config, credentials, counters, refusals, inbox, services, stage, pool, connections }
    }

    pub(super) fn set_pool(&self, pool: &ConnectionPool<Dialer>) {
        let first = self.pool.set(pool.downgrade());
        assert!(first.is_ok(), "a hub has one pool");
    }

    pub(super) fn pool(&self) -> Option<ConnectionPool<Dialer>> {
        self.pool.get()?.upgrade()
    }

    pub(super) fn id(&self) -> &NodeId {
        self.credentials.id()
    }

    pub(super) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    pub(super) fn watch_stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Moves to a later stage, and wakes the waiters. Ignores an earlier stage.
    pub(super) fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let forward = *stage < to;
            *stage = to.max(*stage);
            forward
        });
    }

    /// Waits until the transport has stopped.
    pub(super) async fn stopped(&self) {
        stopped(&mut self.watch_stage()).await;
    }

    /// Accepts a connection after its handshake, or closes it with the reason.
    ///
    /// The peer's certificate must name another node of this cluster, and the expected node if
    /// there is one. TLS has checked only the cluster: it does not say for which connection it
    /// checks a name.
    pub(super) fn admit(
        self: &Arc<Self>,
        connection: Connection,
        facts: Arc<Facts>,
        side: Side,
        lane: Lane,
        id: ConnId,
        expected: Option<&NodeId>,
    ) -> Result<PeerConnection, DialError> {
        let certificate = match self.check_identity(&facts, expected) {
            Ok(certificate) => Arc::new(certificate),
            Err((code, error)) => {
                connection.close(code.into());
                self.refusals.name_refused(side, facts.source(), &error);
                return Err(error);
            }
        };
        let (handle, streams) = connection.split();
        let peer = PeerConnection::new(id, certificate, lane, handle, facts, &self.config);
        self.connections.lock().insert(id, peer.clone());
        tokio::spawn(serve::run(Arc::clone(self), peer.clone(), streams, side));
        if self.config.revoked.contains(peer.certificate()) {
            // `close_revoked` may have run before this connection was in the list.
            peer.close_with(CloseCode::Revoked);
        }
        if self.stage() == Stage::Stopped {
            // `close_connections` may have run before this connection was in the list.
            peer.close_with(CloseCode::Stopped);
        }
        Ok(peer)
    }

    fn check_identity(
        &self,
        facts: &Facts,
        expected: Option<&NodeId>,
    ) -> Result<Certificate, (CloseCode, DialError)> {
        let bad_name = |reason: String| (CloseCode::BadName, DialError::PeerRefused { reason });
        let der = facts
            .certificate()
            .ok_or_else(|| bad_name("it sent no certificate; check which program runs there".to_owned()))?;
        // TLS has verified it already. Here it becomes a value that can verify signatures.
        let authorities = self.credentials.authorities();
        let certificate = authorities.certificate_from(der).map_err(|fault| bad_name(fault.to_string()))?;
        let node = certificate.node();
        if node == self.id() {
            return Err((CloseCode::OwnName, DialError::OwnName));
        }
        if self.config.revoked.contains(&certificate) {
            let reason =
                format!("the certificate of {node} is revoked; issue a new one if it is to come back");
            return Err((CloseCode::Revoked, DialError::PeerRefused { reason }));
        }
        if expected.is_some_and(|expected| expected != node) {
            return Err((CloseCode::WrongPeer, DialError::WrongPeer { found: node.clone() }));
        }
        Ok(certificate)
    }

    /// Removes a connection that has ended.
    pub(super) fn ended(&self, id: ConnId) {
        self.connections.lock().remove(&id);
        if let Some(pool) = self.pool() {
            pool.remove(id);
        }
    }

    /// The open connections, in the pool and outside it, in the order of their numbers.
    pub(super) fn connections(&self) -> Vec<PeerConnection> {
        // Copied, so that no call into QUIC happens while the lock is held.
        self.connections.lock().values().cloned().collect()
    }

    /// Closes the connections of peers whose certificate is revoked.
    pub(super) fn close_revoked(&self) {
        for conn in self.connections() {
            if self.config.revoked.contains(conn.certificate()) {
                let text = format!("the certificate of {} is revoked", conn.peer());
                self.refusals.is_revoked(conn.source(), &text);
                conn.close_with(CloseCode::Revoked);
            }
        }
    }

    /// Closes every connection with this code.
    pub(super) fn close_connections(&self, code: CloseCode) {
        for connection in self.connections() {
            connection.close_with(code);
        }
    }

    /// Whether no request and no stream uses a connection.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn is_idle(&self) -> bool {
        self.connections.lock().values().all(|conn| conn.is_idle(&self.config))
    }

    /// The number of open connections, in the pool and outside it.
    pub(super) fn connection_count(&self) -> usize {
        self.connections.lock().len()
    }
}

/// Waits until the transport behind `stage` has stopped, or has been dropped.
pub(super) async fn stopped(stage: &mut watch::Receiver<Stage>) {
    // An error means that the hub has been dropped, so the transport has stopped.
    let _stage = stage.wait_for(|stage| *stage == Stage::Stopped).await;
}
