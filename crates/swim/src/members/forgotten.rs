//! Removes members from all views before their tombstones expire: here at once, at all other
//! members by gossip (`Update::Forget`, the *forget update*).
//!
//! ```text
//!   command ─────────┬─ a tombstone ──> removed, remembered, passed on
//!                    └─ alive, suspect, unknown, this member ──> an error
//!
//!   forget update ───┬─ a tombstone up to that incarnation ──> removed, remembered, passed on
//!                    ├─ unknown ──> remembered, passed on: the tombstone may come later
//!                    ├─ a member, or a later incarnation ──> ignored
//!                    └─ about this member ──> a claim that it failed, which it refutes
//! ```
//!
//! The memory of a forgotten member does what its tombstone did: a claim up to its incarnation
//! changes nothing. But no view shows the member. A peer that still sends the tombstone receives
//! the forget update. A peer that claims that the member is alive receives the tombstone
//! (`Members::corrections`), so that a live member refutes it and is a member again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeId, NodeStatus};

use crate::wire::message::Update;

/// A member that returns receives at most this many forget updates, the latest. It missed them
/// while it was isolated.
const MISSED_MAX: usize = 1_024;

/// The forgotten names, each with the incarnation up to which claims are ignored.
///
/// Bounded by [`NAMES_MAX`](Self::NAMES_MAX). Each name is dropped after `tombstone_ttl`, as a
/// tombstone is.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    entries: BTreeMap<NodeId, Entry>,
    /// The names in the order in which they were recorded.
    by_age: BTreeMap<u64, NodeId>,
    noted: u64,
    /// The number of entries that were dropped or not recorded at the bound.
    dropped: u64,
    /// The forget updates that the sender of the current message lacks. They are sent after the
    /// message is handled.
    replies: Vec<(NodeId, Update)>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Claims up to this incarnation are ignored.
    up_to: Incarnation,
    /// The tombstone, without description. It is the proof of the forget update.
    pub(super) tombstone: Arc<NodeStatus>,
    /// Whether its tombstone was removed here. If not, this member knows only by hearsay that the
    /// other one was gone.
    removed: bool,
    at: Instant,
    number: u64,
}

/// The result of [`Forgotten::note`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// The name is remembered from now on.
    New,
    /// The name was remembered already, up to this incarnation or a later one.
    Known,
    /// The memory is full, and this member has no such tombstone.
    Full,
}

impl Forgotten {
    /// The number of names that are remembered: more than an operator removes in a day.
    pub(crate) const NAMES_MAX: usize = 16_384;

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of entries that were dropped or not recorded at the bound.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The entry about that member, if it has not expired.
    pub(super) fn about(&self, now: Instant, ttl: Duration, id: &NodeId) -> Option<Entry> {
        self.entries.get(id).filter(|entry| now.since(entry.at) < ttl).cloned()
    }

    /// The entry that covers this claim: about its member, up to its incarnation or a later one.
    pub(super) fn covering(&self, now: Instant, ttl: Duration, claim: &NodeStatus) -> Option<Entry> {
        self.about(now, ttl, &claim.id).filter(|entry| claim.incarnation <= entry.up_to)
    }

    /// Records a forgotten member, up to an incarnation. `removes`: its tombstone is removed here.
    /// At the bound only the removal of a tombstone replaces the oldest entry. Otherwise entries
    /// could push each other out, and their forget updates would be new again and circulate for
    /// ever.
    ///
    /// Returns the result, and the names that are remembered no more.
    pub(super) fn note(
        &mut self,
        (now, ttl): (Instant, Duration),
        tombstone: Arc<NodeStatus>,
        up_to: Incarnation,
        removes: bool,
    ) -> (Noted, Vec<NodeId>) {
        let mut dropped = self.drop_expired(now, ttl);
        let id = &tombstone.id.clone();
        if self.entries.get(id).is_some_and(|entry| entry.up_to >= up_to) {
            return (Noted::Known, dropped);
        }
        self.remove(id);
        if self.entries.len() >= Self::NAMES_MAX {
            self.dropped += 1;
            if !removes {
                return (Noted::Full, dropped);
            }
            dropped.extend(self.drop_oldest());
        }
        let number = self.noted;
        self.noted += 1;
        self.entries.insert(id.clone(), Entry { up_to, tombstone, removed: removes, at: now, number });
        self.by_age.insert(number, id.clone());
        (Noted::New, dropped)
    }

    /// Queues a forget update for the sender of the current message.
    pub(super) fn queue_reply(&mut self, sender: &NodeId, update: Update) {
        self.replies.push((sender.clone(), update));
    }

    /// Whether forget updates are queued for a sender.
    pub(super) fn has_replies(&self) -> bool {
        !self.replies.is_empty()
    }

    /// Takes the queued forget updates.
    pub(super) fn take_replies(&mut self) -> Vec<(NodeId, Update)> {
        std::mem::take(&mut self.replies)
    }

    /// A newer claim about that member outranks the entry.
    pub(crate) fn remove(&mut self, id: &NodeId) {
        if let Some(entry) = self.entries.remove(id) {
            self.by_age.remove(&entry.number);
        }
    }

    fn drop_expired(&mut self, now: Instant, ttl: Duration) -> Vec<NodeId> {
        let mut dropped = Vec::new();
        while self.oldest().is_some_and(|oldest| now.since(oldest.at) >= ttl) {
            dropped.extend(self.drop_oldest());
        }
        dropped
    }

    fn oldest(&self) -> Option<&Entry> {
        self.by_age.values().next().and_then(|id| self.entries.get(id))
    }

    /// The name that the next entry would push out, if the memory is full.
    pub(super) fn pushed_out_next(&self) -> Option<&NodeId> {
        let is_full = self.entries.len() >= Self::NAMES_MAX;
        self.by_age.values().next().filter(|_| is_full)
    }

    fn drop_oldest(&mut self) -> Option<NodeId> {
        let (_, id) = self.by_age.pop_first()?;
        self.entries.remove(&id);
        Some(id)
    }

    /// The forget updates since `then`, the latest first, at most [`MISSED_MAX`].
    pub(super) fn since(&self, then: Instant) -> Vec<Update> {
        let latest = self.by_age.values().rev().take(MISSED_MAX);
        let entries = latest.filter_map(|id| self.entries.get(id));
        entries.take_while(|entry| entry.at >= then).map(Entry::update).collect()
    }
}

impl Entry {
    /// Whether this member never saw the other one fail or leave.
    pub(super) fn is_hearsay(&self) -> bool {
        !self.removed
    }

    /// The forget update.
    pub(super) fn update(&self) -> Update {
        Update::Forget { status: Arc::clone(&self.tombstone), up_to: self.up_to }
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{NodeAddr, NodeState, Tags};

    use super::*;

    const TTL: Duration = Duration::from_hours(24);

    fn id(number: usize) -> NodeId {
        NodeId::new(&format!("n{number}")).unwrap()
    }

    fn tombstone(number: usize) -> Arc<NodeStatus> {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let alive = NodeStatus::alive(id(number), addr, Incarnation::new(5), Tags::empty());
        alive.with_state(NodeState::Failed).without_description().into()
    }

    fn covers(memory: &Forgotten, now: Instant, number: usize, incarnation: u64) -> bool {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let claim = NodeStatus::alive(id(number), addr, Incarnation::new(incarnation), Tags::empty());
        memory.covering(now, TTL, &claim).is_some()
    }

    pub(super) fn note(
        memory: &mut Forgotten,
        now: Instant,
        number: usize,
        removes: bool,
    ) -> (Noted, Vec<NodeId>) {
        memory.note((now, TTL), tombstone(number), Incarnation::new(5), removes)
    }

    #[test]
    fn entry_covers_claims_up_to_its_incarnation_for_a_day() {
        let (mut memory, now) = (Forgotten::default(), Instant::ORIGIN);
        assert_eq!(note(&mut memory, now, 1, true), (Noted::New, vec![]));
        assert_eq!(note(&mut memory, now, 1, true), (Noted::Known, vec![]));
        assert!(covers(&memory, now, 1, 5) && !covers(&memory, now, 1, 6) && !covers(&memory, now, 2, 1));
        let last = now + TTL - Duration::from_millis(1);
        assert!(covers(&memory, last, 1, 5) && !covers(&memory, now + TTL, 1, 5));
        assert_eq!(note(&mut memory, now + TTL, 2, true), (Noted::New, vec![id(1)]));
    }

    #[test]
    fn at_the_bound_only_a_removal_drops_the_oldest() {
        let (mut memory, now) = (Forgotten::default(), Instant::ORIGIN);
        let max = Forgotten::NAMES_MAX;
        assert!((0..max).all(|number| note(&mut memory, now, number, false) == (Noted::New, vec![])));
        assert_eq!(note(&mut memory, now, max, false), (Noted::Full, vec![]));
        assert_eq!(note(&mut memory, now, max, true), (Noted::New, vec![id(0)]));
        assert_eq!(note(&mut memory, now, 0, false), (Noted::Full, vec![]), "it is not new again");
        assert_eq!((memory.len(), memory.by_age.len()), (max, max));
    }

    #[test]
    fn missed_forget_updates_are_the_latest_since_then() {
        let (mut memory, now) = (Forgotten::default(), Instant::ORIGIN);
        let later = now + Duration::from_secs(9);
        let _ = note(&mut memory, now, 1, true);
        let _ = note(&mut memory, later, 2, true);
        let update = |number| Update::Forget { status: tombstone(number), up_to: Incarnation::new(5) };
        assert_eq!(memory.since(now), [update(2), update(1)]);
        assert_eq!(memory.since(later), [update(2)]);
        (3..3 + MISSED_MAX).for_each(|number| drop(note(&mut memory, later, number, true)));
        assert_eq!(memory.since(now).len(), MISSED_MAX);
    }
}
