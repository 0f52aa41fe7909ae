//! What can be wrong with a name or with tags. All of it is the caller's input; no state has changed when one is returned.

use thiserror::Error;

/// A name that is no DNS label in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no character.
    #[error("the name is empty: give 1 to 63 characters out of a-z, 0-9 and '-'")]
    Empty,
    /// The name is longer than a DNS label may be.
    #[error("the name has {len} characters: a DNS label has 63 at the most")]
    TooLong {
        /// How many bytes the name has.
        len: usize,
    },
    /// The name holds a character that a label in lower case may not hold.
    #[error("the name {name:?} holds {found:?}: only a-z, 0-9 and '-' may stand in it")]
    BadCharacter {
        /// The name as given.
        name: String,
        /// The first such character.
        found: char,
    },
    /// The name begins or ends with a hyphen.
    #[error("the name {name:?} begins or ends with '-': a DNS label may not")]
    HyphenAtEdge {
        /// The name as given.
        name: String,
    },
}

/// Tags that are over a bound of [`Tags`](crate::Tags).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TagsError {
    /// More entries than [`Tags::ENTRIES_MAX`](crate::Tags::ENTRIES_MAX).
    #[error("{found} tags: a member has {max} at the most", max = crate::Tags::ENTRIES_MAX)]
    TooMany {
        /// How many there were.
        found: usize,
    },
    /// Keys and values together take more than [`Tags::BYTES_MAX`](crate::Tags::BYTES_MAX).
    #[error("the tags take {found} bytes: keys and values together may take {max}", max = crate::Tags::BYTES_MAX)]
    TooLarge {
        /// How many bytes they take.
        found: usize,
    },
    /// A key of no characters.
    #[error("a tag has an empty key: name it")]
    EmptyKey,
}
