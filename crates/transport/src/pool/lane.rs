//! The *lane* of a connection: what it is used for. Requests and application streams use different
//! connections. Otherwise a stream that is not read, or that fills the path, delays a probe to the
//! same peer (`docs/decisions/0005`).

use kinfolk_core::NodeId;

/// What a connection to a peer is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Lane {
    /// Requests and messages, in both directions: one connection serves both ends.
    Requests,
    /// Streams that programs of this node open.
    StreamsOut,
    /// Streams that programs of the peer open. Only the peer dials this connection.
    StreamsIn,
}

impl Lane {
    /// Whether the lane carries application streams.
    pub const fn is_streams(self) -> bool {
        matches!(self, Self::StreamsOut | Self::StreamsIn)
    }
}

/// A peer, and the lane of a connection to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route<'a> {
    pub(crate) peer: &'a NodeId,
    pub(crate) lane: Lane,
}

impl<'a> Route<'a> {
    pub(crate) const fn new(peer: &'a NodeId, lane: Lane) -> Self {
        Self { peer, lane }
    }
}
