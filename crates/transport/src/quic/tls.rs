//! TLS 1.3 for both endpoints. Both nodes send a certificate of the cluster's CA. During the
//! handshake each refuses a name that does not belong to this cluster.
//!
//! `hub.rs` checks after the handshake which member the peer is.

use std::time::Duration;

use s2n_tls::callbacks::VerifyHostNameCallback;
use s2n_tls::config::{self, Config};
use s2n_tls::enums::ClientAuthType;
use s2n_tls::security::DEFAULT_TLS13;

use super::versions::Versions;
use crate::error::TransportError;
use crate::identity::{NodeIdentity, name_suffix};
use crate::wall_clock::WallClock;

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

/// The clock of the TLS library, if a test moves it.
struct Moved(WallClock);

impl s2n_tls::callbacks::WallClock for Moved {
    fn get_time_since_epoch(&self) -> Duration {
        self.0.since_epoch()
    }
}

/// The TLS settings of the listening endpoint. `trust` has the trusted authorities in PEM.
pub(super) fn server(
    identity: &NodeIdentity,
    trust: &str,
    protocols: &[&str],
    clock: &WallClock,
) -> Result<Config, TransportError> {
    let built = settings(identity, trust, protocols, clock).and_then(|mut tls| {
        tls.set_client_hello_callback(Versions::new(protocols))?;
        tls.build()
    });
    built.map_err(|fault| TransportError::Tls { cause: fault.to_string() })
}

/// The TLS settings of the dialling endpoint. `trust` has the trusted authorities in PEM.
pub(super) fn client(
    identity: &NodeIdentity,
    trust: &str,
    protocols: &[&str],
    clock: &WallClock,
) -> Result<Config, TransportError> {
    let built = settings(identity, trust, protocols, clock).and_then(config::Builder::build);
    built.map_err(|fault| TransportError::Tls { cause: fault.to_string() })
}

/// What both endpoints have in common. s2n-quic's own builders do the same, and cannot be built
/// again while an endpoint runs.
fn settings(
    identity: &NodeIdentity,
    trust: &str,
    protocols: &[&str],
    clock: &WallClock,
) -> Result<config::Builder, s2n_tls::error::Error> {
    let mut tls = config::Builder::new();
    tls.enable_quic()?;
    tls.set_security_policy(&DEFAULT_TLS13)?;
    tls.set_application_protocol_preference(protocols)?;
    // Without the system's trust store: only the cluster's own authorities are trusted.
    tls.wipe_trust_store()?;
    tls.trust_pem(trust.as_bytes())?;
    tls.load_pem(identity.cert_pem().as_bytes(), identity.key_pem().as_bytes())?;
    tls.set_client_auth_type(ClientAuthType::Required)?;
    tls.set_verify_host_callback(names_of(identity))?;
    if clock.is_moved() {
        tls.set_wall_clock(Moved(clock.clone()))?;
    }
    Ok(tls)
}
