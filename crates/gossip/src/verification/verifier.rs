//! Verifies with the certificates of the signers.

use std::sync::Arc;

use kinfolk_core::signed::{Attested, Proof, Refusal, Verify};
use kinfolk_core::{ClusterId, NodeId};
use kinfolk_transport::{Authorities, NodeIdentity, RevokedCertificates, WallClock};
use parking_lot::RwLock;

use super::certificates::Certificates;

/// Verifies what members of this cluster signed, with their known certificates.
///
/// A check takes about 50 us of CPU, so a task that has other work must not do many in a row.
#[derive(Debug, Clone)]
pub struct Verifier {
    cluster: ClusterId,
    certificates: Certificates,
    clock: WallClock,
    authorities: Arc<RwLock<Authorities>>,
    revoked: RevokedCertificates,
}

impl Verifier {
    /// Verifies for the cluster of this identity, by the clock of the system.
    pub fn new(identity: &NodeIdentity, certificates: Certificates) -> Self {
        let authorities = Arc::new(RwLock::new(identity.authorities()));
        let (clock, revoked) = (WallClock::system(), RevokedCertificates::default());
        Self { cluster: identity.cluster().clone(), certificates, clock, authorities, revoked }
    }

    /// The same, without the certificates that are revoked. It sees later revocations too.
    #[must_use]
    pub fn without(self, revoked: RevokedCertificates) -> Self {
        Self { revoked, ..self }
    }

    /// Other authorities are trusted from now on.
    pub(super) fn trust(&self, authorities: Authorities) {
        *self.authorities.write() = authorities;
    }

    /// Whether the certificate that this item names is known and revoked.
    pub(super) fn is_revoked(&self, item: &dyn Attested) -> bool {
        let certificate = self.certificates.get(&item.proof().certificate);
        certificate.is_some_and(|certificate| self.revoked.contains(&certificate))
    }

    /// The same, by another clock.
    #[must_use]
    pub fn by_clock(self, clock: WallClock) -> Self {
        Self { clock, ..self }
    }

    /// The known certificates.
    pub(super) fn certificates(&self) -> &Certificates {
        &self.certificates
    }
}

impl Verify for Verifier {
    fn cluster(&self) -> &ClusterId {
        &self.cluster
    }

    fn verify_authority(&self, proof: &Proof, bytes: &[u8]) -> Result<(), Refusal> {
        self.authorities.read().verify_authority(proof, bytes)
    }

    fn verify_bytes(&self, signer: &NodeId, proof: &Proof, bytes: &[u8]) -> Result<(), Refusal> {
        let signer = || signer.clone();
        let Some(certificate) = self.certificates.get(&proof.certificate) else {
            return Err(Refusal::NoCertificate { signer: signer(), certificate: proof.certificate });
        };
        if *certificate.node() != signer() {
            return Err(Refusal::WrongName { signer: signer(), named: certificate.node().clone() });
        }
        if self.revoked.contains(&certificate) {
            return Err(Refusal::Revoked { signer: signer() });
        }
        // By the clock of certificates, as TLS checks it, also where the wall clock is simulated.
        if !certificate.is_valid_at(self.clock.since_epoch()) {
            return Err(Refusal::NotValidNow { signer: signer() });
        }
        if certificate.verifies(bytes, &proof.signature) {
            Ok(())
        } else {
            Err(Refusal::BadSignature { signer: signer() })
        }
    }
}
