//! Signs with the key of a node's certificate.

use std::fmt;
use std::sync::Arc;

use kinfolk_core::ClusterId;
use kinfolk_core::signed::{Fingerprint, Sign, Signature};
use tracing::error;

use super::Certificate;
use super::keys::PrivateKey;

/// Signs statements in the name of this node, with the key of its certificate. Cloning is cheap.
///
/// An ECDSA key takes about 20 us for a signature. An RSA key takes about 1 ms with 2,048 bits, and
/// 5 ms with 4,096.
///
/// Its `Debug` output shows only the certificate, never the key.
#[derive(Clone)]
pub struct NodeSigner(Arc<Parts>);

struct Parts {
    cluster: ClusterId,
    certificate: Fingerprint,
    key: PrivateKey,
}

impl NodeSigner {
    /// Signs with this key, which belongs to `certificate`.
    pub(super) fn new(certificate: &Certificate, key: PrivateKey) -> Self {
        let cluster = certificate.cluster().clone();
        Self(Arc::new(Parts { cluster, certificate: certificate.fingerprint(), key }))
    }
}

impl Sign for NodeSigner {
    fn cluster(&self) -> &ClusterId {
        &self.0.cluster
    }

    fn certificate(&self) -> Fingerprint {
        self.0.certificate
    }

    /// Signs these bytes. If the cryptographic library fails, the signature is empty: no member
    /// takes a statement with it, and the next statement gets a signature again.
    fn sign_bytes(&self, bytes: &[u8]) -> Signature {
        self.0.key.sign(bytes).unwrap_or_else(|| {
            // The cryptographic library could not sign a statement of this node. The other members
            // do not take the statement. What to do: check that the system has memory and entropy,
            // then restart the node; if it repeats, report it.
            error!(certificate = %self.0.certificate, "cannot sign a statement of this node; restart it");
            Signature::default()
        })
    }
}

impl fmt::Debug for NodeSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSigner").field("certificate", &self.0.certificate).finish_non_exhaustive()
    }
}
