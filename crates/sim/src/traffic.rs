//! Counts what a node, or all nodes, sent and received. It does not look into messages.

use std::iter::Sum;
use std::ops::Sub;

/// Counters of messages, both requests and replies. Lost messages count where they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Messages sent.
    pub messages_sent: u64,
    /// Their encoded bytes, without the overhead of QUIC.
    pub bytes_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Their encoded bytes.
    pub bytes_received: u64,
    /// Messages received and dropped, because a statement in them does not verify.
    pub messages_refused: u64,
}

impl Traffic {
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.messages_sent += 1;
        self.bytes_sent += bytes as u64;
    }

    pub(crate) fn received(&mut self, bytes: usize) {
        self.messages_received += 1;
        self.bytes_received += bytes as u64;
    }
}

impl Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            messages_sent: sum.messages_sent + one.messages_sent,
            bytes_sent: sum.bytes_sent + one.bytes_sent,
            messages_received: sum.messages_received + one.messages_received,
            bytes_received: sum.bytes_received + one.bytes_received,
            messages_refused: sum.messages_refused + one.messages_refused,
        })
    }
}

/// The difference from an earlier count.
impl Sub for Traffic {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self {
            messages_sent: self.messages_sent - earlier.messages_sent,
            bytes_sent: self.bytes_sent - earlier.bytes_sent,
            messages_received: self.messages_received - earlier.messages_received,
            bytes_received: self.bytes_received - earlier.bytes_received,
            messages_refused: self.messages_refused - earlier.messages_refused,
        }
    }
}
