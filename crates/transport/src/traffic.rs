//! What bytes are for, so that it can be counted: people ask what a node's traffic consists of.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a request or a message is for, as its sender says. Part of the protocol: it stands in the first byte of a request, so that
/// the answer is counted for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Traffic {
    /// Anything else.
    #[default]
    Other = 0,
    /// Whether a node is alive.
    Probe = 1,
    /// News.
    Gossip = 2,
    /// Comparisons and exchanges of what nodes know.
    Comparison = 3,
}

impl Traffic {
    /// Reads it from the byte. One that a later release knows is [`Other`](Self::Other) here.
    pub(crate) const fn of_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Probe,
            2 => Self::Gossip,
            3 => Self::Comparison,
            _ => Self::Other,
        }
    }
}

/// What the latest bytes on a connection are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Use {
    Handshake,
    Other,
    Probe,
    Gossip,
    Comparison,
    /// A stream of an application.
    Application,
}

impl Use {
    const COUNT: usize = 6;

    pub(crate) const fn of_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Handshake,
            2 => Self::Probe,
            3 => Self::Gossip,
            4 => Self::Comparison,
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
            Traffic::Comparison => Self::Comparison,
        }
    }
}

/// Datagrams, and the UDP payload bytes in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many.
    pub datagrams: u64,
    /// How many bytes in all of them, without IP and UDP headers.
    pub bytes: u64,
}

/// What was sent, by what it was for. QUIC's own packets (acknowledgements, repetitions, keys) count for what their connection was
/// last used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentFor {
    /// New connections, until their first use.
    pub handshake: Sent,
    /// Probes and their answers, with what rides on them.
    pub probe: Sent,
    /// News that goes by itself.
    pub gossip: Sent,
    /// Comparisons and exchanges of views.
    pub comparison: Sent,
    /// Checks whether anybody listens at a port.
    pub port_check: Sent,
    /// Streams of applications.
    pub application: Sent,
    /// Joins, and requests of programs that use the transport alone.
    pub other: Sent,
}

/// A counter of datagrams.
#[derive(Debug, Default)]
pub(crate) struct Count {
    datagrams: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    pub(crate) fn add(&self, bytes: u64) {
        self.datagrams.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn read(&self) -> Sent {
        Sent { datagrams: self.datagrams.load(Relaxed), bytes: self.bytes.load(Relaxed) }
    }
}

/// The counters behind [`SentFor`].
#[derive(Debug, Default)]
pub(crate) struct Counts {
    by_use: [Count; Use::COUNT],
    pub(crate) port_checks: Count,
}

impl Counts {
    pub(crate) fn of(&self, of: Use) -> &Count {
        &self.by_use[of as usize]
    }

    pub(crate) fn read(&self) -> SentFor {
        let of = |of| self.of(of).read();
        SentFor {
            handshake: of(Use::Handshake),
            probe: of(Use::Probe),
            gossip: of(Use::Gossip),
            comparison: of(Use::Comparison),
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
    fn a_byte_reads_back_and_an_unknown_one_is_anything_else() {
        for traffic in [Traffic::Other, Traffic::Probe, Traffic::Gossip, Traffic::Comparison] {
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
    fn each_use_has_a_counter_of_its_own() {
        let counts = Counts::default();
        counts.of(Use::Probe).add(60);
        counts.of(Use::Probe).add(40);
        counts.port_checks.add(1);
        let expected = SentFor {
            probe: Sent { datagrams: 2, bytes: 100 },
            port_check: Sent { datagrams: 1, bytes: 1 },
            ..SentFor::default()
        };
        assert_eq!(counts.read(), expected);
    }
}
