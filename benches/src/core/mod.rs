//! Measures the pure crates: registry, codec, gossip queue, phi, and protocol machine. Where the
//! number of members matters, it is 1,000 and 10,000. No I/O, one thread.

mod codec;
mod expectations;
mod group;
mod machine;
mod phi;
mod queue;
mod registry;
mod report;
mod signed;

pub use expectations::Expectation;
pub use report::{FULL, QUICK, Report};

use crate::case::Case;

/// The sizes of the measured groups.
pub const MEMBERS: [usize; 2] = [1_000, 10_000];

/// All cases, in groups of each of these numbers of `members`.
///
/// # Panics
/// If an invented name, tag, or message is not valid, which only a bug can cause.
pub fn cases(members: &[usize]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &members in members {
        cases.extend(registry::cases(members));
    }
    cases.extend(codec::cases());
    for &members in members {
        cases.extend(queue::cases(members));
    }
    cases.extend(phi::cases());
    cases.extend(signed::cases());
    for &members in members {
        cases.extend(machine::cases(members));
    }
    cases
}
