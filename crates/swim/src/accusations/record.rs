//! What became of the accusations of each member. A member whose accusations are refuted again and
//! again is sick, or lies. Either way it is not believed for some time.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

/// How many accusers have a record. One more replaces the one that accused longest ago.
const RECORDS_MAX: usize = 4_096;
/// After this time a refuted accusation counts half.
const HALF_LIFE: Duration = Duration::from_mins(1);
/// With this many refuted accusations a member is distrusted. Loss and short pauses make some false
/// accusations in any group, but not as many in a few minutes.
const DISTRUSTED_FROM: f64 = 5.0;
/// Below this many it is trusted again.
const TRUSTED_BELOW: f64 = 2.0;

/// The records of all accusers.
#[derive(Debug, Default)]
pub(crate) struct Records {
    of: BTreeMap<NodeId, AccuserRecord>,
}

/// The accusations of one member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AccuserRecord {
    /// How many statements it accused.
    pub made: u64,
    /// How many of them were refuted.
    pub refuted: u64,
    /// How many of them failed.
    pub confirmed: u64,
    /// The refuted ones, each counting less as time passes, at `at`.
    recent: f64,
    at: Instant,
    distrusted: bool,
}

impl AccuserRecord {
    /// The refuted accusations at this time.
    fn recent(&self, now: Instant) -> f64 {
        self.recent * 0.5_f64.powf(now.since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64())
    }
}

impl Records {
    /// A member accused another one.
    pub(super) fn accused(&mut self, now: Instant, accuser: &NodeId) {
        self.record(now, accuser).made += 1;
    }

    /// An accusation of this member was refuted. `share`: from 0 to 1, less than 1 if other
    /// accusers share it. Returns whether the member is distrusted from now on.
    pub(super) fn refuted(&mut self, now: Instant, accuser: &NodeId, share: f64) -> bool {
        let record = self.record(now, accuser);
        record.refuted += 1;
        record.recent = record.recent(now) + share;
        record.at = now;
        let begins = !record.distrusted && record.recent >= DISTRUSTED_FROM;
        record.distrusted |= begins;
        begins
    }

    /// An accusation of this member turned out to be true.
    pub(super) fn confirmed(&mut self, now: Instant, accuser: &NodeId) {
        self.record(now, accuser).confirmed += 1;
    }

    /// Whether this member's accusations do not count at this time.
    pub(crate) fn is_distrusted(&self, now: Instant, accuser: &NodeId) -> bool {
        self.of.get(accuser).is_some_and(|record| record.distrusted && record.recent(now) >= TRUSTED_BELOW)
    }

    /// The number of members whose accusations do not count at this time.
    pub(crate) fn distrusted(&self, now: Instant) -> usize {
        self.of.keys().filter(|accuser| self.is_distrusted(now, accuser)).count()
    }

    /// The record of a member.
    pub(crate) fn get(&self, accuser: &NodeId) -> Option<&AccuserRecord> {
        self.of.get(accuser)
    }

    fn record(&mut self, now: Instant, accuser: &NodeId) -> &mut AccuserRecord {
        if self.of.len() >= RECORDS_MAX && !self.of.contains_key(accuser) {
            let oldest = self.of.iter().min_by_key(|(_, record)| record.at).map(|(id, _)| id.clone());
            oldest.map(|id| self.of.remove(&id));
        }
        let record = self.of.entry(accuser.clone()).or_insert(AccuserRecord {
            made: 0,
            refuted: 0,
            confirmed: 0,
            recent: 0.0,
            at: now,
            distrusted: false,
        });
        if record.distrusted && record.recent(now) < TRUSTED_BELOW {
            record.distrusted = false;
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn liar() -> NodeId {
        NodeId::new("liar").unwrap()
    }

    #[test]
    fn five_refuted_accusations_make_a_member_distrusted() {
        let (mut records, now) = (Records::default(), Instant::ORIGIN);
        assert!((0..4).all(|_| !records.refuted(now, &liar(), 1.0)));
        assert!(!records.is_distrusted(now, &liar()));
        assert!(records.refuted(now, &liar(), 1.0));
        assert!(!records.refuted(now, &liar(), 1.0), "it begins once");
        assert!(records.is_distrusted(now, &liar()));
        assert_eq!((records.distrusted(now), records.get(&liar()).unwrap().refuted), (1, 6));
    }

    #[test]
    fn distrust_ends_when_the_accusations_are_old() {
        let (mut records, now) = (Records::default(), Instant::ORIGIN);
        for _ in 0..5 {
            let _ = records.refuted(now, &liar(), 1.0);
        }
        let two_half_lives = now + HALF_LIFE * 2;
        assert!(records.is_distrusted(now + HALF_LIFE, &liar()));
        assert!(!records.is_distrusted(two_half_lives, &liar()));
        assert!(!records.refuted(two_half_lives, &liar(), 1.0), "2.25 are not enough to begin again");
        assert!(!records.is_distrusted(two_half_lives, &liar()));
    }

    #[test]
    fn rare_refuted_accusations_never_add_up() {
        let mut records = Records::default();
        let often =
            (0..1_000).any(|number| records.refuted(Instant::ORIGIN + HALF_LIFE * number, &liar(), 1.0));
        assert!(!often);
    }

    #[test]
    fn record_of_the_longest_quiet_accuser_makes_room() {
        let mut records = Records::default();
        let id = |number: usize| NodeId::new(&format!("n{number}")).unwrap();
        for number in 0..=RECORDS_MAX {
            records.accused(Instant::ORIGIN + Duration::from_secs(number as u64), &id(number));
        }
        assert_eq!((records.of.len(), records.get(&id(0))), (RECORDS_MAX, None));
    }
}
