//! The numbers with which one side tells the other why it ends a connection or a stream. Part of the protocol.

use s2n_quic::application;

use crate::pool::CloseReason;
use crate::request::Rejection;

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum CloseCode {
    /// Nothing was in flight on it, as this side sees it. A request that crosses this close was not taken up: while a
    /// request is served, its connection is in use. The same is true of `Superseded` and `Doubtful`.
    Unused = 0,
    /// The node leaves the cluster.
    Leave = 1,
    /// Another connection between the two is preferred.
    Superseded = 2,
    /// A request on it timed out.
    Doubtful = 3,
    /// The dialler wanted another node.
    WrongPeer = 4,
    /// The certificate carries the name of the very node that it is shown to.
    OwnName = 5,
    /// The certificate's name cannot be read, or is of another cluster.
    BadName = 6,
    /// The program has stopped without leaving.
    Stopped = 7,
    /// The requests on a superseded or doubtful connection did not end in time.
    Overdue = 8,
    /// The node has no room for one more connection of this kind.
    NoRoom = 9,
}

impl CloseCode {
    const ALL: [Self; 10] = [
        Self::Unused,
        Self::Leave,
        Self::Superseded,
        Self::Doubtful,
        Self::WrongPeer,
        Self::OwnName,
        Self::BadName,
        Self::Stopped,
        Self::Overdue,
        Self::NoRoom,
    ];

    pub(super) fn from_error(error: application::Error) -> Option<Self> {
        let value = u64::from(error);
        Self::ALL.into_iter().find(|code| u64::from(*code as u32) == value)
    }

    /// The reason in words, as the other side is to read it.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Unused => "nothing was in flight on it",
            Self::Leave => "the node leaves the cluster",
            Self::Superseded => "another connection took its place",
            Self::Doubtful => "a request on it timed out",
            Self::WrongPeer => "another node was expected at this address",
            Self::OwnName => "both nodes have the same name; each needs a certificate of its own",
            Self::BadName => "the name in the certificate is not one of this cluster",
            Self::Stopped => "the program has stopped",
            Self::Overdue => "the requests on it did not end in time",
            Self::NoRoom => "it has no room for one more connection of this kind",
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
            CloseReason::Doubtful => Self::Doubtful,
            CloseReason::Overdue => Self::Overdue,
            CloseReason::Shutdown => Self::Leave,
        }
    }
}

/// Why a stream is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum StreamCode {
    /// There is no answer to the request.
    NoReply = 16,
    /// The queue is full.
    Busy = 17,
    /// The frame is over the limit.
    TooLarge = 18,
    /// What came is no frame.
    Unreadable = 19,
    /// The frame did not come in time.
    TooSlow = 20,
    /// Nobody accepts the service that the stream is for.
    UnknownService = 21,
    /// The peer has its number of streams to services already.
    TooManyStreams = 22,
    /// The program let go of its half of the stream.
    GivenUp = 23,
}

/// What a peer's reset of a stream means.
pub(super) enum Reset {
    NoReply,
    Rejected(Rejection),
}

impl Reset {
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
