//! What all parts of a running transport share, and the one door through which a connection, from either side, comes in:
//! here it is decided whose it is.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use kinfolk_core::NodeId;
use parking_lot::Mutex;
use s2n_quic::Connection;
use tokio::sync::{mpsc, watch};

use super::code::CloseCode;
use super::context::Facts;
use super::dialer::Dialer;
use super::inbound::Inbound;
use super::peer::PeerConnection;
use super::refusal::Refusals;
use super::serve;
use super::streams::Services;
use crate::config::TransportConfig;
use crate::identity::PeerName;
use crate::pool::{ConnId, ConnectionPool, DialError, Lane, Side, WeakPool};
use crate::stats::Counters;

/// How far a transport is on its way out. It only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Open,
    /// No new requests; those in flight, in both directions, may end.
    Draining,
    /// Everything ends.
    Stopped,
}

/// The shared state of a transport.
pub(super) struct Hub {
    pub(super) config: TransportConfig,
    pub(super) counters: Arc<Counters>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) inbox: mpsc::Sender<Inbound>,
    pub(super) services: Services,
    stage: watch::Sender<Stage>,
    pool: OnceLock<WeakPool<Dialer>>,
    /// Every open connection, pooled or not. As many as the limits on dials and inbound connections allow.
    connections: Mutex<BTreeMap<ConnId, PeerConnection>>,
}

impl Hub {
    pub(super) fn new(
        config: TransportConfig,
        counters: Arc<Counters>,
        refusals: Arc<Refusals>,
        inbox: mpsc::Sender<Inbound>,
    ) -> Self {
        let (stage, connections) = (watch::Sender::new(Stage::Open), Mutex::new(BTreeMap::new()));
        let (services, pool) = (Services::default(), OnceLock::new());
        Self { config, counters, refusals, inbox, services, stage, pool, connections }
    }

    pub(super) fn set_pool(&self, pool: &ConnectionPool<Dialer>) {
        let first = self.pool.set(pool.downgrade());
        assert!(first.is_ok(), "a hub has one pool");
    }

    pub(super) fn pool(&self) -> Option<ConnectionPool<Dialer>> {
        self.pool.get()?.upgrade()
    }

    pub(super) fn id(&self) -> &NodeId {
        self.config.identity.id()
    }

    pub(super) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    pub(super) fn watch_stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    pub(super) fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let forward = *stage < to;
            *stage = to.max(*stage);
            forward
        });
    }

    /// Waits for the end.
    pub(super) async fn stopped(&self) {
        stopped(&mut self.watch_stage()).await;
    }

    /// Lets a connection in whose handshake is done, or closes it with the reason: its certificate must name another node
    /// than this one, of this cluster, and the expected one if there is one.
    pub(super) fn admit(
        self: &Arc<Self>,
        connection: Connection,
        facts: Arc<Facts>,
        side: Side,
        lane: Lane,
        id: ConnId,
        expected: Option<&NodeId>,
    ) -> Result<PeerConnection, DialError> {
        let name = match self.judge(&facts, expected) {
            Ok(name) => name,
            Err((code, error)) => {
                connection.close(code.into());
                self.refusals.name_refused(side, facts.source(), &error);
                return Err(error);
            }
        };
        let (handle, streams) = connection.split();
        let peer = PeerConnection::new(id, name.node, lane, handle, facts, &self.config);
        self.connections.lock().insert(id, peer.clone());
        tokio::spawn(serve::run(Arc::clone(self), peer.clone(), streams, side));
        if self.stage() == Stage::Stopped {
            // The list of connections may have been gone through before this one stood in it.
            peer.close_with(CloseCode::Stopped);
        }
        Ok(peer)
    }

    fn judge(&self, facts: &Facts, expected: Option<&NodeId>) -> Result<PeerName, (CloseCode, DialError)> {
        let bad_name = |reason: String| (CloseCode::BadName, DialError::PeerRefused { reason });
        let der = facts.certificate().ok_or_else(|| bad_name("it shows no certificate".to_owned()))?;
        let name = PeerName::of_der(der).map_err(|fault| bad_name(fault.to_string()))?;
        if name.cluster != *self.config.identity.cluster() {
            return Err(bad_name(format!("its certificate is for cluster {}", name.cluster)));
        }
        if name.node == *self.id() {
            return Err((CloseCode::OwnName, DialError::OwnName));
        }
        if expected.is_some_and(|expected| *expected != name.node) {
            return Err((CloseCode::WrongPeer, DialError::WrongPeer { found: name.node }));
        }
        Ok(name)
    }

    /// A connection has ended.
    pub(super) fn ended(&self, id: ConnId) {
        self.connections.lock().remove(&id);
        if let Some(pool) = self.pool() {
            pool.remove(id);
        }
    }

    /// Closes every connection.
    pub(super) fn close_connections(&self, code: CloseCode) {
        let connections: Vec<PeerConnection> = self.connections.lock().values().cloned().collect();
        for connection in connections {
            connection.close_with(code);
        }
    }

    /// Whether no connection is in use by anybody.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn is_at_rest(&self) -> bool {
        self.connections.lock().values().all(|conn| conn.is_at_rest(&self.config))
    }

    /// How many connections are open, pooled or not.
    pub(super) fn connection_count(&self) -> usize {
        self.connections.lock().len()
    }
}

/// Waits until the transport behind `stage` has stopped or is gone.
pub(super) async fn stopped(stage: &mut watch::Receiver<Stage>) {
    // An error means that the hub has gone, which is as good as stopped.
    let _stage = stage.wait_for(|stage| *stage == Stage::Stopped).await;
}
