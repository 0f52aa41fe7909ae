//! The wire format: the messages between members, their bytes, and the bounds of both.

pub(crate) mod buckets;
pub mod codec;
pub(crate) mod error;
pub(crate) mod message;
mod updates;
