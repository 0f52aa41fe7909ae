//! Signatures for simulations and tests: a keyed hash in place of cryptography. A simulated member
//! cannot forge the signature of another, as long as it only uses its own [`SimulatedKey`]. It is
//! no protection against anybody else.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;

use super::hash::Fingerprint;
use super::proof::{Proof, Signature};
use super::verify::{Refusal, Sign, Verified, Verify};
use crate::cluster_id::ClusterId;
use crate::node::NodeId;

/// The length of a P-256 signature, so that simulated messages have the size of real ones.
const SIGNATURE_BYTES: usize = 64;

/// Takes data for verified, for tests in which signatures do not matter.
pub const fn assume_verified<T>(data: T) -> Verified<T> {
    Verified::assume(data)
}

/// All keys of a simulated cluster. It verifies, and gives each member its key.
#[derive(Debug, Clone)]
pub struct SimulatedKeys {
    cluster: ClusterId,
    secret: u64,
}

/// The key of one simulated member.
#[derive(Debug, Clone)]
pub struct SimulatedKey {
    keys: SimulatedKeys,
    name: NodeId,
}

impl SimulatedKeys {
    /// The keys of a cluster. Other secrets give other keys.
    pub fn new(cluster: ClusterId, secret: u64) -> Self {
        Self { cluster, secret }
    }

    /// The key of the member with this name.
    pub fn key_of(&self, name: NodeId) -> SimulatedKey {
        SimulatedKey { keys: self.clone(), name }
    }

    /// The key of the cluster's authority. No member has it.
    pub fn authority(&self) -> SimulatedAuthority {
        SimulatedAuthority(self.clone())
    }

    /// Hashes with the key of the authority, whose name no member can have.
    fn authority_hash(&self, bytes: &[u8]) -> [u8; 8] {
        let mut hasher = FixedState::with_seed(self.secret).build_hasher();
        hasher.write(b"<authority>");
        hasher.write(bytes);
        hasher.finish().to_be_bytes()
    }

    fn certificate(&self, name: &NodeId) -> Fingerprint {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.hash(name, b"certificate"));
        Fingerprint::new(bytes)
    }

    fn hash(&self, name: &NodeId, bytes: &[u8]) -> [u8; 8] {
        let mut hasher = FixedState::with_seed(self.secret).build_hasher();
        hasher.write(name.as_str().as_bytes());
        hasher.write(bytes);
        hasher.finish().to_be_bytes()
    }
}

/// The key of a simulated cluster's authority.
#[derive(Debug, Clone)]
pub struct SimulatedAuthority(SimulatedKeys);

impl Sign for SimulatedAuthority {
    fn cluster(&self) -> &ClusterId {
        &self.0.cluster
    }

    fn certificate(&self) -> Fingerprint {
        Fingerprint::of(&self.0.authority_hash(b"key"))
    }

    fn sign_bytes(&self, bytes: &[u8]) -> Signature {
        Signature::new(&self.0.authority_hash(bytes).repeat(SIGNATURE_BYTES / 8)).unwrap_or_default()
    }
}

impl Sign for SimulatedKey {
    fn cluster(&self) -> &ClusterId {
        &self.keys.cluster
    }

    fn certificate(&self) -> Fingerprint {
        self.keys.certificate(&self.name)
    }

    fn sign_bytes(&self, bytes: &[u8]) -> Signature {
        let hash = self.keys.hash(&self.name, bytes);
        Signature::new(&hash.repeat(SIGNATURE_BYTES / hash.len())).unwrap_or_default()
    }
}

impl Verify for SimulatedKeys {
    fn cluster(&self) -> &ClusterId {
        &self.cluster
    }

    fn verify_authority(&self, proof: &Proof, bytes: &[u8]) -> Result<(), Refusal> {
        let authority = self.authority();
        if proof.certificate != authority.certificate() {
            return Err(Refusal::UnknownAuthority { authority: proof.certificate });
        }
        if proof.signature == authority.sign_bytes(bytes) {
            Ok(())
        } else {
            Err(Refusal::BadAuthority { authority: proof.certificate })
        }
    }

    fn verify_bytes(&self, signer: &NodeId, proof: &Proof, bytes: &[u8]) -> Result<(), Refusal> {
        let signer = || signer.clone();
        let certificate = proof.certificate;
        if certificate != self.certificate(&signer()) {
            return Err(Refusal::NoCertificate { signer: signer(), certificate });
        }
        let hash = self.hash(&signer(), bytes);
        let matches = proof.signature.as_bytes().len() == SIGNATURE_BYTES
            && proof.signature.as_bytes().chunks(hash.len()).all(|part| part == hash);
        if matches { Ok(()) } else { Err(Refusal::BadSignature { signer: signer() }) }
    }
}
