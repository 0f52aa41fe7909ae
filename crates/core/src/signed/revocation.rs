//! Revocations: an authority takes certificates of a member back before they end.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bytes::{Attested, Kind};
use super::proof::Proof;
use crate::node::NodeId;

/// The serial number of a certificate: the bytes of a big-endian number, as the certificate has
/// them, at most 32.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Box<[u8]>);

impl Serial {
    /// The longest number, in bytes. A certificate may have 20 (RFC 5280, section 4.1.2.2), and a
    /// leading zero.
    pub const BYTES_MAX: usize = 32;

    /// A number of its bytes; `None` if there are none or too many.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=Self::BYTES_MAX).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Which certificates of a member are revoked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Covered {
    /// All whose validity begins at or before this second since the Unix epoch. A certificate that
    /// is issued later, under the same name, is not revoked.
    IssuedUntil(u64),
    /// The one with this serial number.
    Serial(Serial),
}

/// The statement of an authority that certificates of a member count no more.
///
/// Its proof names the authority by the fingerprint of its public key, so that a renewed
/// certificate of the authority changes nothing. Everything else about it is as with a statement of
/// a member: it does not matter which member passes it on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revocation {
    /// The member whose certificates are revoked.
    pub node: NodeId,
    /// Which of them.
    pub covered: Covered,
    /// The last second, since the Unix epoch, in which one of them would be valid. Nobody needs the
    /// revocation afterwards.
    pub until: u64,
    /// The proof of the authority.
    pub proof: Proof,
}

impl Revocation {
    /// Whether it revokes the certificate of `node` with this serial number, whose validity begins
    /// at this second since the Unix epoch.
    pub fn revokes(&self, node: &NodeId, serial: &[u8], valid_from: i64) -> bool {
        self.node == *node
            && match &self.covered {
                Covered::IssuedUntil(last) => i64::try_from(*last).is_ok_and(|last| valid_from <= last),
                Covered::Serial(revoked) => digits(&revoked.0) == digits(serial),
            }
    }

    /// Whether it revokes each certificate that `other` revokes, for as long. It does not matter
    /// who signed the two.
    pub fn covers(&self, other: &Self) -> bool {
        let is_wider = match (&self.covered, &other.covered) {
            (Covered::IssuedUntil(own), Covered::IssuedUntil(other)) => own >= other,
            (own, other) => own == other,
        };
        self.node == other.node && is_wider && self.until >= other.until
    }

    /// Whether all of its certificates have ended at this second since the Unix epoch.
    pub fn has_ended(&self, now: u64) -> bool {
        now > self.until
    }
}

/// A number without the zeros before it. A certificate has one before a high first bit, and most
/// programs show none.
fn digits(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

impl Attested for Revocation {
    fn kind(&self) -> Kind {
        Kind::Revocation
    }

    /// The member that is revoked. The signer is an authority, which has no name here.
    fn signer(&self) -> &NodeId {
        &self.node
    }

    fn proof(&self) -> &Proof {
        &self.proof
    }

    fn write_content(&self, bytes: &mut Vec<u8>) {
        match &self.covered {
            Covered::IssuedUntil(last) => {
                bytes.push(0);
                bytes.extend_from_slice(&last.to_be_bytes());
            }
            Covered::Serial(serial) => {
                // A number has at most 32 bytes.
                bytes.extend_from_slice(&[1, u8::try_from(serial.0.len()).unwrap_or(u8::MAX)]);
                bytes.extend_from_slice(&serial.0);
            }
        }
        bytes.extend_from_slice(&self.until.to_be_bytes());
    }
}

impl Serialize for Serial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Serial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl serde::de::Visitor<'_> for Bytes {
            type Value = Serial;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a serial number of 1 to 32 bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Serial, E> {
                Serial::new(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }
        }

        deserializer.deserialize_bytes(Bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(covered: Covered) -> Revocation {
        let node = NodeId::new("a").unwrap();
        Revocation { node, covered, until: 100, proof: Proof::default() }
    }

    #[test]
    fn certificates_up_to_a_time_are_revoked() {
        let (a, b) = (NodeId::new("a").unwrap(), NodeId::new("b").unwrap());
        let revocation = of(Covered::IssuedUntil(50));
        for (valid_from, revoked) in [(i64::MIN, true), (50, true), (51, false), (i64::MAX, false)] {
            assert_eq!(revocation.revokes(&a, &[1], valid_from), revoked, "{valid_from}");
            assert!(!revocation.revokes(&b, &[1], valid_from));
        }
        assert!(!revocation.has_ended(100) && revocation.has_ended(101));
    }

    #[test]
    fn one_certificate_is_revoked_by_its_number() {
        let a = NodeId::new("a").unwrap();
        let revocation = of(Covered::Serial(Serial::new(&[1, 2]).unwrap()));
        assert!(revocation.revokes(&a, &[1, 2], 7));
        assert!(!revocation.revokes(&a, &[1, 2, 3], 7) && !revocation.revokes(&a, &[1], 7));
        // A certificate has a zero before a first bit that is set.
        let revocation = of(Covered::Serial(Serial::new(&[0xab, 2]).unwrap()));
        assert!(revocation.revokes(&a, &[0, 0xab, 2], 7) && !revocation.revokes(&a, &[0xab, 2, 0], 7));
    }

    #[test]
    fn wider_revocation_covers_a_narrower_one() {
        let until = |last| of(Covered::IssuedUntil(last));
        assert!(until(50).covers(&until(50)) && until(51).covers(&until(50)));
        assert!(!until(49).covers(&until(50)));
        assert!(!until(50).covers(&Revocation { until: 101, ..until(50) }));
        assert!(!until(50).covers(&Revocation { node: NodeId::new("b").unwrap(), ..until(50) }));
        let number = of(Covered::Serial(Serial::new(&[1]).unwrap()));
        assert!(number.covers(&number) && !number.covers(&until(1)) && !until(1).covers(&number));
    }

    #[test]
    fn number_has_1_to_32_bytes() {
        assert!(Serial::new(&[]).is_none() && Serial::new(&[1; 33]).is_none());
        let longest = Serial::new(&[7; 32]).unwrap();
        let bytes = postcard::to_stdvec(&longest).unwrap();
        assert_eq!(postcard::from_bytes::<Serial>(&bytes).unwrap(), longest);
        for len in [0_usize, 33] {
            let bytes = postcard::to_stdvec(&bytes::Bytes::from(vec![7; len])).unwrap();
            assert!(postcard::from_bytes::<Serial>(&bytes).is_err(), "{len} bytes were taken");
        }
    }

    #[test]
    fn other_contents_have_other_signed_bytes() {
        let content = |revocation: &Revocation| {
            let mut bytes = Vec::new();
            revocation.write_content(&mut bytes);
            bytes
        };
        let number = |bytes: &[u8]| Covered::Serial(Serial::new(bytes).unwrap());
        let all = [
            of(Covered::IssuedUntil(1)),
            of(Covered::IssuedUntil(2)),
            of(number(&[0, 0, 0, 0, 0, 0, 0, 1])),
            of(number(&[1])),
            Revocation { until: 101, ..of(number(&[1])) },
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| content(one) != content(other)), "{one:?}");
        }
    }
}
