//! Forgetting a member before the time of its tombstone is over, everywhere: at this member at
//! once, and at all others by gossip (`Update::Forget`).
//!
//! ```text
//!   command ──┬─ a tombstone ──> removed, remembered, passed on
//!             └─ alive, suspect, unknown, ourselves ──> an error
//!
//!   word ─────┬─ a tombstone up to that incarnation ──> removed, remembered, passed on
//!             ├─ unknown ──> remembered, passed on: the tombstone may come later
//!             ├─ a member, or a later incarnation ──> ignored
//!             └─ about us ──> a claim that we failed, which we refute
//! ```
//!
//! What is remembered is the tombstone in another place: a claim up to its incarnation changes
//! nothing, but no view shows the member. A peer that still tells of the tombstone receives the
//! word. A peer that holds the member for alive receives the tombstone (`corrections.rs`), so that
//! a member that really lives refutes it and is back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{ClusterEvent, Incarnation, Instant, NodeId, NodeState, NodeStatus};

use crate::codec::UPDATES_MAX;
use crate::error::ForgetError;
use crate::machine::Machine;
use crate::message::{Message, Update};
use crate::output::Output;
use crate::queue::Priority;

/// How many words a member that comes back receives at most, the latest. It missed them while it
/// was cut off.
const MISSED_MAX: usize = 1_024;

/// How long before a member was declared failed it may have been cut off: the tolerated pause,
/// stretched by local health, and the grace of the brake.
const CUT_OFF_BEFORE: Duration = Duration::from_mins(2);

/// The names that were forgotten, each with the incarnation up to which the word counts.
///
/// Bounded by [`NAMES_MAX`](Self::NAMES_MAX). Each is dropped when a tombstone of the same age
/// would be.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    words: BTreeMap<NodeId, Word>,
    /// The names in the order in which they were noted.
    by_age: BTreeMap<u64, NodeId>,
    noted: u64,
    /// How many words were dropped or left out at the bound.
    dropped: u64,
    /// What the sender of the current message still tells of, to be told when the message is done
    /// with.
    owed: Vec<(NodeId, Update)>,
}

#[derive(Debug, Clone, Copy)]
struct Word {
    incarnation: Incarnation,
    /// Of the tombstone: `Failed` where it was not known here.
    state: NodeState,
    at: Instant,
    number: u64,
}

/// What became of a word.
#[derive(Debug, PartialEq, Eq)]
enum Noted {
    /// It is remembered from now on.
    New,
    /// It, or one that counts for longer, was known.
    Known,
    /// The memory is full, and it removes nothing here.
    Full,
}

impl Forgotten {
    /// How many names are remembered: more than one operator removes in a day.
    pub(crate) const NAMES_MAX: usize = 16_384;

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// How many words were dropped or left out at the bound.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The word about that member, if it still counts.
    fn about(&self, now: Instant, ttl: Duration, id: &NodeId) -> Option<Word> {
        self.words.get(id).filter(|word| now.since(word.at) < ttl).copied()
    }

    /// The word that covers this claim: one about its member, up to its incarnation or a later one.
    fn covering(&self, now: Instant, ttl: Duration, claim: &NodeStatus) -> Option<Word> {
        self.about(now, ttl, &claim.id).filter(|word| claim.incarnation <= word.incarnation)
    }

    /// Notes a word. `state` is that of the tombstone which it removes; at the bound, only a word
    /// that removes one takes the place of the oldest. So no word is news twice because others
    /// pushed it out, and words cannot circulate for ever.
    ///
    /// Returns what became of it, and which names are remembered no more.
    fn note(
        &mut self,
        (now, ttl): (Instant, Duration),
        id: &NodeId,
        incarnation: Incarnation,
        state: Option<NodeState>,
    ) -> (Noted, Vec<NodeId>) {
        let mut dropped = self.drop_expired(now, ttl);
        if self.words.get(id).is_some_and(|word| word.incarnation >= incarnation) {
            return (Noted::Known, dropped);
        }
        self.remove(id);
        if self.words.len() >= Self::NAMES_MAX {
            self.dropped += 1;
            if state.is_none() {
                return (Noted::Full, dropped);
            }
            dropped.extend(self.drop_oldest());
        }
        let number = self.noted;
        self.noted += 1;
        let state = state.unwrap_or(NodeState::Failed);
        self.words.insert(id.clone(), Word { incarnation, state, at: now, number });
        self.by_age.insert(number, id.clone());
        (Noted::New, dropped)
    }

    /// What is known of that member now outranks the word.
    pub(crate) fn remove(&mut self, id: &NodeId) {
        if let Some(word) = self.words.remove(id) {
            self.by_age.remove(&word.number);
        }
    }

    fn drop_expired(&mut self, now: Instant, ttl: Duration) -> Vec<NodeId> {
        let mut dropped = Vec::new();
        while self.oldest().is_some_and(|oldest| now.since(oldest.at) >= ttl) {
            dropped.extend(self.drop_oldest());
        }
        dropped
    }

    fn oldest(&self) -> Option<&Word> {
        self.by_age.values().next().and_then(|id| self.words.get(id))
    }

    /// The name that one more would push out, if the memory is full.
    fn pushed_out_next(&self) -> Option<&NodeId> {
        let is_full = self.words.len() >= Self::NAMES_MAX;
        self.by_age.values().next().filter(|_| is_full)
    }

    fn drop_oldest(&mut self) -> Option<NodeId> {
        let (_, id) = self.by_age.pop_first()?;
        self.words.remove(&id);
        Some(id)
    }

    /// The words that were noted since then, the latest first, at most [`MISSED_MAX`].
    fn since(&self, then: Instant) -> Vec<Update> {
        let latest = self.by_age.values().rev().take(MISSED_MAX);
        let words = latest.filter_map(|id| Some((id, self.words.get(id)?)));
        words.take_while(|(_, word)| word.at >= then).map(|(id, word)| word.update(id)).collect()
    }
}

impl Word {
    fn update(&self, id: &NodeId) -> Update {
        Update::Forget { id: id.clone(), incarnation: self.incarnation }
    }
}

impl Machine {
    /// The application has this member forgotten. `remembered` is what is known of it beside the
    /// registry.
    pub(crate) fn forget(
        &mut self,
        now: Instant,
        id: &NodeId,
        remembered: Option<Arc<NodeStatus>>,
    ) -> Result<Arc<NodeStatus>, ForgetError> {
        let node = id.clone();
        if *id == self.me.id {
            return Err(ForgetError::Ourselves { node });
        }
        if self.has_left() {
            return Err(ForgetError::Left { node });
        }
        let known = self.registry.get(id);
        let tombstone = known.clone().or(remembered).ok_or(ForgetError::Unknown { node: node.clone() })?;
        if let Some(NodeStatus { state, .. }) = known.as_deref().filter(|known| known.state.is_member()) {
            return Err(ForgetError::StillMember { node, state: *state });
        }
        let pushes_out = self.forgotten.pushed_out_next().is_some_and(|next| self.queue.is_unsent(next));
        if pushes_out && !self.overlay.is_empty() {
            return Err(ForgetError::Busy { node, waiting: self.queue.len() });
        }
        let clock = self.wall_clock.says(now);
        // Others refuse a word far ahead of the clock, and it would keep the member out here when
        // it starts again.
        let is_plausible = tombstone.incarnation.is_plausible(clock);
        self.forget_up_to(now, id, if is_plausible { tombstone.incarnation } else { clock }, None);
        Ok(tombstone)
    }

    /// A member says that another is forgotten.
    pub(crate) fn on_forget(&mut self, now: Instant, from: &NodeId, id: &NodeId, incarnation: Incarnation) {
        if self.refuses(now, from, (id, incarnation)) {
            return;
        }
        match self.registry.get(id) {
            Some(mine) if *id == self.me.id => {
                let claim = NodeStatus { incarnation, ..mine.with_state(NodeState::Failed) };
                self.on_claim_about_me(now, &claim);
            }
            Some(known) if known.state.is_member() || known.incarnation > incarnation => {
                self.stats.forgets_ignored += 1;
            }
            _ => self.forget_up_to(now, id, incarnation, Some(from)),
        }
    }

    /// Removes the tombstone, if there is one, remembers that, and passes it on.
    fn forget_up_to(&mut self, now: Instant, id: &NodeId, incarnation: Incarnation, teller: Option<&NodeId>) {
        let known = self.registry.get(id);
        let state = known.as_ref().map(|known| known.state);
        let (noted, dropped) = self.forgotten.note((now, self.config.tombstone_ttl), id, incarnation, state);
        for name in &dropped {
            self.queue.withdraw_word(name);
        }
        if noted != Noted::New {
            return;
        }
        self.output(Output::Forgotten { id: id.clone(), incarnation });
        if let Some(tombstone) = known {
            self.stats.forgotten += 1;
            self.reap(now, id, tombstone.incarnation);
        }
        let word = Update::Forget { id: id.clone(), incarnation };
        self.queue.push_heard_from(word, Priority::Medium, teller);
    }

    /// Removes a tombstone, if it is still of this incarnation.
    pub(crate) fn reap(&mut self, now: Instant, id: &NodeId, incarnation: Incarnation) {
        if let Some(timer) = self.tombstones.remove(id) {
            self.timers.cancel(timer);
        }
        self.forget_flaps(id);
        if let Some(reaped) = self.registry.reap(id, incarnation) {
            self.output(Output::Event(ClusterEvent::NodeReaped { id: reaped.id.clone() }));
            self.recount(now);
        }
    }

    /// Whether that claim of `from` is about a member that is forgotten. Then it must change
    /// nothing. A peer that still tells of the tombstone will be told.
    pub(crate) fn is_forgotten(&mut self, now: Instant, from: &NodeId, claim: &NodeStatus) -> bool {
        let Some(word) = self.forgotten.covering(now, self.config.tombstone_ttl, claim) else { return false };
        if !claim.state.is_member() {
            self.forgotten.owed.push((from.clone(), word.update(&claim.id)));
        }
        true
    }

    /// The tombstone that this claim's member would have if it were not forgotten.
    pub(crate) fn forgotten_tombstone(&self, now: Instant, claim: &NodeStatus) -> Option<Arc<NodeStatus>> {
        let word = self.forgotten.covering(now, self.config.tombstone_ttl, claim)?;
        let Word { incarnation, state, .. } = word;
        Some(Arc::new(NodeStatus { incarnation, state, ..claim.without_description() }))
    }

    /// The word about `id`, which speaks to us and is in no view here. If it lives, it refutes the
    /// word.
    pub(crate) fn word_about(&self, now: Instant, id: &NodeId) -> Option<Update> {
        self.forgotten.about(now, self.config.tombstone_ttl, id).map(|word| word.update(id))
    }

    /// A message has been handled: its sender receives the words that it lacks.
    pub(crate) fn tell_forgotten(&mut self) {
        if self.forgotten.owed.is_empty() {
            return;
        }
        let owed = std::mem::take(&mut self.forgotten.owed);
        // All that one message tells of comes from one sender.
        let teller = owed.first().and_then(|(teller, _)| self.registry.get(teller));
        if let Some(teller) = teller {
            self.stats.forgets_told += owed.len() as u64;
            let words: Vec<Update> = owed.into_iter().map(|(_, word)| word).collect();
            self.send_words(&teller, &words);
        }
    }

    /// A member that was declared failed at that time is back: those that watch it tell it what was
    /// forgotten meanwhile.
    pub(crate) fn tell_missed_words(&mut self, now: Instant, back: &NodeStatus, failed_at: Instant) {
        if self.forgotten.len() == 0 {
            return;
        }
        let told_by_us = if self.config.is_verified() {
            self.watch.subjects.contains_key(&back.id)
        } else {
            // Nobody has fixed subjects: about four of all members do it.
            self.rng.below(self.overlay.len().max(1)) < 4
        };
        let since = (failed_at - CUT_OFF_BEFORE).max(now - self.config.tombstone_ttl);
        let words = if told_by_us { self.forgotten.since(since) } else { Vec::new() };
        self.send_words(back, &words);
    }

    fn send_words(&mut self, to: &NodeStatus, words: &[Update]) {
        for words in words.chunks(UPDATES_MAX) {
            self.send(to, Message::Gossip { gossip: words.to_vec() });
        }
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{NodeAddr, Tags};

    use super::*;

    const TTL: Duration = Duration::from_hours(24);

    fn id(number: usize) -> NodeId {
        NodeId::new(&format!("n{number}")).unwrap()
    }

    fn covers(memory: &Forgotten, now: Instant, number: usize, incarnation: u64) -> bool {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let claim = NodeStatus::alive(id(number), addr, Incarnation::new(incarnation), Tags::empty());
        memory.covering(now, TTL, &claim).is_some()
    }

    fn note(memory: &mut Forgotten, now: Instant, number: usize, removes: bool) -> (Noted, Vec<NodeId>) {
        let state = removes.then_some(NodeState::Failed);
        memory.note((now, TTL), &id(number), Incarnation::new(5), state)
    }

    #[test]
    fn a_word_covers_its_incarnation_and_none_above_for_a_day() {
        let (mut memory, now) = (Forgotten::default(), Instant::ORIGIN);
        assert_eq!(note(&mut memory, now, 1, true), (Noted::New, vec![]));
        assert_eq!(note(&mut memory, now, 1, true), (Noted::Known, vec![]));
        assert!(covers(&memory, now, 1, 5) && !covers(&memory, now, 1, 6) && !covers(&memory, now, 2, 1));
        let last = now + TTL - Duration::from_millis(1);
        assert!(covers(&memory, last, 1, 5) && !covers(&memory, now + TTL, 1, 5));
        assert_eq!(note(&mut memory, now + TTL, 2, true), (Noted::New, vec![id(1)]));
    }

    #[test]
    fn at_the_bound_a_removal_drops_the_oldest_and_nothing_else_does() {
        let (mut memory, now) = (Forgotten::default(), Instant::ORIGIN);
        let max = Forgotten::NAMES_MAX;
        assert!((0..max).all(|number| note(&mut memory, now, number, false) == (Noted::New, vec![])));
        assert_eq!(note(&mut memory, now, max, false), (Noted::Full, vec![]));
        assert_eq!(note(&mut memory, now, max, true), (Noted::New, vec![id(0)]));
        assert_eq!(note(&mut memory, now, 0, false), (Noted::Full, vec![]), "it is not news again");
        assert_eq!((memory.len(), memory.by_age.len()), (max, max));
    }

    #[test]
    fn missed_words_are_those_since_and_the_latest_of_too_many() {
        let (mut memory, now) = (Forgotten::default(), Instant::ORIGIN);
        let later = now + Duration::from_secs(9);
        let _ = note(&mut memory, now, 1, true);
        let _ = note(&mut memory, later, 2, true);
        let word = |number| Update::Forget { id: id(number), incarnation: Incarnation::new(5) };
        assert_eq!(memory.since(now), [word(2), word(1)]);
        assert_eq!(memory.since(later), [word(2)]);
        (3..3 + MISSED_MAX).for_each(|number| drop(note(&mut memory, later, number, true)));
        assert_eq!(memory.since(now).len(), MISSED_MAX);
    }
}
