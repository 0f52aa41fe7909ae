//! A verified certificate of a node: whose it is, and what its key signed.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use bytes::Bytes;
use kinfolk_core::signed::{Fingerprint, Signature};
use kinfolk_core::{ClusterId, NodeId};
use x509_parser::certificate::X509Certificate;

use super::{Authority, IdentityError, PeerName, check};

/// The certificate of a node that an authority of this cluster signed.
///
/// Only [`Authority::certificate`] makes such a value, so its name and its key are verified. Its
/// time is not: see [`is_valid_at`](Self::is_valid_at).
pub struct Certificate {
    name: PeerName,
    fingerprint: Fingerprint,
    der: Bytes,
    /// The point of the public key. It is parsed again for each signature, which takes 9 us: a
    /// parsed key takes 2 KiB, and a member keeps the certificates of all others.
    key: Box<[u8]>,
    /// The first and the last second of the validity, in seconds since the Unix epoch.
    validity: (i64, i64),
}

// Here and not in `authority.rs`, so that no other file can make a certificate without the checks.
impl Authority {
    /// Verifies the certificate of a node in DER, at most 8 KiB.
    ///
    /// It does not check the time, because a statement may outlive the certificate that it was
    /// signed with. Ask [`is_valid_at`](Certificate::is_valid_at).
    ///
    /// # Errors
    /// [`IdentityError`], one variant for each cause: the bytes are not a certificate in its only
    /// valid encoding, the name is not `<node>.<cluster>.kinfolk`, the cluster is another one, this
    /// authority did not sign it, or its key is not an ECDSA P-256 key.
    pub fn certificate(&self, der: &[u8]) -> Result<Certificate, IdentityError> {
        // First, so that a message without bound is not copied.
        check::is_short(der)?;
        self.certificate_from(&Bytes::copy_from_slice(der))
    }

    /// As [`certificate`](Self::certificate), without copying the bytes.
    pub(crate) fn certificate_from(&self, der: &Bytes) -> Result<Certificate, IdentityError> {
        let parsed = check::der(der)?;
        let name = PeerName::of_certificate(&parsed)?;
        if name.cluster != *self.cluster() {
            return Err(IdentityError::WrongCluster {
                expected: self.cluster().clone(),
                found: name.cluster,
            });
        }
        if !self.has_signed(&parsed) {
            return Err(IdentityError::WrongCa { name: name.to_string() });
        }
        check::is_exact(&parsed)?;
        // The cluster's name is shared by all certificates.
        let name = PeerName::new(name.node, self.cluster().clone());
        Certificate::of_parsed(&parsed, name, der)
    }
}

impl Certificate {
    fn of_parsed(cert: &X509Certificate<'_>, name: PeerName, der: &Bytes) -> Result<Self, IdentityError> {
        check::public_key(cert, &ECDSA_P256_SHA256_FIXED, "node")?;
        let key = cert.public_key().subject_public_key.data.as_ref().into();
        let validity = (cert.validity().not_before.timestamp(), cert.validity().not_after.timestamp());
        Ok(Self { name, fingerprint: Fingerprint::of(der), der: der.clone(), key, validity })
    }

    /// A certificate without any check, for tests with certificates that no correct node has.
    #[cfg(test)]
    pub(super) fn unchecked(name: PeerName, der: &Bytes) -> Self {
        let parsed = check::der(der).expect("a test gives a certificate");
        Self::of_parsed(&parsed, name, der).expect("a test gives a P-256 key")
    }

    /// The node that the certificate names.
    pub fn node(&self) -> &NodeId {
        &self.name.node
    }

    /// The SHA-256 of the certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The certificate in DER.
    pub fn der(&self) -> &Bytes {
        &self.der
    }

    /// Whether the certificate is valid at this time since the Unix epoch. The first and the last
    /// second of its validity are included.
    pub fn is_valid_at(&self, since_epoch: Duration) -> bool {
        let (from, until) = self.validity;
        i64::try_from(since_epoch.as_secs()).is_ok_and(|at| (from..=until).contains(&at))
    }

    /// Whether the key of this certificate made this signature of `bytes`: ECDSA P-256 with
    /// SHA-256, 64 bytes.
    pub fn verifies(&self, bytes: &[u8], signature: &Signature) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.key);
        key.verify(bytes, signature.as_bytes()).is_ok()
    }

    /// The cluster that the certificate names.
    pub(super) fn cluster(&self) -> &ClusterId {
        &self.name.cluster
    }

    /// The last second of the validity, in seconds since the Unix epoch.
    pub(super) fn expires(&self) -> i64 {
        self.validity.1
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("name", &self.name.to_string())
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}
