//! What the driver has counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kinfolk_swim::SwimStats;

/// Counters of the driver, and those of the machine as of its last step. They only rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GossipStats {
    /// The machine's own.
    pub swim: SwimStats,
    /// Messages handed to the transport.
    pub sent: u64,
    /// Messages taken in.
    pub received: u64,
    /// Messages of our own that the bound of the outbox kept back.
    pub outbox_full: u64,
    /// One-way messages that did not arrive.
    pub undelivered: u64,
    /// Messages that were no message of the protocol.
    pub undecodable: u64,
    /// Requests of peers that the bound on answers declined.
    pub answers_full: u64,
    /// Requests of peers that were never answered by the machine.
    pub unanswered: u64,
}

/// The same, as the driver counts them. Only read for people: the counters need no order among each other.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub sent: AtomicU64,
    pub received: AtomicU64,
    pub outbox_full: AtomicU64,
    pub undelivered: AtomicU64,
    pub undecodable: AtomicU64,
    pub answers_full: AtomicU64,
    pub unanswered: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self, swim: &SwimStats) -> GossipStats {
        GossipStats {
            swim: *swim,
            sent: self.sent.load(Relaxed),
            received: self.received.load(Relaxed),
            outbox_full: self.outbox_full.load(Relaxed),
            undelivered: self.undelivered.load(Relaxed),
            undecodable: self.undecodable.load(Relaxed),
            answers_full: self.answers_full.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
