//! The pure crates, measured: registry, codec, gossip queue, phi and machine, at 1,000 and 10,000 members where the number
//! matters. No I/O, one thread.

mod bars;
mod codec;
mod group;
mod machine;
mod phi;
mod queue;
mod registry;
mod report;

pub use bars::Bar;
pub use report::{FULL, QUICK, Report};

use crate::case::Case;

/// The sizes of group that are measured.
pub const MEMBERS: [usize; 2] = [1_000, 10_000];

/// Everything that is measured, ready to run, in groups of these numbers of `members`.
///
/// # Panics
/// If what is built here by rule does not keep its own rules, which only a bug can cause.
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
    for &members in members {
        cases.extend(machine::cases(members));
    }
    cases
}
