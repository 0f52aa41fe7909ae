//! Which broadcasts have been seen, so that each is told and passed on once.

use std::collections::{HashMap, VecDeque};

use kinfolk_core::{Incarnation, NodeId};

use crate::wire::message::UserMessage;

/// The broadcasts seen of each origin: its newest life, the highest number, and which of the [`WINDOW`](Self::WINDOW)
/// numbers up to it were seen. What lies below the window counts as seen: it is lost rather than told twice.
///
/// Bounded by [`ORIGINS_MAX`](Self::ORIGINS_MAX) origins; the one that was first heard of is forgotten for one more.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    origins: HashMap<NodeId, Numbers>,
    by_age: VecDeque<NodeId>,
}

#[derive(Debug, Clone, Copy)]
struct Numbers {
    life: Incarnation,
    highest: u64,
    /// Bit `i` says whether `highest - i` was seen.
    window: u128,
}

impl Seen {
    /// How many numbers below the highest are remembered one by one.
    pub(crate) const WINDOW: u64 = 128;
    /// How many origins are remembered.
    pub(crate) const ORIGINS_MAX: usize = 4_096;

    /// Whether this broadcast is new; from now on it is not.
    pub(crate) fn is_new(&mut self, message: &UserMessage) -> bool {
        let UserMessage { origin, life, number, .. } = message;
        let first = Numbers { life: *life, highest: *number, window: 1 };
        match self.origins.get_mut(origin) {
            Some(known) if known.life > *life => false,
            Some(known) if known.life == *life => known.see(*number),
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
    fn see(&mut self, number: u64) -> bool {
        if number > self.highest {
            let shift = u32::try_from(number - self.highest).unwrap_or(u32::MAX);
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
    use super::*;

    fn message(origin: &str, life: u64, number: u64) -> UserMessage {
        let origin = NodeId::new(origin).unwrap();
        UserMessage { origin, life: Incarnation::new(life), number, payload: bytes::Bytes::new() }
    }

    #[test]
    fn each_number_is_new_once_in_whatever_order() {
        let mut seen = Seen::default();
        let news: Vec<bool> = [5, 5, 3, 7, 3, 0, 7].map(|n| seen.is_new(&message("a", 1, n))).into();
        assert_eq!(news, [true, false, true, true, false, true, false]);
    }

    #[test]
    fn the_window_ends_where_it_says() {
        let mut seen = Seen::default();
        assert!(seen.is_new(&message("a", 1, 1_000)));
        assert!(seen.is_new(&message("a", 1, 1_000 - Seen::WINDOW + 1)));
        assert!(!seen.is_new(&message("a", 1, 1_000 - Seen::WINDOW)));
        assert!(seen.is_new(&message("a", 1, u64::MAX)));
    }

    #[test]
    fn a_restarted_origin_counts_from_zero_and_its_former_life_is_over() {
        let mut seen = Seen::default();
        assert!(seen.is_new(&message("a", 1, 9)));
        assert!(seen.is_new(&message("a", 2, 0)));
        assert!(!seen.is_new(&message("a", 1, 10)));
    }

    #[test]
    fn the_last_origin_that_fits_is_kept_and_one_more_forgets_the_oldest() {
        let mut seen = Seen::default();
        let origin = |number: usize| message(&format!("n{number}"), 1, 0);
        assert!((0..Seen::ORIGINS_MAX).all(|number| seen.is_new(&origin(number))));
        assert!(!seen.is_new(&origin(0)));
        assert!(seen.is_new(&origin(Seen::ORIGINS_MAX)));
        assert!(seen.is_new(&origin(0)), "it was forgotten");
        assert_eq!(seen.origins.len(), Seen::ORIGINS_MAX);
    }
}
