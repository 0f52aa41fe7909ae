//! A choice and the reason for it.

use std::fmt;
use std::time::Duration;

use crate::instance::Instance;

/// The instance that a strategy has chosen, and the reason. It borrows from the pool, so that a
/// choice allocates nothing. `Display` explains the choice in one sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice<'a> {
    /// The instance.
    pub instance: &'a Instance,
    /// The reason.
    pub why: Why,
    /// The number of instances from which the strategy could choose.
    pub of: usize,
    /// Whether the pool is in panic: too few instances are well, so the pool holds the others too.
    pub panic: bool,
}

/// Why a strategy has chosen an instance.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Why {
    /// It was its turn.
    RoundRobin,
    /// By chance. All instances have the same probability.
    Random,
    /// By chance, with a probability in proportion to its weight.
    Weighted {
        /// Its weight.
        weight: u16,
        /// The sum of all weights.
        total: u64,
    },
    /// It has at most as many requests in flight as the other one of two instances that were drawn
    /// by weight.
    LeastLoaded {
        /// Its requests in flight.
        load: u32,
        /// The requests in flight at the other instance.
        other: u32,
    },
    /// By chance among the nearest instance and those that are nearly as near.
    Nearest {
        /// The round-trip time to it; `None` if none is known for any instance.
        rtt: Option<Duration>,
        /// The number of instances within the margin, with the nearest one.
        equals: usize,
    },
    /// It holds the key.
    Key {
        /// Its rank among the instances for this key: 0 for the first.
        rank: usize,
    },
    /// It holds the key now, because the instances before it have no room.
    KeyBounded {
        /// Its rank among the instances for this key.
        rank: usize,
        /// Its requests in flight.
        load: u32,
        /// The largest number of requests in flight that it may have now.
        bound: u32,
    },
}

impl fmt::Display for Choice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, why, of, panic } = self;
        write!(f, "{} at {}: ", instance.node, instance.addr)?;
        match why {
            Why::RoundRobin => write!(f, "its turn among {of}"),
            Why::Random => write!(f, "by chance among {of}"),
            Why::Weighted { weight, total } => {
                write!(f, "by chance among {of}, with weight {weight} of {total}")
            }
            Why::LeastLoaded { load, other } => {
                write!(f, "{load} requests in flight, and {other} at the other of two drawn from {of}")
            }
            Why::Nearest { rtt: Some(rtt), equals } => {
                write!(f, "round trip of {rtt:?}, by chance among {equals} near ones of {of}")
            }
            Why::Nearest { rtt: None, equals } => {
                write!(f, "no round trip is known, by chance among {equals} of {of}")
            }
            Why::Key { rank } => write!(f, "number {} of {of} for the key", rank + 1),
            Why::KeyBounded { rank, load, bound } => {
                let rank = rank + 1;
                write!(
                    f,
                    "number {rank} of {of} for the key, with {load} of at most {bound} requests in flight"
                )
            }
        }?;
        if *panic { f.write_str("; too few instances are well, so all count") } else { Ok(()) }
    }
}
