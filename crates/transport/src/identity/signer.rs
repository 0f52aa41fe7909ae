//! Signs with the key of a node's certificate.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use kinfolk_core::ClusterId;
use kinfolk_core::signed::{Fingerprint, Sign, Signature};
use tracing::error;

use super::{Certificate, IdentityError};

/// Signs statements in the name of this node, with the key of its certificate: ECDSA P-256 with
/// SHA-256, 64 bytes. Cloning is cheap.
///
/// Its `Debug` output shows only the certificate, never the key.
#[derive(Clone)]
pub struct NodeSigner(Arc<Parts>);

struct Parts {
    cluster: ClusterId,
    certificate: Fingerprint,
    key: EcdsaKeyPair,
}

impl NodeSigner {
    /// Signs with this key, which belongs to `certificate`. The key is in DER (PKCS #8).
    pub(super) fn new(certificate: &Certificate, key: &[u8]) -> Result<Self, IdentityError> {
        // Leave out the library's error, as for every error about a key.
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key)
            .map_err(|_| IdentityError::parse("private key", &"the library cannot sign with it"))?;
        let cluster = certificate.cluster().clone();
        Ok(Self(Arc::new(Parts { cluster, certificate: certificate.fingerprint(), key })))
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
        // The library does not use the random numbers that it asks for.
        let signed = self.0.key.sign(&SystemRandom::new(), bytes);
        signed.ok().and_then(|signature| Signature::new(signature.as_ref())).unwrap_or_else(|| {
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
