//! The traffic class of bytes. Operators ask what a node's traffic consists of, so each byte is
//! counted by class.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The *traffic class* of a request or a message: its purpose, as its sender states it.
///
/// It is part of the protocol: the first byte of a request contains it, so that both sides count
/// the answer in the same class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Traffic {
    /// All other traffic.
    #[default]
    Other = 0,
    /// Probes: whether a node is alive.
    Probe = 1,
    /// Gossip updates that a message carries by itself.
    Gossip = 2,
    /// Anti-entropy: digests and exchanges of views.
    AntiEntropy = 3,
}

impl Traffic {
    /// Reads the class from its number. A class of a later version reads as [`Other`](Self::Other).
    pub(crate) const fn of_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Probe,
            2 => Self::Gossip,
            3 => Self::AntiEntropy,
            // A later version may add a class. It only selects a counter, so it is not an error.
            _ => Self::Other,
        }
    }
}

/// The use of a connection's latest bytes. QUIC's own packets count for the use before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Use {
    Handshake,
    Other,
    Probe,
    Gossip,
    AntiEntropy,
    /// An application stream.
    Application,
}

impl Use {
    const COUNT: usize = 6;

    pub(crate) const fn of_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Handshake,
            2 => Self::Probe,
            3 => Self::Gossip,
            4 => Self::AntiEntropy,
            5 => Self::Application,
            _ => Self::Other,
        }
    }
}

impl From<Traffic> for Use {
    fn from(traffic: Traffic) -> Self {
        match traffic {
            Traffic::Other => Self::Other,
            Traffic::Probe => Self::Probe,
            Traffic::Gossip => Self::Gossip,
            Traffic::AntiEntropy => Self::AntiEntropy,
        }
    }
}

/// Datagrams, and the UDP payload bytes in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// The number of datagrams.
    pub datagrams: u64,
    /// The bytes in all of them, without IP and UDP headers.
    pub bytes: u64,
}

/// What was sent, by traffic class.
///
/// QUIC's own packets (acknowledgements, retransmissions, keys) count for the last use of their
/// connection, because QUIC does not say for what it sends them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentFor {
    /// New connections, until their first use.
    pub handshake: Volume,
    /// Probes and their answers, with the gossip updates that they piggyback.
    pub probe: Volume,
    /// Gossip updates that go in messages of their own.
    pub gossip: Volume,
    /// Anti-entropy rounds and exchanges of views.
    pub anti_entropy: Volume,
    /// Port checks.
    pub port_check: Volume,
    /// Application streams.
    pub application: Volume,
    /// Joins, and requests of programs that use only the transport.
    pub other: Volume,
}

/// What was received on connections, by traffic class. (What comes back after a port check is a
/// report of the system, and no datagram.)
///
/// The receiver learns the class from the first byte of a request, after the datagrams have
/// arrived. So a connection collects what arrives, and counts it when a request or an answer is
/// complete, when this node starts a request, or when it closes. QUIC's own packets count for what
/// comes next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedFor {
    /// New connections, until the handshake is confirmed.
    pub handshake: Volume,
    /// Probes and their answers, with the gossip updates that they piggyback.
    pub probe: Volume,
    /// Gossip updates that go in messages of their own.
    pub gossip: Volume,
    /// Anti-entropy rounds and exchanges of views.
    pub anti_entropy: Volume,
    /// Application streams.
    pub application: Volume,
    /// Joins, and requests of programs that use only the transport.
    pub other: Volume,
}

/// A counter of datagrams and their bytes.
#[derive(Debug, Default)]
pub(crate) struct Count {
    datagrams: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    /// Adds one datagram.
    pub(crate) fn add(&self, bytes: u64) {
        self.datagrams.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// Adds all that `other` has, and empties it. Two callers at a time add each datagram once.
    pub(crate) fn take_from(&self, other: &Self) {
        self.datagrams.fetch_add(other.datagrams.swap(0, Relaxed), Relaxed);
        self.bytes.fetch_add(other.bytes.swap(0, Relaxed), Relaxed);
    }

    fn read(&self) -> Volume {
        Volume { datagrams: self.datagrams.load(Relaxed), bytes: self.bytes.load(Relaxed) }
    }
}

/// The counters of one direction.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    by_use: [Count; Use::COUNT],
    /// Port checks are sent, and never received.
    pub(crate) port_checks: Count,
}

impl Counts {
    pub(crate) fn of(&self, of: Use) -> &Count {
        &self.by_use[of as usize]
    }

    pub(crate) fn read_received(&self) -> ReceivedFor {
        let of = |of| self.of(of).read();
        ReceivedFor {
            handshake: of(Use::Handshake),
            probe: of(Use::Probe),
            gossip: of(Use::Gossip),
            anti_entropy: of(Use::AntiEntropy),
            application: of(Use::Application),
            other: of(Use::Other),
        }
    }

    pub(crate) fn read_sent(&self) -> SentFor {
        let of = |of| self.of(of).read();
        SentFor {
            handshake: of(Use::Handshake),
            probe: of(Use::Probe),
            gossip: of(Use::Gossip),
            anti_entropy: of(Use::AntiEntropy),
            port_check: self.port_checks.read(),
            application: of(Use::Application),
            other: of(Use::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_class_reads_as_other() {
        for traffic in [Traffic::Other, Traffic::Probe, Traffic::Gossip, Traffic::AntiEntropy] {
            assert_eq!(Traffic::of_byte(traffic as u8), traffic);
            let of = Use::from(traffic);
            assert_eq!(Use::of_byte(of as u8), of);
        }
        assert_eq!(Traffic::of_byte(4), Traffic::Other);
        for of in [Use::Handshake, Use::Application] {
            assert_eq!(Use::of_byte(of as u8), of);
        }
    }

    #[test]
    fn each_use_has_its_own_counter() {
        let counts = Counts::default();
        counts.of(Use::Probe).add(60);
        counts.of(Use::Probe).add(40);
        counts.port_checks.add(1);
        let expected = SentFor {
            probe: Volume { datagrams: 2, bytes: 100 },
            port_check: Volume { datagrams: 1, bytes: 1 },
            ..SentFor::default()
        };
        assert_eq!(counts.read_sent(), expected);
    }

    #[test]
    fn collected_datagrams_are_counted_once() {
        let (counts, collected) = (Counts::default(), Count::default());
        collected.add(60);
        collected.add(40);
        counts.of(Use::Gossip).take_from(&collected);
        counts.of(Use::Probe).take_from(&collected);
        let expected = ReceivedFor { gossip: Volume { datagrams: 2, bytes: 100 }, ..ReceivedFor::default() };
        assert_eq!(counts.read_received(), expected);
    }
}
