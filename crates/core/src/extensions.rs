//! The fields that descriptions got after the first version: those of this version, and those of
//! later ones. This version does not interpret the latter, but keeps them and passes them on, so
//! that the signature still matches at other members.

use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::coordinate::Coordinate;

/// The feature word of a member, its coordinate, and the fields of its description that this
/// version does not know. Most members have none of these; then it takes no memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions(Option<Arc<Fields>>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Fields {
    features: u64,
    coordinate: Option<Coordinate>,
    unknown: Vec<u8>,
}

impl Extensions {
    /// The most bytes of unknown fields.
    pub const BYTES_MAX: usize = 2_048;

    /// The features of this version: none is optional yet.
    pub const FEATURES: u64 = 0;

    /// A feature word, and the encoded fields that follow those of this version; `None` if there
    /// are more than [`BYTES_MAX`](Self::BYTES_MAX) bytes. Without a coordinate.
    pub fn new(features: u64, unknown: &[u8]) -> Option<Self> {
        let fits = unknown.len() <= Self::BYTES_MAX;
        fits.then(|| Self::of(Fields { features, coordinate: None, unknown: unknown.to_vec() }))
    }

    /// The same with this coordinate, or without one.
    #[must_use]
    pub fn with_coordinate(&self, coordinate: Option<Coordinate>) -> Self {
        if self.coordinate() == coordinate {
            return self.clone();
        }
        let fields = self.0.as_deref().cloned().unwrap_or_default();
        Self::of(Fields { coordinate, ..fields })
    }

    /// The feature word: one bit for each optional part of the protocol that the member
    /// understands. A member uses such a part only with those that have its bit.
    pub fn features(&self) -> u64 {
        self.0.as_ref().map_or(Self::FEATURES, |fields| fields.features)
    }

    /// Where the member lies in the network, by its own measurements. `None` if it does not say.
    pub fn coordinate(&self) -> Option<Coordinate> {
        self.0.as_ref()?.coordinate
    }

    /// The encoded fields of a later version.
    pub fn unknown(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |fields| &fields.unknown)
    }

    fn of(fields: Fields) -> Self {
        Self((fields != Fields::default()).then(|| fields.into()))
    }
}

// On the wire: the feature word, then the later fields with their length. The first of these is the
// coordinate. A member with none of them has no byte of them: so it looks as in the first version.
impl Serialize for Extensions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (coordinate, unknown) = (self.coordinate(), self.unknown());
        let mut fields = Vec::new();
        if coordinate.is_some() || !unknown.is_empty() {
            fields = postcard::to_stdvec(&coordinate).map_err(S::Error::custom)?;
            fields.extend_from_slice(unknown);
        }
        (self.features(), fields).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (features, fields) = <(u64, Vec<u8>)>::deserialize(deserializer)?;
        let (coordinate, unknown) = match &fields[..] {
            [] => (None, &[][..]),
            fields => postcard::take_from_bytes(fields)
                .map_err(|_| D::Error::custom("the coordinate of a description is not valid"))?,
        };
        if unknown.len() > Self::BYTES_MAX {
            return Err(D::Error::custom("the unknown fields of a description take over 2,048 bytes"));
        }
        Ok(Self::of(Fields { features, coordinate, unknown: unknown.to_vec() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated() -> Coordinate {
        Coordinate::new([1_000, -2_000, 0, 70_000], 300, 120).unwrap()
    }

    fn bytes(extensions: &Extensions) -> Vec<u8> {
        postcard::to_stdvec(extensions).unwrap()
    }

    #[test]
    fn empty_extensions_take_two_bytes() {
        let bytes = bytes(&Extensions::default());
        assert_eq!(bytes, [0, 0]);
        assert_eq!(postcard::from_bytes::<Extensions>(&bytes).unwrap(), Extensions::default());
        assert_eq!(Extensions::new(0, &[]), Some(Extensions::default()));
        let removed = Extensions::default().with_coordinate(Some(stated())).with_coordinate(None);
        assert_eq!(removed, Extensions::default());
    }

    #[test]
    fn later_fields_are_kept_up_to_the_bound() {
        for coordinate in [None, Some(stated())] {
            let later = Extensions::new(5, &[7; Extensions::BYTES_MAX]).unwrap().with_coordinate(coordinate);
            let read: Extensions = postcard::from_bytes(&bytes(&later)).unwrap();
            assert_eq!((read.features(), read.unknown().len()), (5, 2_048));
            assert_eq!((read.coordinate(), &read), (coordinate, &later));
        }
        assert_eq!(Extensions::new(0, &[7; Extensions::BYTES_MAX + 1]), None);
        // One byte more than the bound, after the byte that says that there is no coordinate.
        let bytes = postcard::to_stdvec(&(0_u64, vec![0_u8; 2_050])).unwrap();
        assert!(postcard::from_bytes::<Extensions>(&bytes).is_err());
    }

    #[test]
    fn coordinate_reads_back_alone() {
        let extensions = Extensions::default().with_coordinate(Some(stated()));
        let bytes = bytes(&extensions);
        assert_eq!(bytes.len(), 14);
        let read: Extensions = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((read.coordinate(), read.unknown()), (Some(stated()), &[][..]));
        assert_eq!(read, extensions);
    }

    #[test]
    fn coordinate_out_of_bounds_is_not_decoded() {
        let with_error = |error: u16| {
            let fields = postcard::to_stdvec(&Some(([0_i32; 4], 0_u32, error))).unwrap();
            postcard::from_bytes::<Extensions>(&postcard::to_stdvec(&(0_u64, fields)).unwrap())
        };
        assert!(with_error(1_500).is_ok() && with_error(1_501).is_err());
        // Cut off, and with a byte that is neither "none" nor "some" at its start.
        for fields in [&[1, 0, 0][..], &[2, 0, 0, 0, 0, 0, 0]] {
            let bytes = postcard::to_stdvec(&(0_u64, fields)).unwrap();
            assert!(postcard::from_bytes::<Extensions>(&bytes).is_err(), "{fields:?}");
        }
    }
}
