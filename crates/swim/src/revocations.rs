//! The revocations of certificates that this member knows. It keeps each as long as one of its
//! certificates would be valid, and passes it on:
//!
//! ```text
//!   command, or a verified update ──> new ──> kept, passed on to all, reported to the driver
//!                                 └─> known, ended, or no room ──> nothing
//!   a member joins or returns     ──> receives all
//!   each anti-entropy round       ──> one random member receives some, in turn
//! ```
//!
//! This module knows no keys. The driver verifies each revocation, and finds out whose certificate
//! it covers.

use std::collections::BTreeMap;

use kinfolk_core::NodeId;
use kinfolk_core::signed::{Covered, Revocation, Serial};

use crate::interface::output::Revoked;

/// How many revocations one anti-entropy round sends.
pub(crate) const IN_A_ROUND: usize = 16;

/// What a revocation is about. There is one entry for all certificates of a member up to a time,
/// and one for each serial number.
type Key = (NodeId, Option<Serial>);

/// The revocations. Bounded by [`MAX`](Self::MAX). Only an authority makes one, so no member can
/// fill it.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    entries: BTreeMap<Key, Revocation>,
    /// The last one that an anti-entropy round sent.
    sent_last: Option<Key>,
    refused_full: u64,
}

impl Revocations {
    /// How many revocations are kept: a thousand members lose their keys four times within the life
    /// of their certificates.
    pub(crate) const MAX: usize = 4_096;

    /// Keeps a revocation. `now` is the wall clock in seconds since the Unix epoch.
    pub(crate) fn note(&mut self, now: u64, revocation: Revocation) -> Revoked {
        if revocation.has_ended(now) {
            return Revoked::Ended;
        }
        let key = key(&revocation);
        match self.entries.get_mut(&key) {
            Some(known) if known.covers(&revocation) => return Revoked::Known,
            Some(known) => *known = revocation,
            None => {
                if self.entries.len() >= Self::MAX {
                    self.entries.retain(|_, known| !known.has_ended(now));
                }
                if self.entries.len() >= Self::MAX {
                    self.refused_full += 1;
                    return Revoked::Full;
                }
                self.entries.insert(key, revocation);
            }
        }
        Revoked::New
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of revocations.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How often a revocation found no room.
    pub(crate) fn refused_full(&self) -> u64 {
        self.refused_full
    }

    /// All that have not ended. Drops the others.
    pub(crate) fn all(&mut self, now: u64) -> Vec<Revocation> {
        self.entries.retain(|_, known| !known.has_ended(now));
        self.entries.values().cloned().collect()
    }

    /// The next revocations for an anti-entropy round, at most [`IN_A_ROUND`]. All of them have
    /// their turn.
    pub(crate) fn next_round(&mut self, now: u64) -> Vec<Revocation> {
        let all = self.all(now);
        let after = |sent: &Key| all.iter().position(|one| key(one) > *sent).unwrap_or(0);
        let begin = self.sent_last.as_ref().map_or(0, after);
        let round: Vec<Revocation> =
            all.iter().cycle().skip(begin).take(all.len().min(IN_A_ROUND)).cloned().collect();
        self.sent_last = round.last().map(key);
        round
    }
}

fn key(revocation: &Revocation) -> Key {
    let serial = match &revocation.covered {
        Covered::IssuedUntil(_) => None,
        Covered::Serial(serial) => Some(serial.clone()),
    };
    (revocation.node.clone(), serial)
}

#[cfg(test)]
mod tests {
    use kinfolk_core::signed::Proof;

    use super::*;

    const NOW: u64 = 1_000;

    fn of(name: &str, covered: Covered, until: u64) -> Revocation {
        Revocation { node: NodeId::new(name).unwrap(), covered, until, proof: Proof::default() }
    }

    fn until(last: u64) -> Revocation {
        of("a", Covered::IssuedUntil(last), NOW + 9)
    }

    #[test]
    fn only_a_wider_revocation_is_new() {
        let mut kept = Revocations::default();
        assert_eq!(kept.note(NOW, until(5)), Revoked::New);
        assert_eq!(kept.note(NOW, until(5)), Revoked::Known);
        assert_eq!(kept.note(NOW, until(4)), Revoked::Known);
        assert_eq!(kept.note(NOW, until(6)), Revoked::New);
        assert_eq!(kept.note(NOW, Revocation { until: NOW + 10, ..until(6) }), Revoked::New);
        let serial = |byte| of("a", Covered::Serial(Serial::new(&[byte]).unwrap()), NOW);
        assert_eq!(kept.note(NOW, serial(1)), Revoked::New);
        assert_eq!(kept.note(NOW, serial(2)), Revoked::New);
        assert_eq!(kept.note(NOW, serial(1)), Revoked::Known);
        assert_eq!(kept.len(), 3);
    }

    #[test]
    fn revocation_is_kept_until_its_certificates_end() {
        let mut kept = Revocations::default();
        assert_eq!(kept.note(NOW + 10, until(5)), Revoked::Ended);
        assert_eq!(kept.note(NOW + 9, until(5)), Revoked::New);
        assert_eq!(kept.all(NOW + 9).len(), 1);
        assert!(kept.all(NOW + 10).is_empty() && kept.is_empty());
    }

    #[test]
    fn bound_is_kept_and_counted() {
        let mut kept = Revocations::default();
        let named = |number: usize| of(&format!("n{number}"), Covered::IssuedUntil(1), NOW);
        for number in 0..Revocations::MAX {
            assert_eq!(kept.note(NOW, named(number)), Revoked::New);
        }
        assert_eq!(kept.note(NOW, named(Revocations::MAX)), Revoked::Full);
        assert_eq!((kept.len(), kept.refused_full()), (Revocations::MAX, 1));
        // A wider one about a known member needs no room.
        let wider = of("n0", Covered::IssuedUntil(2), NOW + 9);
        assert_eq!(kept.note(NOW, wider), Revoked::New);
        // Those that have ended make room.
        let later = Revocation { until: NOW + 9, ..named(Revocations::MAX) };
        assert_eq!(kept.note(NOW + 1, later), Revoked::New);
        assert_eq!(kept.len(), 2);
    }

    #[test]
    fn rounds_send_each_in_its_turn() {
        let mut kept = Revocations::default();
        assert!(kept.next_round(NOW).is_empty());
        let count = IN_A_ROUND * 2 + 3;
        for number in 0..count {
            kept.note(NOW, of(&format!("n{number:03}"), Covered::IssuedUntil(1), NOW));
        }
        let sent: Vec<NodeId> =
            (0..3).flat_map(|_| kept.next_round(NOW)).map(|revocation| revocation.node).collect();
        let distinct: std::collections::BTreeSet<&NodeId> = sent.iter().collect();
        assert_eq!(distinct.len(), count, "three rounds have all");
    }
}
