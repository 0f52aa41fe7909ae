//! Which broadcasts were received, so that each is reported and passed on once.

use std::collections::{HashMap, VecDeque};

use kinfolk_core::{Incarnation, NodeId};

use crate::wire::message::UserMessage;

/// The broadcasts received from each origin: its newest instance, the highest number, and which of
/// the [`WINDOW`](Self::WINDOW) numbers up to it were received.
///
/// A number below the window counts as received. So the application may miss a broadcast that is
/// that late, but it never gets one twice.
///
/// Bounded by [`ORIGINS_MAX`](Self::ORIGINS_MAX) origins. A further origin replaces the one that
/// was added first.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    origins: HashMap<NodeId, Numbers>,
    /// The origins in the order in which they were added, the oldest first.
    by_age: VecDeque<NodeId>,
}

#[derive(Debug, Clone, Copy)]
struct Numbers {
    /// The incarnation with which the origin's newest instance started.
    instance: Incarnation,
    highest: u64,
    /// Bit `i` says whether `highest - i` was received.
    window: u128,
}

impl Seen {
    /// How many numbers are remembered one by one, from the highest down: the bits of a `u128`.
    pub(crate) const WINDOW: u64 = 128;
    /// How many origins are remembered at most. The bound limits the memory.
    pub(crate) const ORIGINS_MAX: usize = 4_096;

    /// Whether this broadcast is new. Records it as received.
    pub(crate) fn is_new(&mut self, message: &UserMessage) -> bool {
        let UserMessage { origin, instance, number, .. } = message;
        let first = Numbers { instance: *instance, highest: *number, window: 1 };
        match self.origins.get_mut(origin) {
            // The origin has restarted since. Its old broadcasts no longer count.
            Some(known) if known.instance > *instance => false,
            Some(known) if known.instance == *instance => known.receive(*number),
            // A restarted origin counts from 0 again, so its old numbers say nothing.
            Some(known) => {
                *known = first;
                true
            }
            None => {
                self.make_room();
                self.by_age.push_back(origin.clone());
                self.origins.insert(origin.clone(), first);
                true
            }
        }
    }

    fn make_room(&mut self) {
        if self.by_age.len() >= Self::ORIGINS_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.origins.remove(&oldest);
        }
    }
}

impl Numbers {
    fn receive(&mut self, number: u64) -> bool {
        if number > self.highest {
            let shift = u32::try_from(number - self.highest).unwrap_or(u32::MAX);
            // A shift by 128 or more would panic or wrap. It leaves no old number in the window.
            self.window = self.window.checked_shl(shift).unwrap_or(0) | 1;
            self.highest = number;
            return true;
        }
        let age = self.highest - number;
        let bit = if age < Seen::WINDOW { 1_u128 << age } else { return false };
        let new = self.window & bit == 0;
        self.window |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::signed::Proof;

    use super::*;

    fn message(origin: &str, instance: u64, number: u64) -> UserMessage {
        let (origin, instance) = (NodeId::new(origin).unwrap(), Incarnation::new(instance));
        let (payload, proof) = (bytes::Bytes::new(), Proof::default());
        UserMessage { origin, instance, number, payload, proof }
    }

    #[test]
    fn each_number_is_new_once_in_any_order() {
        let mut seen = Seen::default();
        let are_new: Vec<bool> = [5, 5, 3, 7, 3, 0, 7].map(|n| seen.is_new(&message("a", 1, n))).into();
        assert_eq!(are_new, [true, false, true, true, false, true, false]);
    }

    #[test]
    fn number_below_the_window_is_not_new() {
        let mut seen = Seen::default();
        assert!(seen.is_new(&message("a", 1, 1_000)));
        assert!(seen.is_new(&message("a", 1, 1_000 - Seen::WINDOW + 1)));
        assert!(!seen.is_new(&message("a", 1, 1_000 - Seen::WINDOW)));
        assert!(seen.is_new(&message("a", 1, u64::MAX)));
    }

    #[test]
    fn restarted_origin_counts_from_zero_again() {
        let mut seen = Seen::default();
        assert!(seen.is_new(&message("a", 1, 9)));
        assert!(seen.is_new(&message("a", 2, 0)));
        assert!(!seen.is_new(&message("a", 1, 10)));
    }

    #[test]
    fn origin_beyond_the_bound_replaces_the_oldest() {
        let mut seen = Seen::default();
        let origin = |number: usize| message(&format!("n{number}"), 1, 0);
        assert!((0..Seen::ORIGINS_MAX).all(|number| seen.is_new(&origin(number))));
        assert!(!seen.is_new(&origin(0)));
        assert!(seen.is_new(&origin(Seen::ORIGINS_MAX)));
        assert!(seen.is_new(&origin(0)), "its numbers were dropped");
        assert_eq!(seen.origins.len(), Seen::ORIGINS_MAX);
    }
}
