//! The error codes that tell the peer why this node ends a connection or a stream.
//!
//! They are part of the protocol: a number keeps its meaning in all releases.

use s2n_quic::application;

use crate::pool::CloseReason;
use crate::request::Rejection;

/// Why this node closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum CloseCode {
    /// The closing node has nothing in flight on the connection.
    ///
    /// A request that crosses this close was not processed: while a node serves a request, the
    /// connection counts as in use. The same holds for `Superseded` and `Unresponsive`. So the
    /// requester may send the request again.
    Unused = 0,
    /// The closing node leaves the cluster.
    Leave = 1,
    /// Another connection between the two nodes replaces this one.
    Superseded = 2,
    /// The peer acknowledged nothing on the connection for too long after it was asked.
    Unresponsive = 3,
    /// The dialler expected another node at this address.
    WrongPeer = 4,
    /// The peer's certificate carries the name of the closing node itself.
    OwnName = 5,
    /// The name in the peer's certificate is not valid, or belongs to another cluster.
    BadName = 6,
    /// The closing node's program stopped without leaving the cluster.
    Stopped = 7,
    /// The requests on a superseded or unresponsive connection did not end within `drain_timeout`.
    Overdue = 8,
    /// The closing node has no room for another connection on this lane.
    NoRoom = 9,
    /// The peer's certificate has expired since the handshake.
    Expired = 10,
    /// An authority has revoked the peer's certificate.
    Revoked = 11,
}

impl CloseCode {
    const ALL: [Self; 12] = [
        Self::Unused,
        Self::Leave,
        Self::Superseded,
        Self::Unresponsive,
        Self::WrongPeer,
        Self::OwnName,
        Self::BadName,
        Self::Stopped,
        Self::Overdue,
        Self::NoRoom,
        Self::Expired,
        Self::Revoked,
    ];

    /// The code in a peer's close. `None` for a code that only a later release knows.
    pub(super) fn from_error(error: application::Error) -> Option<Self> {
        let value = u64::from(error);
        Self::ALL.into_iter().find(|code| u64::from(*code as u32) == value)
    }

    /// The reason in words, for the error and the log of the node that receives the code.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Unused => "nothing was in flight on it",
            Self::Leave => "the node leaves the cluster",
            Self::Superseded => "another connection replaced it",
            Self::Unresponsive => "no packet on it was acknowledged for too long",
            Self::WrongPeer => "the dialler expected another node at this address",
            Self::OwnName => "both nodes have the same name; each needs a certificate of its own",
            Self::BadName => {
                "the name in the certificate is not one of this cluster; issue a certificate for it"
            }
            Self::Stopped => "the program has stopped",
            Self::Overdue => "the requests on it did not end in time",
            Self::NoRoom => "it has no room for another connection of this kind",
            Self::Revoked => "this node's certificate is revoked; issue a new one if it is to come back",
            Self::Expired => "this node's certificate has expired; renew it",
        }
    }
}

impl From<CloseCode> for application::Error {
    fn from(code: CloseCode) -> Self {
        (code as u32).into()
    }
}

impl From<CloseReason> for CloseCode {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Idle | CloseReason::Evicted | CloseReason::Dead => Self::Unused,
            CloseReason::Superseded => Self::Superseded,
            CloseReason::Unresponsive => Self::Unresponsive,
            CloseReason::Overdue => Self::Overdue,
            CloseReason::Shutdown => Self::Leave,
        }
    }
}

/// Why this node resets a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum StreamCode {
    /// The application gives no answer to the request.
    NoReply = 16,
    /// The queue for frames, or the backlog of the service, is full.
    Busy = 17,
    /// The frame is longer than `frame_bytes_max`.
    TooLarge = 18,
    /// The bytes are not a valid frame, or the stream may not carry this kind.
    Unreadable = 19,
    /// The frame was not complete within `frame_timeout`.
    TooSlow = 20,
    /// No program on this node accepts the service.
    UnknownService = 21,
    /// The peer has `app_streams_max` streams to services of this node already.
    TooManyStreams = 22,
    /// The program dropped its half of the stream before the end.
    GivenUp = 23,
}

/// The meaning of a peer's reset of a stream.
pub(super) enum Reset {
    NoReply,
    Rejected(Rejection),
}

impl Reset {
    /// Reads the code of a reset. An unknown code counts as `NoReply`, which accuses nobody.
    pub(super) fn from_error(error: application::Error) -> Self {
        let is = |code: StreamCode| u64::from(error) == u64::from(code as u32);
        if is(StreamCode::Busy) {
            Self::Rejected(Rejection::Busy)
        } else if is(StreamCode::TooLarge) {
            Self::Rejected(Rejection::TooLarge)
        } else if is(StreamCode::Unreadable) {
            Self::Rejected(Rejection::Unreadable)
        } else if is(StreamCode::TooSlow) {
            Self::Rejected(Rejection::TooSlow)
        } else if is(StreamCode::UnknownService) {
            Self::Rejected(Rejection::UnknownService)
        } else if is(StreamCode::TooManyStreams) {
            Self::Rejected(Rejection::TooManyStreams)
        } else {
            Self::NoReply
        }
    }
}

impl From<StreamCode> for application::Error {
    fn from(code: StreamCode) -> Self {
        (code as u32).into()
    }
}
