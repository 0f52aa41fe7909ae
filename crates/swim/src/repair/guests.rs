//! Guests: members that have just exchanged views with this member. Most of them join. A guest
//! receives new updates over the connection that it opened, until its own neighbours send them. So
//! no member dials another only to send updates
//! (`docs/decisions/0015-a-node-costs-what-its-probes-cost.md`).

use std::collections::VecDeque;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

/// How long a member is a guest after an exchange. By then its neighbours have probed it.
const GUEST_TIME: Duration = Duration::from_secs(3);

/// How many guests there are at most. A further guest replaces the oldest, which then receives new
/// updates from other members.
const GUESTS_MAX: usize = 128;

/// The guests, in the order of their last exchange.
#[derive(Debug, Default)]
pub(super) struct Guests(VecDeque<(Instant, NodeId)>);

impl Guests {
    /// Makes a member a guest from now on.
    pub(super) fn insert(&mut self, now: Instant, id: &NodeId) {
        self.0.retain(|(at, guest)| guest != id && now.since(*at) < GUEST_TIME);
        if self.0.len() >= GUESTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now, id.clone()));
    }

    /// The members that are guests at this time.
    pub(super) fn at(&self, now: Instant) -> impl Iterator<Item = &NodeId> {
        self.0.iter().filter(move |(at, _)| now.since(*at) < GUEST_TIME).map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> NodeId {
        NodeId::new(&format!("n{number}")).unwrap()
    }

    fn ids(guests: &Guests, now: Instant) -> Vec<NodeId> {
        guests.at(now).cloned().collect()
    }

    #[test]
    fn guest_stays_for_three_seconds_after_its_last_exchange() {
        let (mut guests, begun) = (Guests::default(), Instant::ORIGIN);
        guests.insert(begun, &id(0));
        guests.insert(begun + Duration::from_secs(1), &id(1));
        guests.insert(begun + Duration::from_secs(2), &id(0));
        let nearly = |secs| begun + Duration::from_secs(secs).saturating_sub(Duration::from_nanos(1));
        assert_eq!(ids(&guests, nearly(4)), [id(1), id(0)]);
        assert_eq!(ids(&guests, begun + Duration::from_secs(4)), [id(0)]);
        assert_eq!(ids(&guests, nearly(5)), [id(0)]);
        assert_eq!(ids(&guests, begun + Duration::from_secs(5)), []);
        guests.insert(begun + Duration::from_secs(9), &id(2));
        assert_eq!(guests.0.len(), 1, "the other guests are removed");
    }

    #[test]
    fn guest_beyond_the_bound_replaces_the_oldest() {
        let mut guests = Guests::default();
        for number in 0..=GUESTS_MAX {
            guests.insert(Instant::ORIGIN, &id(number));
        }
        assert_eq!(ids(&guests, Instant::ORIGIN), (1..=GUESTS_MAX).map(id).collect::<Vec<_>>());
    }

    #[test]
    fn insert_removes_guests_whose_time_is_over() {
        for (nanos, kept) in [(0, 1), (1, 2)] {
            let mut guests = Guests::default();
            guests.insert(Instant::ORIGIN, &id(0));
            let now = Instant::ORIGIN + GUEST_TIME.saturating_sub(Duration::from_nanos(nanos));
            guests.insert(now, &id(1));
            assert_eq!(guests.0.len(), kept);
        }
    }
}
