//! The counters of the transport. They are for people and metrics. No decision reads them, so they
//! need no ordering among each other.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kinfolk_core::Fill;

use crate::traffic::{Counts, ReceivedFor, SentFor};

/// What happened since the transport was bound, and its inbox now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Frames sent: requests, answers, and messages.
    pub frames_sent: u64,
    /// Frames received.
    pub frames_received: u64,
    /// Bytes in the bodies of sent frames.
    pub body_bytes_sent: u64,
    /// Bytes in the bodies of received frames.
    pub body_bytes_received: u64,
    /// UDP datagrams sent on connections, with handshakes, acknowledgements, and retransmissions.
    pub datagrams_sent: u64,
    /// UDP datagrams received on connections.
    pub datagrams_received: u64,
    /// UDP payload bytes sent in these datagrams. IP and UDP headers are not counted (28 bytes a
    /// datagram with IPv4).
    pub udp_bytes_sent: u64,
    /// UDP payload bytes received in these datagrams.
    pub udp_bytes_received: u64,
    /// What was sent, by traffic class. It contains the datagrams of connections and those of port
    /// checks.
    pub sent_for: SentFor,
    /// What was received on connections, by traffic class. It lacks what open connections have
    /// collected since their last request.
    pub received_for: ReceivedFor,
    /// Requests and messages started.
    pub requests: u64,
    /// Of these: failed, for any reason.
    pub requests_failed: u64,
    /// Of these: failed because the deadline passed.
    pub requests_timed_out: u64,
    /// Requests that arrived just after the peer had closed the idle connection, and that this node
    /// sent once more.
    pub requests_repeated: u64,
    /// How often the certificate or the authorities of this node were replaced.
    pub rotations: u64,
    /// Connections that were replaced after that.
    pub rotated_connections: u64,
    /// Handshakes that succeeded, in both directions.
    pub handshakes: u64,
    /// First handshake packets that this node dropped, because handshakes took longer than a second
    /// and as many as the window allows were in progress. The dialler sends such a packet again.
    pub handshakes_deferred: u64,
    /// Peers, in both directions, that this node refused because another authority signed their
    /// certificate.
    pub refused_untrusted: u64,
    /// Peers that this node refused because of the name in their certificate: another cluster,
    /// another node, or this node's own name.
    pub refused_name: u64,
    /// Peers that this node refused because their certificate is not valid now, and connections
    /// that it closed because the peer's certificate expired.
    pub refused_expired: u64,
    /// Peers that this node refused in the handshake for another reason.
    pub refused_other: u64,
    /// Peers, in both directions, that refused this node.
    pub refused_by_peer: u64,
    /// Connection attempts that this node refused at a limit on inbound connections.
    pub refused_limit: u64,
    /// Connections that peers opened and that the pool did not adopt, because it was full. They
    /// serve only the peer's requests.
    pub unpooled: u64,
    /// Messages that this node refused because the application's queue was full.
    pub inbox_full: u64,
    /// Application streams that this node opened and the peer accepted.
    pub streams_opened: u64,
    /// Application streams that peers opened and this node accepted.
    pub streams_accepted: u64,
    /// Application streams that this node refused: the service is unknown, its backlog is full, or
    /// the peer has too many streams.
    pub streams_refused: u64,
    /// Streams that this node rejected: an invalid frame, a frame that did not arrive in time, a
    /// stream kind on the wrong connection, or more kept streams than a peer may hold unused.
    pub bad_streams: u64,
    /// Messages and requests of peers that wait for the application.
    pub inbox: Fill,
}

/// The counters that the tasks of the endpoints write for each datagram.
///
/// They have cache lines of their own (two, because processors fetch lines in pairs). Otherwise
/// each datagram would take away the cache lines of the counters that each request writes.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Udp {
    pub(crate) datagrams_sent: AtomicU64,
    pub(crate) datagrams_received: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
}

/// Declares the counters, and the function that reads [`TransportStats`] from them, from one list.
/// With one list no counter can be forgotten.
macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        /// The counters behind [`TransportStats`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            pub(crate) udp: Udp,
            pub(crate) sent_for: Counts,
            pub(crate) received_for: Counts,
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn stats(&self, inbox: Fill) -> TransportStats {
                TransportStats {
                    inbox,
                    sent_for: self.sent_for.read_sent(),
                    received_for: self.received_for.read_received(),
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
    rotations,
    rotated_connections,
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
