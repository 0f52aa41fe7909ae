//! TLS 1.3 for both endpoints. Both nodes send a certificate of the cluster's CA. During the
//! handshake each refuses a name that does not belong to this cluster.
//!
//! `hub.rs` checks after the handshake which member the peer is.

use s2n_quic::provider::tls::s2n_tls::{Client, Server};
use s2n_tls::callbacks::VerifyHostNameCallback;

use crate::error::TransportError;
use crate::identity::{NodeIdentity, name_suffix};

/// The protocol's name in the handshake (ALPN). The handshake fails with a node of another version.
const PROTOCOL: &str = "kinfolk/1";

/// Accepts the names of one cluster. s2n-tls calls it for each name in a certificate, and does not
/// say for which connection. So it cannot check for one expected member.
struct NamesOf {
    suffix: String,
}

impl VerifyHostNameCallback for NamesOf {
    fn verify_host_name(&self, name: &str) -> bool {
        name.strip_suffix(self.suffix.as_str()).is_some_and(|node| !node.is_empty() && !node.contains('.'))
    }
}

fn names_of(identity: &NodeIdentity) -> NamesOf {
    NamesOf { suffix: name_suffix(identity.cluster()) }
}

/// The TLS settings of the listening endpoint.
pub(super) fn server(identity: &NodeIdentity) -> Result<Server, TransportError> {
    // Start without the system's trust store: only the cluster's own CA is trusted.
    let built = Server::builder().with_empty_trust_store().and_then(|tls| {
        tls.with_trusted_certificate(identity.ca_pem())?
            .with_certificate(identity.cert_pem(), identity.key_pem())?
            .with_client_authentication()?
            .with_verify_host_name_callback(names_of(identity))?
            .with_application_protocols([PROTOCOL])?
            .build()
    });
    built.map_err(|fault| TransportError::Tls { cause: fault.to_string() })
}

/// The TLS settings of the dialling endpoint.
pub(super) fn client(identity: &NodeIdentity) -> Result<Client, TransportError> {
    let built = Client::builder().with_empty_trust_store().and_then(|tls| {
        tls.with_certificate(identity.ca_pem())?
            .with_client_identity(identity.cert_pem(), identity.key_pem())?
            .with_verify_host_name_callback(names_of(identity))?
            .with_application_protocols([PROTOCOL])?
            .build()
    });
    built.map_err(|fault| TransportError::Tls { cause: fault.to_string() })
}
