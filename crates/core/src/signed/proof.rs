//! The proof that a member made a statement: which certificate, and the signature of its key.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::hash::Fingerprint;

/// A signature, as the kind of key makes it: 64 bytes for ECDSA P-256.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Signature(Arc<[u8]>);

impl Signature {
    /// The longest signature: that of an RSA key of 4,096 bits.
    pub const BYTES_MAX: usize = 512;

    /// A signature of its bytes; `None` if there are more than [`BYTES_MAX`](Self::BYTES_MAX).
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::BYTES_MAX).then(|| Self(bytes.into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The signature of a statement, and the certificate whose key made it.
///
/// The default is no proof: no certificate has the fingerprint zero, so nobody takes a statement
/// with it. A status that has not been signed yet has this proof.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Proof {
    /// The fingerprint of the signer's certificate.
    pub certificate: Fingerprint,
    /// The signature.
    pub signature: Signature,
}

impl Default for Signature {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a signature of {} bytes", self.0.len())
    }
}

// A proof in full is noise in a failed assertion or a trace.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, ..] = self.certificate.as_bytes();
        write!(f, "Proof({first:02x}{second:02x}.., {:?})", self.signature)
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl serde::de::Visitor<'_> for Bytes {
            type Value = Signature;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a signature of at most 512 bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Signature, E> {
                Signature::new(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }
        }

        deserializer.deserialize_bytes(Bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_over_512_bytes_is_refused() {
        let longest = Signature::new(&[7; Signature::BYTES_MAX]).unwrap();
        let bytes = postcard::to_stdvec(&longest).unwrap();
        assert_eq!(postcard::from_bytes::<Signature>(&bytes).unwrap(), longest);
        assert_eq!(Signature::new(&[7; Signature::BYTES_MAX + 1]), None);
        let bytes = postcard::to_stdvec(&bytes::Bytes::from_static(&[7; 513])).unwrap();
        assert!(postcard::from_bytes::<Signature>(&bytes).is_err());
    }
}
