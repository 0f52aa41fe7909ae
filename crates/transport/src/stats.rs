//! What the transport has done, as numbers. The counters are for people and metrics; no decision reads them, so that
//! they need no ordering among each other.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::traffic::{Counts, SentFor};

/// What happened since the transport was bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Frames sent: requests, answers and messages.
    pub frames_sent: u64,
    /// Frames received.
    pub frames_received: u64,
    /// Bytes of the bodies of frames sent.
    pub body_bytes_sent: u64,
    /// Bytes of the bodies of frames received.
    pub body_bytes_received: u64,
    /// UDP datagrams sent, of connections (handshakes, acknowledgements and repetitions included).
    pub datagrams_sent: u64,
    /// UDP datagrams received, of connections.
    pub datagrams_received: u64,
    /// UDP payload bytes sent in them. IP and UDP headers, 28 bytes a datagram with IPv4, are not counted.
    pub udp_bytes_sent: u64,
    /// UDP payload bytes received in them.
    pub udp_bytes_received: u64,
    /// What was sent, by what it was for. Beside the datagrams of connections it has those of port checks.
    pub sent_for: SentFor,
    /// Requests and messages begun.
    pub requests: u64,
    /// Of these: failed, for whatever reason.
    pub requests_failed: u64,
    /// Of these: failed because the deadline passed.
    pub requests_timed_out: u64,
    /// Requests that crossed the peer's closing of an idle connection and were sent once more.
    pub requests_repeated: u64,
    /// Handshakes that came through, in both directions.
    pub handshakes: u64,
    /// First packets of handshakes that were dropped, because handshakes took longer than a second and so many were under way. The
    /// dialler sends them again by itself.
    pub handshakes_deferred: u64,
    /// Peers, of either side, that this node refused because another authority signed their certificate.
    pub refused_untrusted: u64,
    /// Refused because of the name in their certificate: another cluster, another node, or our own name.
    pub refused_name: u64,
    /// Refused because their certificate is not valid now.
    pub refused_expired: u64,
    /// Refused in the handshake for another reason.
    pub refused_other: u64,
    /// Peers, of either side, that refused this node.
    pub refused_by_peer: u64,
    /// Attempts that were refused because a limit on inbound connections was met.
    pub refused_limit: u64,
    /// Connections that peers opened and that the pool had no room to take up: they only serve the peer's requests.
    pub unpooled: u64,
    /// Messages that were refused because the application's queue was full.
    pub inbox_full: u64,
    /// Streams of applications that this node opened and the peer took.
    pub streams_opened: u64,
    /// Streams of applications that peers opened and that this node took.
    pub streams_accepted: u64,
    /// Streams of applications that this node refused: the service is unknown, its backlog is full, or the peer has too
    /// many.
    pub streams_refused: u64,
    /// Streams that were reset because what came on them is no frame, or did not come in time.
    pub bad_streams: u64,
}

/// What the endpoints' own tasks count, at each datagram. It has cache lines to itself (two, as processors fetch them in
/// pairs), so that counting here does not take away the lines that each request counts on.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Udp {
    pub(crate) datagrams_sent: AtomicU64,
    pub(crate) datagrams_received: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
}

/// Declares the counters and how [`TransportStats`] is read from them, from one list.
macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        /// The counters behind [`TransportStats`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            pub(crate) udp: Udp,
            pub(crate) sent_for: Counts,
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn stats(&self) -> TransportStats {
                TransportStats {
                    sent_for: self.sent_for.read(),
                    datagrams_sent: self.udp.datagrams_sent.load(Relaxed),
                    datagrams_received: self.udp.datagrams_received.load(Relaxed),
                    udp_bytes_sent: self.udp.bytes_sent.load(Relaxed),
                    udp_bytes_received: self.udp.bytes_received.load(Relaxed),
                    $($name: self.$name.load(Relaxed),)*
                }
            }
        }
    };
}

counters!(
    frames_sent,
    frames_received,
    body_bytes_sent,
    body_bytes_received,
    requests,
    requests_failed,
    requests_timed_out,
    requests_repeated,
    handshakes,
    handshakes_deferred,
    refused_untrusted,
    refused_name,
    refused_expired,
    refused_other,
    refused_by_peer,
    refused_limit,
    unpooled,
    inbox_full,
    streams_opened,
    streams_accepted,
    streams_refused,
    bad_streams,
);

impl Counters {
    pub(crate) fn frame_sent(&self, body_bytes: usize) {
        add(&self.frames_sent, 1);
        add(&self.body_bytes_sent, body_bytes as u64);
    }

    pub(crate) fn frame_received(&self, body_bytes: usize) {
        add(&self.frames_received, 1);
        add(&self.body_bytes_received, body_bytes as u64);
    }
}

pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
