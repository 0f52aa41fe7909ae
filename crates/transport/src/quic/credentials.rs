//! The certificate, the key, and the authorities that new handshakes use. This is their one owner.
//! They can be replaced while the transport runs; a handshake that has begun keeps the former ones.

use std::sync::Arc;

use kinfolk_core::NodeId;
use parking_lot::RwLock;
use s2n_quic_core::stateless_reset::Token;
use s2n_tls::config::Config;
use time::OffsetDateTime;

use super::reset::ResetKey;
use super::tls;
use crate::error::TransportError;
use crate::identity::{Authorities, NodeIdentity, PeerName};
use crate::wall_clock::WallClock;

/// The credentials of one node. Clones share them.
#[derive(Clone)]
pub(super) struct Credentials(Arc<Inner>);

struct Inner {
    name: PeerName,
    protocols: &'static [&'static str],
    clock: WallClock,
    /// Never held over a handshake: the readers copy what they need.
    current: RwLock<Current>,
}

struct Current {
    identity: NodeIdentity,
    server: Config,
    client: Config,
    reset: ResetKey,
    /// The time up to which the TLS settings hold, in seconds since the Unix epoch. Then an
    /// authority expires or becomes valid.
    until: i64,
}

impl Current {
    fn of(identity: NodeIdentity, protocols: &[&str], clock: &WallClock) -> Result<Self, TransportError> {
        let now = clock.since_epoch().as_secs().try_into().unwrap_or(i64::MAX);
        let at = OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (trust, authorities) = (identity.authorities().trust().current_pem(at), identity.authorities());
        let server = tls::server(&identity, &trust, protocols, clock)?;
        let client = tls::client(&identity, &trust, protocols, clock)?;
        let (reset, until) = (ResetKey::of(&identity), authorities.trust().next_change(now));
        Ok(Self { identity, server, client, reset, until })
    }
}

impl Credentials {
    pub(super) fn new(
        identity: NodeIdentity,
        protocols: &'static [&'static str],
        clock: WallClock,
    ) -> Result<Self, TransportError> {
        let name = identity.name().clone();
        let current = RwLock::new(Current::of(identity, protocols, &clock)?);
        Ok(Self(Arc::new(Inner { name, protocols, clock, current })))
    }

    /// The name of the node. It never changes.
    pub(super) fn name(&self) -> &PeerName {
        &self.0.name
    }

    /// The node. It never changes.
    pub(super) fn id(&self) -> &NodeId {
        &self.0.name.node
    }

    /// The identity that new handshakes use.
    pub(super) fn identity(&self) -> NodeIdentity {
        self.0.current.read().identity.clone()
    }

    /// The authorities whose certificates count now.
    pub(super) fn authorities(&self) -> Authorities {
        self.0.current.read().identity.authorities()
    }

    /// The clock by which certificates are valid.
    pub(super) fn clock(&self) -> &WallClock {
        &self.0.clock
    }

    /// The TLS settings for the next inbound handshake.
    pub(super) fn server(&self) -> Config {
        self.0.current.read().server.clone()
    }

    /// The TLS settings for the next dial.
    pub(super) fn client(&self) -> Config {
        self.0.current.read().client.clone()
    }

    /// The token with which the next process of this node can end a connection of this one.
    pub(super) fn reset_token(&self, connection_id: &[u8]) -> Token {
        self.0.current.read().reset.token(connection_id)
    }

    /// Replaces the identity. New handshakes use it from now on. After an error nothing has
    /// changed.
    pub(super) fn replace(&self, identity: NodeIdentity) -> Result<(), TransportError> {
        if *identity.name() != self.0.name {
            let (expected, found) = (self.0.name.to_string(), identity.name().to_string());
            return Err(TransportError::OtherName { expected, found });
        }
        // Built before the lock: that takes a millisecond.
        let next = Current::of(identity, self.0.protocols, &self.0.clock)?;
        *self.0.current.write() = next;
        Ok(())
    }

    /// Builds the TLS settings again if an authority has expired or become valid since.
    pub(super) fn refresh(&self) -> Result<(), TransportError> {
        let now = self.0.clock.since_epoch().as_secs().try_into().unwrap_or(i64::MAX);
        let due = {
            let current = self.0.current.read();
            (now > current.until).then(|| current.identity.clone())
        };
        let Some(identity) = due else { return Ok(()) };
        let next = Current::of(identity, self.0.protocols, &self.0.clock)?;
        let mut current = self.0.current.write();
        // A rotation may have come between.
        if current.identity.certificate().fingerprint() == next.identity.certificate().fingerprint()
            && current.identity.ca_pem() == next.identity.ca_pem()
        {
            *current = next;
        }
        Ok(())
    }
}
