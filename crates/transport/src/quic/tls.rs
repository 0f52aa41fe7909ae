//! TLS for both endpoints: TLS 1.3, both sides show a certificate of the cluster's authority, and each refuses during
//! the handshake a name that is not one of this cluster. Which member it is, is checked afterwards in `hub.rs`.

use s2n_quic::provider::tls::s2n_tls::{Client, Server};
use s2n_tls::callbacks::VerifyHostNameCallback;

use crate::error::TransportError;
use crate::identity::{NodeIdentity, name_suffix};

/// The protocol's name in the handshake (ALPN). Nodes that speak another version do not get through it.
const PROTOCOL: &str = "kinfolk/1";

/// Accepts the names of one cluster. TLS calls it for each name in a certificate and does not say on which connection.
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

/// The listening side.
pub(super) fn server(identity: &NodeIdentity) -> Result<Server, TransportError> {
    // The trust store of the system is emptied first: only the cluster's own authority is trusted.
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

/// The dialling side.
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
