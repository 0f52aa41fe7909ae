//! What a connection is for. Requests and the streams of applications go over different connections, so that a stream
//! that is not read, or that fills the path, takes nothing from a probe to the same peer (`docs/decisions/0005`).

use kinfolk_core::NodeId;

/// What a connection to a peer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Lane {
    /// Requests and messages, in both directions: one connection serves both ends.
    Requests,
    /// Streams that programs of this node open.
    StreamsOut,
    /// Streams that programs of the peer open. Only the peer dials it.
    StreamsIn,
}

impl Lane {
    /// Whether it carries the streams of applications.
    pub const fn is_streams(self) -> bool {
        matches!(self, Self::StreamsOut | Self::StreamsIn)
    }
}

/// A peer and what a connection to it is for.
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
