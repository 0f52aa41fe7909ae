//! The counters of the driver.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kinfolk_core::Fill;
use kinfolk_swim::SwimStats;

/// The counters of the driver, its queues now, and the counters of the machine after its last step.
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
    /// Received messages of a kind that only a later version has.
    pub unknown_kinds: u64,
    /// Signatures that were checked and matched.
    pub signatures: u64,
    /// Messages with a forged statement. Each was refused as a whole.
    pub forged: u64,
    /// Statements that were left out of a message: their certificate was missing, or is not valid
    /// now.
    pub unverifiable: u64,
    /// Messages that were dropped before their verification, because their sender had used up its
    /// share of it.
    pub unverified_dropped: u64,
    /// Certificates that this member received from others than their owners.
    pub certificates_fetched: u64,
    /// Requests of peers that were declined because too many answers were pending.
    pub answers_full: u64,
    /// Requests of peers that the machine never answered.
    pub unanswered: u64,
    /// The queues of the driver.
    pub queues: GossipQueues,
}

/// How full the queues of the driver are. [`GossipConfig`](crate::GossipConfig) has their bounds,
/// and what happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GossipQueues {
    /// Messages of this member that are on their way.
    pub outbox: Fill,
    /// Answers to peers that are on their way.
    pub answers: Fill,
    /// Calls of the application that wait for the driver.
    pub calls: Fill,
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
    pub unknown_kinds: AtomicU64,
    pub signatures: AtomicU64,
    pub forged: AtomicU64,
    pub unverifiable: AtomicU64,
    pub unverified_dropped: AtomicU64,
    pub certificates_fetched: AtomicU64,
    pub answers_full: AtomicU64,
    pub unanswered: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self, swim: &SwimStats, queues: GossipQueues) -> GossipStats {
        GossipStats {
            swim: *swim,
            queues,
            sent: self.sent.load(Relaxed),
            received: self.received.load(Relaxed),
            outbox_full: self.outbox_full.load(Relaxed),
            undelivered: self.undelivered.load(Relaxed),
            undecodable: self.undecodable.load(Relaxed),
            unknown_kinds: self.unknown_kinds.load(Relaxed),
            signatures: self.signatures.load(Relaxed),
            forged: self.forged.load(Relaxed),
            unverifiable: self.unverifiable.load(Relaxed),
            unverified_dropped: self.unverified_dropped.load(Relaxed),
            certificates_fetched: self.certificates_fetched.load(Relaxed),
            answers_full: self.answers_full.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
