//! Guests: members that have exchanged views with us a moment ago. Most of them join. They are told what is new over the
//! connection that they opened, until neighbours of their own do that: so nobody has to dial a member for that.

use std::collections::VecDeque;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

/// For how long after an exchange a member is a guest: until its neighbours have probed it.
const GUEST_FOR: Duration = Duration::from_secs(3);

/// How many there are at the most. One more takes the place of the one that came first, who learns what is new from others.
const GUESTS_MAX: usize = 128;

/// The guests, the latest last.
#[derive(Debug, Default)]
pub(super) struct Guests(VecDeque<(Instant, NodeId)>);

impl Guests {
    /// This member has exchanged views with us.
    pub(super) fn came(&mut self, now: Instant, id: &NodeId) {
        self.0.retain(|(at, guest)| guest != id && now.since(*at) < GUEST_FOR);
        if self.0.len() >= GUESTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now, id.clone()));
    }

    /// Who is a guest now.
    pub(super) fn now(&self, now: Instant) -> impl Iterator<Item = &NodeId> {
        self.0.iter().filter(move |(at, _)| now.since(*at) < GUEST_FOR).map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> NodeId {
        NodeId::new(&format!("n{number}")).unwrap()
    }

    fn ids(guests: &Guests, now: Instant) -> Vec<NodeId> {
        guests.now(now).cloned().collect()
    }

    #[test]
    fn a_guest_stays_for_three_seconds_after_its_last_exchange() {
        let (mut guests, begun) = (Guests::default(), Instant::ORIGIN);
        guests.came(begun, &id(0));
        guests.came(begun + Duration::from_secs(1), &id(1));
        guests.came(begun + Duration::from_secs(2), &id(0));
        let nearly = |secs| begun + Duration::from_secs(secs).saturating_sub(Duration::from_nanos(1));
        assert_eq!(ids(&guests, nearly(4)), [id(1), id(0)]);
        assert_eq!(ids(&guests, begun + Duration::from_secs(4)), [id(0)]);
        assert_eq!(ids(&guests, nearly(5)), [id(0)]);
        assert_eq!(ids(&guests, begun + Duration::from_secs(5)), []);
        guests.came(begun + Duration::from_secs(9), &id(2));
        assert_eq!(guests.0.len(), 1, "the others are forgotten");
    }

    #[test]
    fn one_more_than_fit_takes_the_place_of_the_first() {
        let mut guests = Guests::default();
        for number in 0..=GUESTS_MAX {
            guests.came(Instant::ORIGIN, &id(number));
        }
        assert_eq!(ids(&guests, Instant::ORIGIN), (1..=GUESTS_MAX).map(id).collect::<Vec<_>>());
    }
}
