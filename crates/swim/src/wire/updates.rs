//! Decodes updates. An update of a kind that this version does not know is skipped: a later version
//! writes each new kind as its number and a string of bytes.

use std::fmt;

use serde::de::{EnumAccess, SeqAccess, VariantAccess as _, Visitor};
use serde::{Deserialize, Deserializer};

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
