//! Decodes updates. An update of a kind that this version does not know is skipped: a later version
//! writes each new kind as its number and a string of bytes.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, EnumAccess, SeqAccess, VariantAccess as _, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::message::Update;

/// Decodes a list of updates, and leaves out those of unknown kinds.
pub(super) fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Update>, D::Error> {
    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = Vec<Update>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of updates")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Update>, A::Error> {
            let mut updates = Vec::new();
            while let Some(Slot(update)) = list.next_element()? {
                updates.extend(update);
            }
            Ok(updates)
        }
    }

    deserializer.deserialize_seq(List)
}

/// An update, or the place of one of an unknown kind.
struct Slot(Option<Update>);

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;

        impl<'de> Visitor<'de> for One {
            type Value = Slot;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an update")
            }

            fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Slot, A::Error> {
                let (kind, content) = data.variant::<u32>()?;
                // The numbers of the variants of `Update`, in their order.
                let update = match kind {
                    0 => {
                        let (status, accusers) = content.newtype_variant()?;
                        Update::Node { status, accusers }
                    }
                    1 => Update::User(content.newtype_variant()?),
                    2 => {
                        let (status, up_to) = content.newtype_variant()?;
                        Update::Forget { status, up_to }
                    }
                    3 => Update::Accusation(content.newtype_variant()?),
                    4 => {
                        let InBytes(revocation) = content.newtype_variant()?;
                        Update::Revocation(revocation)
                    }
                    _ => {
                        let Skipped = content.newtype_variant()?;
                        return Ok(Slot(None));
                    }
                };
                Ok(Slot(Some(update)))
            }
        }

        // Postcard does not look at the names.
        deserializer.deserialize_enum("Update", &[], One)
    }
}

/// Encodes the content of a kind that an earlier version does not know: as a string of bytes, which
/// that version skips.
pub(super) fn as_bytes<T: Serialize, S: Serializer>(content: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(&postcard::to_stdvec(content).map_err(S::Error::custom)?)
}

/// The content of such a kind.
struct InBytes<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for InBytes<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes<T>(PhantomData<T>);

        impl<T: DeserializeOwned> Visitor<'_> for Bytes<T> {
            type Value = InBytes<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string of bytes with an update in it")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<InBytes<T>, E> {
                // Bytes after it are fields of a later version.
                postcard::take_from_bytes(bytes).map(|(content, _)| InBytes(content)).map_err(E::custom)
            }
        }

        deserializer.deserialize_bytes(Bytes(PhantomData))
    }
}

/// A string of bytes that is read and dropped.
struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Skipped;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string of bytes")
            }

            fn visit_bytes<E>(self, _: &[u8]) -> Result<Skipped, E> {
                Ok(Skipped)
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}
