//! What a member states about itself beyond its name: roles, versions, ports of services. Tags are
//! small, bounded, and replaced as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::error::TagsError;

/// The tags of a member: an ordered map from text to text, cheap to clone.
///
/// At most [`ENTRIES_MAX`](Self::ENTRIES_MAX) entries, and at most [`BYTES_MAX`](Self::BYTES_MAX)
/// bytes of keys and values. Tags that exceed a bound are refused as a whole, when they are built
/// and when they are decoded. Keys are not empty; values may be.
///
/// # Examples
/// ```
/// use kinfolk_core::Tags;
/// let tags = Tags::new([("role", "db"), ("zone", "a")])?;
/// assert_eq!(tags.get("role"), Some("db"));
/// assert_eq!(tags.with("zone", "b")?.get("zone"), Some("b"));
/// # Ok::<(), kinfolk_core::TagsError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Tags(Option<Packed>);

/// All keys and values in one allocation. Most claims about a member repeat what is known, and one
/// allocation makes them cheap to compare and to drop.
///
/// The layout: the number of entries in one byte; then, for each key and each value, where it ends
/// in the text, in two bytes; then the text of all of them, ordered by key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Packed(Arc<[u8]>);

impl Tags {
    /// The most entries that a member may have.
    pub const ENTRIES_MAX: usize = 64;
    /// The most bytes that all keys and values together may take: 16 KiB.
    pub const BYTES_MAX: usize = 16 * 1024;

    /// No tags. Takes no memory.
    pub const fn empty() -> Self {
        Self(None)
    }

    /// Makes tags of these pairs. A later value of the same key replaces an earlier one.
    ///
    /// # Errors
    /// [`TagsError`] if the tags exceed a bound or a key is empty.
    pub fn new<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, TagsError> {
        let map: BTreeMap<String, String> = pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self::try_from(map)
    }

    /// These tags with one more, or with another value of that key.
    ///
    /// # Errors
    /// [`TagsError`] if the result exceeds a bound or the key is empty.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, TagsError> {
        let mut map = self.to_map();
        map.insert(key.to_owned(), value.to_owned());
        Self::try_from(map)
    }

    /// These tags without that key.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        let mut map = self.to_map();
        map.remove(key);
        // Removing an entry cannot exceed a bound, so this needs no check.
        Self::from_bounded(&map)
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// All pairs, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(Packed::iter)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Packed::entries)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The number of bytes that keys and values take together.
    pub fn byte_len(&self) -> usize {
        self.0.as_ref().map_or(0, |packed| packed.text().len())
    }

    fn to_map(&self) -> BTreeMap<String, String> {
        self.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn from_bounded(map: &BTreeMap<String, String>) -> Self {
        Self((!map.is_empty()).then(|| Packed::of(map)))
    }
}

impl Packed {
    /// Packs a map that is within the bounds. The bounds make every number fit: 64 fits into a
    /// byte, and 16 KiB into two.
    fn of(map: &BTreeMap<String, String>) -> Self {
        let parts = || map.iter().flat_map(|(key, value)| [key, value]);
        let mut bytes = vec![u8::try_from(map.len()).unwrap_or(u8::MAX)];
        let mut end = 0;
        for part in parts() {
            end += part.len();
            bytes.extend(u16::try_from(end).unwrap_or(u16::MAX).to_le_bytes());
        }
        parts().for_each(|part| bytes.extend(part.as_bytes()));
        Self(bytes.into())
    }

    fn entries(&self) -> usize {
        usize::from(self.0[0])
    }

    fn ends(&self) -> &[u8] {
        &self.0[1..=4 * self.entries()]
    }

    fn text(&self) -> &[u8] {
        &self.0[1 + 4 * self.entries()..]
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let (text, mut begin) = (self.text(), 0);
        let mut next = move |end: [u8; 2]| {
            let end = usize::from(u16::from_le_bytes(end));
            let part = str::from_utf8(&text[begin..end]).expect("only whole strings were put together");
            begin = end;
            part
        };
        self.ends().chunks_exact(4).map(move |ends| (next([ends[0], ends[1]]), next([ends[2], ends[3]])))
    }
}

impl TryFrom<BTreeMap<String, String>> for Tags {
    type Error = TagsError;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self, TagsError> {
        // Decoding goes through this conversion too, so a peer cannot exceed the bounds.
        if map.len() > Self::ENTRIES_MAX {
            return Err(TagsError::TooMany { found: map.len() });
        }
        let found = map.iter().map(|(k, v)| k.len() + v.len()).sum();
        if found > Self::BYTES_MAX {
            return Err(TagsError::TooLarge { found });
        }
        if map.contains_key("") {
            return Err(TagsError::EmptyKey);
        }
        Ok(Self::from_bounded(&map))
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        self.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
        map.end()
    }
}

impl From<Tags> for BTreeMap<String, String> {
    fn from(tags: Tags) -> Self {
        tags.to_map()
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: usize) -> Result<Tags, TagsError> {
        Tags::new((0..count).map(|i| (i.to_string(), "x")))
    }

    #[test]
    fn tags_read_as_map_and_count_bytes() {
        let tags = Tags::new([("zone", "b"), ("role", "db")]).unwrap().with("zone", "c").unwrap();
        assert_eq!((tags.len(), tags.byte_len(), tags.is_empty()), (2, 11, false));
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("role", "db"), ("zone", "c")]);
        assert_eq!((tags.get("zone"), tags.get("none")), (Some("c"), None));
        assert_eq!(format!("{tags:?}"), r#"{"role": "db", "zone": "c"}"#);
        let map = BTreeMap::from(tags.clone());
        assert_eq!((map.len(), Tags::try_from(map)), (2, Ok(tags.clone())));
        assert_eq!(tags.without("role"), Tags::new([("zone", "c")]).unwrap());
    }

    #[test]
    fn entry_65_is_refused() {
        assert_eq!(numbered(64).unwrap().len(), 64);
        assert_eq!(numbered(65), Err(TagsError::TooMany { found: 65 }));
        assert_eq!(numbered(64).unwrap().with("more", ""), Err(TagsError::TooMany { found: 65 }));
    }

    #[test]
    fn byte_past_the_bound_is_refused() {
        assert_eq!(Tags::new([("k", "v".repeat(Tags::BYTES_MAX - 1))]).unwrap().byte_len(), Tags::BYTES_MAX);
        let found = Tags::BYTES_MAX + 1;
        assert_eq!(Tags::new([("k", "v".repeat(Tags::BYTES_MAX))]), Err(TagsError::TooLarge { found }));
    }

    #[test]
    fn tags_over_a_bound_are_refused_when_decoded() {
        let map: BTreeMap<String, String> = (0..65).map(|i| (i.to_string(), String::new())).collect();
        let bytes = postcard::to_stdvec(&map).unwrap();
        assert!(postcard::from_bytes::<Tags>(&bytes).is_err());
        let tags = numbered(64).unwrap();
        assert_eq!(postcard::from_bytes::<Tags>(&postcard::to_stdvec(&tags).unwrap()), Ok(tags));
    }

    #[test]
    fn tags_with_equal_text_but_other_pairs_differ() {
        let of = |pairs: &[(&str, &str)]| Tags::new(pairs.iter().copied()).unwrap();
        let tags = of(&[("a", "bc"), ("d", "")]);
        assert_ne!(tags, of(&[("ab", "c"), ("d", "")]));
        assert_ne!(tags, of(&[("a", "bcd")]));
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("a", "bc"), ("d", "")]);
        assert_eq!((tags.get("d"), tags.get("bc"), tags.len(), tags.byte_len()), (Some(""), None, 2, 4));
    }

    /// Also: removing the last tag leaves no tags.
    #[test]
    fn empty_key_is_refused() {
        assert_eq!(Tags::new([("", "v")]), Err(TagsError::EmptyKey));
        assert_eq!(Tags::new([("k", "v")]).unwrap().without("k"), Tags::empty());
    }

    #[test]
    fn only_tags_without_entries_are_empty() {
        let one = Tags::new([("k", "")]).unwrap();
        assert!(!one.is_empty() && one.without("k").is_empty());
        assert!(Tags::empty().is_empty() && numbered(0).unwrap().is_empty());
    }
}
