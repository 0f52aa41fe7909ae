//! Stateless resets: how a node that has restarted tells a peer that it does not know their old connection. The token
//! must be the same before and after the restart, and nobody else may be able to compute it; so it is a keyed hash of
//! the connection's id, under a key derived from the node's private key.

use aws_lc_rs::hmac;
use s2n_quic::provider::stateless_reset_token::{Generator, Provider};
use s2n_quic_core::stateless_reset::Token;

use crate::identity::NodeIdentity;

/// What the derived key is for, so that no other use of the private key can yield the same one.
const PURPOSE: &[u8] = b"kinfolk/1 stateless reset";

/// Makes the tokens of the listening endpoint. The dialling one has none: its port changes with each start, so that its
/// successor never sees a packet for it. Only one endpoint at a time uses the key, as RFC 9000, section 21.11, asks.
pub(super) struct ResetTokens(hmac::Key);

impl ResetTokens {
    pub(super) fn of(identity: &NodeIdentity) -> Self {
        let node = hmac::Key::new(hmac::HMAC_SHA256, identity.key_pem().as_bytes());
        let derived = hmac::sign(&node, PURPOSE);
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }
}

impl Generator for ResetTokens {
    fn generate(&mut self, local_connection_id: &[u8]) -> Token {
        let tag = hmac::sign(&self.0, local_connection_id);
        let (token, _) = tag.as_ref().split_first_chunk::<16>().expect("a SHA-256 tag has 32 bytes");
        Token::from(*token)
    }
}

impl Provider for ResetTokens {
    type Generator = Self;
    type Error = std::convert::Infallible;

    fn start(self) -> Result<Self, Self::Error> {
        Ok(self)
    }
}
