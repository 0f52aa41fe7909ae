//! Signing and verifying, without cryptography: the two traits that the driver implements, and the
//! types that show which data is verified.

use std::fmt;

use thiserror::Error;

use super::bytes::{Attested, Kind, signed_bytes};
use super::hash::Fingerprint;
use super::proof::{Proof, Signature};
use crate::cluster_id::ClusterId;
use crate::node::NodeId;

/// Signs in the name of this member. The `Debug` form must not show the key.
pub trait Sign: fmt::Debug + Send + Sync {
    /// The cluster of this member.
    fn cluster(&self) -> &ClusterId;

    /// The fingerprint of this member's certificate.
    fn certificate(&self) -> Fingerprint;

    /// Signs these bytes with the key of the certificate.
    fn sign_bytes(&self, bytes: &[u8]) -> Signature;
}

/// Makes the proof of `item` in the name of the member that `signer` signs for. The present proof
/// of `item` does not matter.
pub fn prove(signer: &dyn Sign, item: &dyn Attested) -> Proof {
    let certificate = signer.certificate();
    let signature = signer.sign_bytes(&signed_bytes(signer.cluster(), &certificate, item));
    Proof { certificate, signature }
}

/// Verifies what other members signed.
pub trait Verify {
    /// The cluster of this member.
    fn cluster(&self) -> &ClusterId;

    /// Checks that the certificate with this fingerprint was issued to `signer` by an authority of
    /// this cluster, and that its key made this signature of `bytes`.
    ///
    /// # Errors
    /// [`Refusal`] with the cause.
    fn verify_bytes(&self, signer: &NodeId, proof: &Proof, bytes: &[u8]) -> Result<(), Refusal>;

    /// Checks that an authority of this cluster made this signature of `bytes`. The proof names it
    /// by the fingerprint of its public key. By default no authority is known.
    ///
    /// # Errors
    /// [`Refusal`] with the cause.
    fn verify_authority(&self, proof: &Proof, _bytes: &[u8]) -> Result<(), Refusal> {
        Err(Refusal::UnknownAuthority { authority: proof.certificate })
    }

    /// Whether exactly this item was verified before, so that its signature need not be checked
    /// again. By default no item was.
    fn is_known(&self, _: &dyn Attested) -> bool {
        false
    }
}

/// Why a signed item is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// This member does not have the signer's certificate. It proves nothing about the sender.
    ///
    /// What to do: nothing. The member asks for the certificate. Without it the item is ignored.
    #[error("the certificate {certificate} of {signer} is not known here")]
    NoCertificate {
        /// The member that is said to have signed.
        signer: NodeId,
        /// The certificate that is missing.
        certificate: Fingerprint,
    },
    /// The certificate of the signer is not valid at this time. An honest member may pass on such
    /// an item.
    ///
    /// What to do: renew the certificate of the signer. If it should be valid, check the clocks.
    #[error("the certificate of {signer} is not valid now; renew it, or check the clocks")]
    NotValidNow {
        /// The member that signed.
        signer: NodeId,
    },
    /// An authority that this member does not trust signed a revocation. An honest member may pass
    /// it on, while one authority replaces another.
    ///
    /// What to do: give the new authority to all members.
    #[error("the authority with the key {authority} is not trusted here; give it to all members")]
    UnknownAuthority {
        /// The fingerprint of the authority's public key.
        authority: Fingerprint,
    },
    /// The signature of a revocation does not match: no authority made it.
    ///
    /// What to do: check which program the sender runs. A correct member passes on only what it
    /// has verified.
    #[error(
        "the signature of a revocation does not match the authority with the key {authority}; check the program of \
         its sender"
    )]
    BadAuthority {
        /// The fingerprint of the authority's public key.
        authority: Fingerprint,
    },
    /// The certificate of the signer is revoked. An honest member may not know that yet.
    ///
    /// What to do: nothing. Issue a new certificate if the member is to come back.
    #[error("the certificate of {signer} is revoked; issue a new one if the member is to come back")]
    Revoked {
        /// The member that signed.
        signer: NodeId,
    },
    /// The certificate belongs to another member.
    ///
    /// What to do: check which program the sender runs. A correct member passes on only what it
    /// has verified.
    #[error("the statement of {signer} names the certificate of {named}; check the program of its sender")]
    WrongName {
        /// The member that is said to have signed.
        signer: NodeId,
        /// The member to whom the certificate was issued.
        named: NodeId,
    },
    /// The signature does not match: the item was forged or changed on its way.
    ///
    /// What to do: check which program the sender runs. A correct member passes on only what it
    /// has verified.
    #[error("the signature of {signer} does not match; check the program of its sender")]
    BadSignature {
        /// The member that is said to have signed.
        signer: NodeId,
    },
}

impl Refusal {
    /// Whether a correct member may have sent the item: it only cannot be verified here and now.
    /// Otherwise the sender forged the item, or did not verify it.
    pub fn is_innocent(&self) -> bool {
        matches!(
            self,
            Self::NoCertificate { .. }
                | Self::NotValidNow { .. }
                | Self::UnknownAuthority { .. }
                | Self::Revoked { .. }
        )
    }
}

/// Data that may contain signed items.
pub trait Claims {
    /// The signed items in it.
    fn items(&self) -> Vec<&dyn Attested>;
}

/// Data from the network, or from a file. Nothing in it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified<T>(T);

/// Data in which each signed item is verified: the member that it names signed it.
///
/// Only [`Unverified::verify`] makes such a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Unverified<T> {
    /// Marks data as unverified.
    pub const fn new(data: T) -> Self {
        Self(data)
    }

    /// Reads the data, for example to find out which certificates it needs. It must not be
    /// believed.
    pub const fn peek(&self) -> &T {
        &self.0
    }

    /// Changes the data, for example to leave out what cannot be verified. It stays unverified.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Unverified<U> {
        Unverified(change(self.0))
    }
}

impl<T: Claims> Unverified<T> {
    /// Verifies each signed item.
    ///
    /// # Errors
    /// The [`Refusal`] of the first item that is not proved, with the data. None of the data may be
    /// used then.
    pub fn verify(self, by: &dyn Verify) -> Result<Verified<T>, (Refusal, Self)> {
        match self.0.items().into_iter().try_for_each(|item| verify_item(by, item)) {
            Ok(()) => Ok(Verified(self.0)),
            Err(refusal) => Err((refusal, self)),
        }
    }

    /// Marks the data as verified, if `is_verified` holds for each signed item: the caller has
    /// verified them one by one, with [`verify_item`].
    ///
    /// # Errors
    /// The data, if it does not hold for an item.
    pub fn verified_before(self, is_verified: impl Fn(&dyn Attested) -> bool) -> Result<Verified<T>, Self> {
        if self.0.items().into_iter().all(is_verified) { Ok(Verified(self.0)) } else { Err(self) }
    }
}

/// Verifies one signed item: a part of unverified data that is verified piece by piece.
///
/// # Errors
/// The [`Refusal`] if it is not proved.
pub fn verify_item(by: &dyn Verify, item: &dyn Attested) -> Result<(), Refusal> {
    if by.is_known(item) {
        return Ok(());
    }
    let proof = item.proof();
    let bytes = signed_bytes(by.cluster(), &proof.certificate, item);
    match item.kind() {
        Kind::Revocation => by.verify_authority(proof, &bytes),
        Kind::Statement | Kind::Broadcast | Kind::Accusation => by.verify_bytes(item.signer(), proof, &bytes),
    }
}

impl<T> Verified<T> {
    #[cfg(any(test, feature = "simulation"))]
    pub(super) const fn assume(data: T) -> Self {
        Self(data)
    }

    /// The data.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
