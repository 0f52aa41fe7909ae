//! A verified certificate of a node: whose it is, and what its key signed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::signed::{Fingerprint, Proof, Refusal, Revocation, Signature, Verify, verify_item};
use kinfolk_core::{ClusterId, NodeId};
use x509_parser::certificate::X509Certificate;

use super::chain::{self, Path};
use super::keys::{KeyKind, PublicKey};
use super::{IdentityError, PeerName, TrustBundle, check, revocation};

/// The authorities of one cluster: what a node needs to check the certificates of the other nodes.
/// Cloning is cheap.
///
/// [`certificate`](Self::certificate) is the only way to a [`Certificate`].
#[derive(Debug, Clone)]
pub struct Authorities(Arc<(ClusterId, TrustBundle)>);

/// The certificate of a node that an authority of this cluster signed, with the intermediate
/// authorities between the two.
///
/// Only [`Authorities::certificate`] makes such a value, so its name and its key are verified. Its
/// time is not: see [`is_valid_at`](Self::is_valid_at).
pub struct Certificate {
    name: PeerName,
    fingerprint: Fingerprint,
    /// The certificate and its intermediates, one after the other.
    der: Bytes,
    serial: Box<[u8]>,
    key: PublicKey,
    /// The first and the last second in which the certificate, its intermediates, and its authority
    /// are valid, in seconds since the Unix epoch.
    validity: (i64, i64),
    /// The last second of its authority.
    authority_until: i64,
    /// When the authority issued it, by its own clock: the first second of its own validity.
    issued: i64,
}

// Here and not in `trust.rs`, so that no other file can make a certificate without the checks.
impl Authorities {
    /// The authorities of `cluster`.
    pub(crate) fn new(cluster: ClusterId, trust: TrustBundle) -> Self {
        Self(Arc::new((cluster, trust)))
    }

    /// The cluster whose certificates they sign.
    pub fn cluster(&self) -> &ClusterId {
        &self.0.0
    }

    /// The authorities.
    pub fn trust(&self) -> &TrustBundle {
        &self.0.1
    }

    /// Verifies the certificate of a node in DER. Its intermediates follow it, at most four, and
    /// all together have at most 16 KiB.
    ///
    /// It does not check the time, because a statement may outlive the certificate that it was
    /// signed with. Ask [`is_valid_at`](Certificate::is_valid_at).
    ///
    /// # Errors
    /// [`IdentityError`], one variant for each cause: the bytes are not a certificate in its only
    /// valid encoding, not exactly one of its names is `<node>.<cluster>.kinfolk`, the cluster is
    /// another one, no authority of this cluster signed it, it is an authority's itself, it has a
    /// critical extension that is not known here, or its key is of another kind.
    pub fn certificate(&self, der: &[u8]) -> Result<Certificate, IdentityError> {
        // First, so that a message without bound is not copied.
        chain::is_short(der)?;
        self.certificate_from(&Bytes::copy_from_slice(der))
    }

    /// Whether a trusted authority made this signature of a revocation, of which `bytes` are the
    /// signed ones.
    ///
    /// # Errors
    /// [`Refusal::UnknownAuthority`] or [`Refusal::BadAuthority`].
    pub fn verify_authority(&self, proof: &Proof, bytes: &[u8]) -> Result<(), Refusal> {
        let authority = proof.certificate;
        let key = self.trust().key(&authority).ok_or(Refusal::UnknownAuthority { authority })?;
        if key.verifies(bytes, proof.signature.as_bytes()) {
            Ok(())
        } else {
            Err(Refusal::BadAuthority { authority })
        }
    }

    /// Reads the text of a revocation, as `kinfolk ca revoke` writes it, and verifies it.
    ///
    /// # Errors
    /// [`IdentityError::BadRevocation`] if it is not one, [`IdentityError::WrongCluster`] if it is
    /// for another cluster, and [`IdentityError::UntrustedRevocation`] if no trusted authority
    /// signed it.
    pub fn revocation(&self, text: &str) -> Result<Revocation, IdentityError> {
        let (found, revocation) = revocation::read(text)?;
        if found != *self.cluster() {
            return Err(IdentityError::WrongCluster { expected: self.cluster().clone(), found });
        }
        let verified = verify_item(self, &revocation);
        verified.map_err(|refusal| IdentityError::UntrustedRevocation { cause: refusal.to_string() })?;
        Ok(revocation)
    }

    /// As [`certificate`](Self::certificate), without copying the bytes.
    pub(crate) fn certificate_from(&self, der: &Bytes) -> Result<Certificate, IdentityError> {
        let certs = chain::split(der)?;
        let ((leaf, leaf_der), intermediates) = certs.split_first().expect("`split` gives at least one");
        let name = PeerName::of_certificate(leaf)?;
        let (cluster, trust) = &*self.0;
        if name.cluster != *cluster {
            let (expected, found) = (cluster.clone(), name.cluster);
            return Err(IdentityError::WrongCluster { expected, found });
        }
        let others: Vec<&X509Certificate<'_>> = intermediates.iter().map(|(cert, _)| cert).collect();
        // A key or a signature of a wrong kind has an error of its own.
        check::is_exact(leaf)?;
        check::node(leaf, &name)?;
        let Some(path) = chain::path(leaf, &others, trust) else {
            return Err(IdentityError::wrong_ca(&name, leaf));
        };
        // Only the certificates on the path, in their order: the bytes are kept and passed on.
        let is_path = path.intermediates.iter().copied().eq(0..others.len());
        let der = if is_path {
            der.clone()
        } else {
            let on_path = path.intermediates.iter().map(|at| intermediates[*at].1);
            std::iter::once(*leaf_der).chain(on_path).collect::<Vec<&[u8]>>().concat().into()
        };
        // The cluster's name is shared by all certificates.
        let name = PeerName::new(name.node, cluster.clone());
        Certificate::of_parsed((leaf, leaf_der), name, der, &path)
    }
}

/// Verifies revocations alone. A statement of a member needs its certificate.
impl Verify for Authorities {
    fn cluster(&self) -> &ClusterId {
        Self::cluster(self)
    }

    fn verify_bytes(&self, signer: &NodeId, proof: &Proof, _: &[u8]) -> Result<(), Refusal> {
        Err(Refusal::NoCertificate { signer: signer.clone(), certificate: proof.certificate })
    }

    fn verify_authority(&self, proof: &Proof, bytes: &[u8]) -> Result<(), Refusal> {
        Self::verify_authority(self, proof, bytes)
    }
}

impl Certificate {
    fn of_parsed(
        (cert, leaf_der): (&X509Certificate<'_>, &[u8]),
        name: PeerName,
        der: Bytes,
        path: &Path,
    ) -> Result<Self, IdentityError> {
        let key = PublicKey::of_certificate(KeyKind::of_node(cert)?, cert);
        Ok(Self {
            name,
            fingerprint: Fingerprint::of(leaf_der),
            der,
            serial: cert.raw_serial().into(),
            key,
            validity: path.validity,
            authority_until: path.authority_until,
            issued: check::validity(cert).0,
        })
    }

    /// A certificate without any check, for tests with certificates that no correct node has.
    #[cfg(test)]
    pub(super) fn unchecked(name: PeerName, der: &Bytes) -> Self {
        let certs = chain::split(der).expect("a test gives a certificate");
        let (parsed, leaf_der) = &certs[0];
        let validity = check::validity(parsed);
        let path = Path { intermediates: Vec::new(), validity, authority_until: validity.1 };
        Self::of_parsed((parsed, leaf_der), name, der.clone(), &path).expect("a test gives a key")
    }

    /// The node that the certificate names.
    pub fn node(&self) -> &NodeId {
        &self.name.node
    }

    /// The SHA-256 of the certificate, without its intermediates.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The certificate in DER, with its intermediates after it.
    pub fn der(&self) -> &Bytes {
        &self.der
    }

    /// Whether the certificate is valid at this time since the Unix epoch, and its intermediates
    /// and its authority too. The first and the last second of the validity are included.
    pub fn is_valid_at(&self, since_epoch: Duration) -> bool {
        let (from, until) = self.validity;
        i64::try_from(since_epoch.as_secs()).is_ok_and(|at| (from..=until).contains(&at))
    }

    /// The first and the last second in which it is valid, in seconds since the Unix epoch. That of
    /// an intermediate or of the authority counts, if it ends earlier.
    pub fn validity(&self) -> (i64, i64) {
        self.validity
    }

    /// Whether the key of this certificate made this signature of `bytes`. Its kind decides the
    /// algorithm: 64 bytes for ECDSA P-256, 96 for P-384, 256 to 512 for RSA.
    pub fn verifies(&self, bytes: &[u8], signature: &Signature) -> bool {
        self.key.verifies(bytes, signature.as_bytes())
    }

    /// The serial number, as the certificate contains it: bytes of a big-endian number.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The first second of the certificate's own validity, in seconds since the Unix epoch.
    pub(crate) fn valid_from(&self) -> i64 {
        self.issued
    }

    /// The last second of the authority that issued it.
    pub(super) fn authority_until(&self) -> i64 {
        self.authority_until
    }

    /// The cluster that the certificate names.
    pub(super) fn cluster(&self) -> &ClusterId {
        &self.name.cluster
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
