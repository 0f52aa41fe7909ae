//! Tags as settings: `key=value` pairs, or one JSON object where a value holds a comma; in the file
//! a table.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The valid forms of tags, as the end of a sentence that begins with "give".
const WANTED: &str = r#"key=value, several separated by commas, or an object such as {"key": "a, b"}"#;

/// The tags of one flag, of the variable, or of the file, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TagList(Vec<(String, String)>);

/// The tags of one source, with each key once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SourceTags(BTreeMap<String, String>);

impl SourceTags {
    /// Joins the lists of one source.
    ///
    /// # Errors
    /// A key is given twice. Silently taking one of the two values would hide a mistake.
    pub(crate) fn of(lists: impl IntoIterator<Item = TagList>) -> Result<Self, String> {
        let mut tags = BTreeMap::new();
        for (key, value) in lists.into_iter().flat_map(|list| list.0) {
            if let Some(before) = tags.get(&key) {
                return Err(format!(
                    "the tag {key:?} is given twice, as {before:?} and as {value:?}; give it once"
                ));
            }
            tags.insert(key, value);
        }
        Ok(Self(tags))
    }

    /// These tags, and those tags of `other` whose keys these do not have.
    #[must_use]
    pub(crate) fn over(mut self, other: Self) -> Self {
        for (key, value) in other.0 {
            self.0.entry(key).or_insert(value);
        }
        self
    }

    /// All tags, ordered by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl FromStr for TagList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The form for values that hold a comma, which separates pairs in the other form.
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text)
                .map_err(|error| format!("{text:?} is not a JSON object of texts: {error}; give {WANTED}"));
        }
        let pair = |pair: &str| match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(format!("{pair:?} is not a tag; give {WANTED}")),
        };
        text.split(',').map(pair).collect::<Result<_, _>>().map(Self)
    }
}

/// Reads a table of the file or a JSON object. It keeps a key that is given twice, so that
/// [`SourceTags::of`] can refuse it.
impl<'de> Deserialize<'de> for TagList {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = TagList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of texts, such as role = \"db\" under [tags]")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TagList, A::Error> {
                let mut pairs = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    // Read any value first, so that the message can show what is there.
                    let value: serde_json::Value = map.next_value()?;
                    let serde_json::Value::String(value) = value else {
                        return Err(A::Error::custom(format_args!(
                            "the value {value} of the tag {key:?} is not in quotes; give a text"
                        )));
                    };
                    pairs.push((key, value));
                }
                Ok(TagList(pairs))
            }
        }

        from.deserialize_any(Pairs)
    }
}

/// Reads the table of the file.
pub(super) fn in_file<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<TagList>, D::Error> {
    TagList::deserialize(from).map(|list| vec![list])
}
