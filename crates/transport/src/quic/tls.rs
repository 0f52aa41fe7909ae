//! TLS 1.3 for both endpoints. Both nodes send a certificate of the cluster's CA. During the
//! handshake each refuses a name that does not belong to this cluster.
//!
//! `hub.rs` checks after the handshake which member the peer is.

use s2n_quic::provider::tls::s2n_tls::{Client, Server};
use s2n_tls::callbacks::VerifyHostNameCallback;

use super::versions::Versions;
use crate::error::TransportError;
use crate::identity::{NodeIdentity, name_suffix};

/// The versions of the protocol that this program speaks, the preferred one first (ALPN).
///
/// The dialler offers all of its versions. The listener chooses the first one of its own list that
/// the dialler offers. Without a common version the handshake fails, and each node reports it.
pub(crate) const PROTOCOLS: &[&str] = &["kinfolk/1"];

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
pub(super) fn server(identity: &NodeIdentity, protocols: &[&str]) -> Result<Server, TransportError> {
    // Start without the system's trust store: only the cluster's own CA is trusted.
    let built = Server::builder().with_empty_trust_store().and_then(|mut tls| {
        tls.config_mut().set_client_hello_callback(Versions::new(protocols))?;
        tls.with_trusted_certificate(identity.ca_pem())?
            .with_certificate(identity.cert_pem(), identity.key_pem())?
            .with_client_authentication()?
            .with_verify_host_name_callback(names_of(identity))?
            .with_application_protocols(protocols)?
            .build()
    });
    built.map_err(|fault| TransportError::Tls { cause: fault.to_string() })
}

/// The TLS settings of the dialling endpoint.
pub(super) fn client(identity: &NodeIdentity, protocols: &[&str]) -> Result<Client, TransportError> {
    let built = Client::builder().with_empty_trust_store().and_then(|tls| {
        tls.with_certificate(identity.ca_pem())?
            .with_client_identity(identity.cert_pem(), identity.key_pem())?
            .with_verify_host_name_callback(names_of(identity))?
            .with_application_protocols(protocols)?
            .build()
    });
    built.map_err(|fault| TransportError::Tls { cause: fault.to_string() })
}
