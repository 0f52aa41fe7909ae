//! What a later version of Kinfolk says in a member's description. This version does not interpret
//! it, but keeps it and passes it on, so that the signature still matches at other members.

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The feature word of a member, and the fields of its description that this version does not know.
/// Empty for a member of this version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Extensions(Option<Arc<Fields>>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Fields {
    features: u64,
    unknown: Vec<u8>,
}

impl Extensions {
    /// The most bytes of unknown fields.
    pub const BYTES_MAX: usize = 2_048;

    /// The features of this version: none is optional yet.
    pub const FEATURES: u64 = 0;

    /// A feature word, and the encoded fields that follow those of this version; `None` if there
    /// are more than [`BYTES_MAX`](Self::BYTES_MAX) bytes.
    pub fn new(features: u64, unknown: &[u8]) -> Option<Self> {
        Self::of(Fields { features, unknown: unknown.to_vec() })
    }

    /// The feature word: one bit for each optional part of the protocol that the member
    /// understands. A member uses such a part only with those that have its bit.
    pub fn features(&self) -> u64 {
        self.0.as_ref().map_or(Self::FEATURES, |fields| fields.features)
    }

    /// The encoded fields of a later version.
    pub fn unknown(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |fields| &fields.unknown)
    }

    fn of(fields: Fields) -> Option<Self> {
        let is_empty = fields.features == Self::FEATURES && fields.unknown.is_empty();
        let fits = fields.unknown.len() <= Self::BYTES_MAX;
        fits.then(|| Self((!is_empty).then(|| fields.into())))
    }
}

// On the wire: the feature word, then the unknown fields with their length.
impl Serialize for Extensions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.features(), self.unknown()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        Self::of(fields)
            .ok_or_else(|| D::Error::custom("the unknown fields of a description take over 2,048 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_extensions_take_two_bytes() {
        let bytes = postcard::to_stdvec(&Extensions::default()).unwrap();
        assert_eq!(bytes, [0, 0]);
        assert_eq!(postcard::from_bytes::<Extensions>(&bytes).unwrap(), Extensions::default());
        assert_eq!(Extensions::new(0, &[]), Some(Extensions::default()));
    }

    #[test]
    fn later_fields_are_kept_up_to_the_bound() {
        let later = Extensions::new(5, &[7; Extensions::BYTES_MAX]).unwrap();
        let bytes = postcard::to_stdvec(&later).unwrap();
        let read: Extensions = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((read.features(), read.unknown().len()), (5, 2_048));
        assert_eq!(read, later);
        assert_eq!(Extensions::new(0, &[7; Extensions::BYTES_MAX + 1]), None);
        let bytes = postcard::to_stdvec(&(0_u64, vec![7_u8; 2_049])).unwrap();
        assert!(postcard::from_bytes::<Extensions>(&bytes).is_err());
    }
}
