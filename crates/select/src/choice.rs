//! A choice and the reason for it.

use std::fmt;
use std::time::Duration;

use crate::instance::Instance;

/// The instance that a strategy has chosen, and why. It borrows from the pool; making it allocates
/// nothing. `Display` explains it in one sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice<'a> {
    /// The instance.
    pub instance: &'a Instance,
    /// Why this one.
    pub why: Why,
    /// How many instances the strategy could choose from.
    pub of: usize,
    /// Whether the pool is in panic: too few instances are well, so that all of them count.
    pub panic: bool,
}

/// Why a strategy has chosen an instance.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Why {
    /// It was its turn.
    RoundRobin,
    /// By chance, each with the same probability.
    Random,
    /// By chance, by its weight.
    Weighted {
        /// Its weight.
        weight: u16,
        /// The sum of all weights.
        total: u64,
    },
    /// It has fewer requests in flight, for its weight, than the other of two that were drawn by
    /// chance.
    LeastLoaded {
        /// Its requests in flight.
        load: u32,
        /// Those of the other one.
        other: u32,
    },
    /// It is the nearest, or among those that are nearly as near.
    Nearest {
        /// The round-trip time to it; `None` if none is known for any instance.
        rtt: Option<Duration>,
        /// How many are within the margin of the nearest, itself included.
        equals: usize,
    },
    /// It holds the key.
    Key {
        /// Its place among the members for this key: 0 for the first.
        rank: usize,
    },
    /// It holds the key, as members before it are full.
    KeyBounded {
        /// Its place among the members for this key.
        rank: usize,
        /// Its requests in flight.
        load: u32,
        /// The most that it may have now.
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
