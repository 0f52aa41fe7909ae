//! Errors of names and of tags. The cause is always the caller's input. When one of these errors is
//! returned, no state has changed.

use thiserror::Error;

/// A name that is not a DNS label in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    ///
    /// What to do: give the node or cluster a name of 1 to 63 characters.
    #[error("the name is empty; give 1 to 63 characters: a-z, 0-9 and '-'")]
    Empty,
    /// The name is longer than a DNS label may be (RFC 1035, section 2.3.4).
    ///
    /// What to do: choose a shorter name.
    #[error("the name has {len} bytes; a DNS label has at most {max}, so shorten it", max = crate::NAME_LEN_MAX)]
    TooLong {
        /// The length of the name in bytes.
        len: usize,
    },
    /// The name contains a character that is not allowed in a label in lower case.
    ///
    /// What to do: replace the character that the message shows. Names are not folded: write upper
    /// case letters in lower case.
    #[error("the name {name:?} contains {found:?}; allowed are a-z, 0-9 and '-'")]
    BadCharacter {
        /// The name as given.
        name: String,
        /// The first character that is not allowed.
        found: char,
    },
    /// The name begins or ends with a hyphen.
    ///
    /// What to do: remove the hyphen at the edge.
    #[error(
        "the name {name:?} begins or ends with '-'; remove it, a DNS label must not begin or end with '-'"
    )]
    HyphenAtEdge {
        /// The name as given.
        name: String,
    },
}

/// Services that exceed a bound of [`Services`](crate::Services), or a weight out of its range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OfferError {
    /// There are more services than [`Services::ENTRIES_MAX`](crate::Services::ENTRIES_MAX).
    ///
    /// What to do: withdraw services, or offer several of them as one with meta data.
    #[error("the member offers {found} services; at most {max} are allowed, so withdraw some", max = crate::Services::ENTRIES_MAX)]
    TooMany {
        /// The number of services that were given.
        found: usize,
    },
    /// Names, meta data and notes of all services together take more than
    /// [`Services::BYTES_MAX`](crate::Services::BYTES_MAX).
    ///
    /// What to do: shorten the meta data. Keep large data elsewhere, and put a reference to it into
    /// the meta data.
    #[error("the services take {found} bytes; names, meta data and notes together may take at most {max}, so shorten or withdraw some", max = crate::Services::BYTES_MAX)]
    TooLarge {
        /// The number of bytes that they take.
        found: usize,
    },
    /// A weight is out of its range.
    ///
    /// What to do: give 1 to 1,000. The default is 100.
    #[error("the weight is {found}; it must be 1 to {max}", max = crate::Weight::MAX.get())]
    Weight {
        /// The weight that was given.
        found: u16,
    },
    /// The member does not offer a service of this name.
    ///
    /// What to do: offer the service first, or correct the name.
    #[error("this member offers no service named {name}; offer it first, or correct the name")]
    NotOffered {
        /// The name that was given.
        name: crate::ServiceName,
    },
}

/// A part of a [`Coordinate`](crate::Coordinate) that is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CoordinateError {
    /// The position is too far from 0.
    ///
    /// What to do: give -10 s to 10 s in each dimension, in microseconds.
    #[error("the position of a coordinate has {found} µs in a dimension; allowed are -10 s to 10 s")]
    Position {
        /// The number of microseconds in the first such dimension.
        found: i32,
    },
    /// The height is too large.
    ///
    /// What to do: give 0 to 10 s, in microseconds.
    #[error("the height of a coordinate is {found} µs; it must be at most 10 s")]
    Height {
        /// The height in microseconds.
        found: u32,
    },
    /// The relative error is too large.
    ///
    /// What to do: give 0 to 1,500 thousandths.
    #[error("the error of a coordinate is {found} thousandths; it must be at most 1,500")]
    Error {
        /// The error in thousandths.
        found: u16,
    },
}

/// Tags that exceed a bound of [`Tags`](crate::Tags), or that have an empty key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TagsError {
    /// There are more entries than [`Tags::ENTRIES_MAX`](crate::Tags::ENTRIES_MAX).
    ///
    /// What to do: remove tags, or put several values into one tag.
    #[error("the member has {found} tags; at most {max} are allowed, so remove some", max = crate::Tags::ENTRIES_MAX)]
    TooMany {
        /// The number of tags that were given.
        found: usize,
    },
    /// Keys and values together take more than [`Tags::BYTES_MAX`](crate::Tags::BYTES_MAX).
    ///
    /// What to do: shorten or remove tags. Keep large data elsewhere, and put a reference to it
    /// into a tag.
    #[error("the tags take {found} bytes; keys and values together may take at most {max}, so shorten or remove some", max = crate::Tags::BYTES_MAX)]
    TooLarge {
        /// The number of bytes that keys and values take.
        found: usize,
    },
    /// A key has no characters.
    ///
    /// What to do: give the tag a key, or remove it.
    #[error("a tag has an empty key; give it a name")]
    EmptyKey,
}
