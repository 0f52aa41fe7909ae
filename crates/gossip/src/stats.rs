//! The counters of the driver.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kinfolk_swim::SwimStats;

/// The counters of the driver, and the counters of the machine after its last step. They only rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GossipStats {
    /// The counters of the machine.
    pub swim: SwimStats,
    /// Messages handed to the transport.
    pub sent: u64,
    /// Messages received and decoded.
    pub received: u64,
    /// Messages of this member that were not sent because the outbox was full.
    pub outbox_full: u64,
    /// One-way messages that the transport could not deliver.
    pub undelivered: u64,
    /// Received frames that are not a valid message of the protocol.
    pub undecodable: u64,
    /// Requests of peers that were declined because too many answers were pending.
    pub answers_full: u64,
    /// Requests of peers that the machine never answered.
    pub unanswered: u64,
}

/// The counters of [`GossipStats`], shared by the driver and its tasks.
///
/// All accesses are relaxed: no code decides anything by these values, so their order among each
/// other does not matter.
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
