//! Stateless resets: a restarted node uses them to tell a peer that it does not know their old
//! connection.
//!
//! The token must be the same before and after the restart, and only this node may be able to
//! compute it. So it is a keyed hash of the connection's id, with a key derived from the node's
//! private key.

use aws_lc_rs::hmac;
use s2n_quic::provider::stateless_reset_token::{Generator, Provider};
use s2n_quic_core::stateless_reset::Token;

use super::credentials::Credentials;
use crate::identity::NodeIdentity;

/// The purpose of the derived key, so that no other use of the private key gives the same key.
const PURPOSE: &[u8] = b"kinfolk/1 stateless reset";

/// A key for tokens.
pub(super) struct ResetKey(hmac::Key);

impl ResetKey {
    pub(super) fn of(identity: &NodeIdentity) -> Self {
        let node = hmac::Key::new(hmac::HMAC_SHA256, identity.key_pem().as_bytes());
        let derived = hmac::sign(&node, PURPOSE);
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    pub(super) fn token(&self, connection_id: &[u8]) -> Token {
        let tag = hmac::sign(&self.0, connection_id);
        let (token, _) = tag.as_ref().split_first_chunk::<16>().expect("a SHA-256 tag has 32 bytes");
        Token::from(*token)
    }
}

/// Computes the tokens of the listening endpoint, with the key of the present identity: the next
/// process of this node will have it. A connection of before a rotation keeps its token until it is
/// replaced.
///
/// The dialling endpoint has none: its port changes with each start, so a restarted node never
/// receives packets for the old port. So only one endpoint at a time uses the key, as RFC 9000,
/// section 21.11, requires.
pub(super) struct ResetTokens(pub(super) Credentials);

impl Generator for ResetTokens {
    fn generate(&mut self, local_connection_id: &[u8]) -> Token {
        self.0.reset_token(local_connection_id)
    }
}

impl Provider for ResetTokens {
    type Generator = Self;
    type Error = std::convert::Infallible;

    fn start(self) -> Result<Self, Self::Error> {
        Ok(self)
    }
}
