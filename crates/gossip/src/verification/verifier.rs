//! Verifies with the certificates of the signers.

use kinfolk_core::signed::{Proof, Refusal, Verify};
use kinfolk_core::{ClusterId, NodeId};
use kinfolk_transport::{NodeIdentity, WallClock};

use super::certificates::Certificates;

/// Verifies what members of this cluster signed, with their known certificates.
///
/// A check takes about 50 us of CPU, so a task that has other work must not do many in a row.
#[derive(Debug, Clone)]
pub struct Verifier {
    cluster: ClusterId,
    certificates: Certificates,
    clock: WallClock,
}

impl Verifier {
    /// Verifies for the cluster of this identity, by the clock of the system.
    pub fn new(identity: &NodeIdentity, certificates: Certificates) -> Self {
        Self { cluster: identity.cluster().clone(), certificates, clock: WallClock::system() }
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

    fn verify_bytes(&self, signer: &NodeId, proof: &Proof, bytes: &[u8]) -> Result<(), Refusal> {
        let signer = || signer.clone();
        let Some(certificate) = self.certificates.get(&proof.certificate) else {
            return Err(Refusal::NoCertificate { signer: signer(), certificate: proof.certificate });
        };
        if *certificate.node() != signer() {
            return Err(Refusal::WrongName { signer: signer(), named: certificate.node().clone() });
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
