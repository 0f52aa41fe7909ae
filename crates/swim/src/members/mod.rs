//! The members: who belongs to the group, who did, and who is forgotten. [`Members`] is the only one in this crate that
//! writes the registry; [`Admission`] says which claims may come to it.
//!
//! ```text
//!   claim ──> Admission ──┬─ from the future, of a clock that is wrong ──> refused      wall_clock.rs
//!                         ├─ about somebody who may be gone for long ──> asked first    introduction.rs
//!                         └─ else ──> Members ──┬─ forgotten ──> ignored                forgotten.rs
//!                                               └─ registry ──> a change, or none
//! ```
//!
//! Nothing here knows how members are probed, or how news travels.

mod admission;
mod description;
mod forgotten;
mod introduction;
mod wall_clock;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{
    Change, Incarnation, Instant, NodeId, NodeState, NodeStatus, RegistryView, RegistryWriter,
};

use crate::context::Context;
use crate::fact::Fact;
use crate::interface::delivery::Dial;
use crate::interface::error::ForgetError;
use crate::interface::output::Output;
use crate::interface::priority::Priority;
use crate::timer::{Timer, TimerKey};
use crate::wire::codec::{self, INLINE_CLAIM_MAX, PAGE_BYTES_MAX, UPDATES_MAX};
use crate::wire::message::Update;
pub(crate) use admission::Admission;
pub(crate) use description::{ask_for_description, lacks_description};
pub(crate) use forgotten::Forgotten;
use forgotten::{Noted, Word};

/// How long before a member was declared failed it may have been cut off: the tolerated pause, stretched by local health,
/// and the grace of the brake.
const CUT_OFF_BEFORE: Duration = Duration::from_mins(2);

/// The registry, the tombstones in it, and those that were removed before their time.
#[derive(Debug)]
pub(crate) struct Members {
    registry: RegistryWriter,
    /// When each failed or left member is forgotten.
    tombstones: BTreeMap<NodeId, TimerKey>,
    /// Which members were forgotten before that.
    forgotten: Forgotten,
}

impl Members {
    /// The members of this registry. Those in it that are no members have their tombstones from now on.
    pub(crate) fn new(cx: &mut Context, registry: RegistryWriter) -> Self {
        let mut members = Self { registry, tombstones: BTreeMap::new(), forgotten: Forgotten::default() };
        let snapshot = members.registry.snapshot();
        for node in snapshot.nodes().iter().filter(|node| !node.state.is_member()) {
            members.keep_tombstone(cx, node);
        }
        members
    }

    /// The view of the group, shared with whoever was given the registry.
    pub(crate) fn registry(&self) -> &RegistryView {
        &self.registry
    }

    /// Takes in a claim, if it outranks what is known.
    pub(crate) fn apply(&mut self, claim: impl Into<Arc<NodeStatus>>) -> Change {
        self.registry.apply(claim)
    }

    /// Takes in a claim whatever is known.
    pub(crate) fn replace(&mut self, claim: impl Into<Arc<NodeStatus>>) -> Change {
        self.registry.replace(claim)
    }

    /// Says who we are once more at a lower incarnation: ours was taken by a wall clock that was wrong.
    pub(crate) fn restate(&mut self, cx: &mut Context, incarnation: Incarnation) {
        let Some(mine) = cx.mine() else { return };
        let statement = NodeStatus::alive(mine.id.clone(), mine.addr, incarnation, mine.tags.clone());
        if let Some(status) = self.registry.replace(statement).after() {
            let update = Update::Node { status: Arc::clone(status), accusers: Vec::new() };
            cx.news(update, Priority::Critical, None);
        }
    }

    /// A member has changed: what was remembered of it as gone is over. If it has come back from a failure, returns when
    /// that was declared.
    pub(crate) fn changed(&mut self, cx: &mut Context, after: &NodeStatus) -> Option<Instant> {
        self.forgotten.remove(&after.id);
        let tombstone = self.tombstones.remove(&after.id)?;
        let reaped_at = cx.timers.due_at(tombstone);
        cx.timers.cancel(tombstone);
        reaped_at.filter(|_| after.state.is_member()).map(|at| at - cx.config.tombstone_ttl)
    }

    /// Keeps this tombstone from now on for as long as the configuration says.
    pub(crate) fn keep_tombstone(&mut self, cx: &mut Context, node: &NodeStatus) {
        let at = cx.now + cx.config.tombstone_ttl;
        let timer = cx.timers.schedule(at, Timer::Reap(node.id.clone(), node.incarnation));
        self.tombstones.insert(node.id.clone(), timer);
    }

    /// Removes a tombstone, if it is still of this incarnation.
    pub(crate) fn reap(&mut self, cx: &mut Context, id: &NodeId, incarnation: Incarnation) {
        if let Some(timer) = self.tombstones.remove(id) {
            cx.timers.cancel(timer);
        }
        let known = self.registry.reap(id, incarnation).is_some();
        cx.fact(Fact::Reaped { id: id.clone(), known });
    }

    /// The application has this member forgotten. `remembered` is what is known of it beside the registry, `clock` what the
    /// wall clock says; `unsent` says whether news of a name waits that nobody has heard, and of how many news waits.
    pub(crate) fn forget(
        &mut self,
        cx: &mut Context,
        id: &NodeId,
        (remembered, clock): (Option<Arc<NodeStatus>>, Incarnation),
        (unsent, waiting): (impl FnOnce(&NodeId) -> bool, usize),
    ) -> Result<Arc<NodeStatus>, ForgetError> {
        let node = id.clone();
        if *id == cx.me {
            return Err(ForgetError::Ourselves { node });
        }
        if cx.has_left() {
            return Err(ForgetError::Left { node });
        }
        let known = self.registry.get(id);
        let tombstone = known.clone().or(remembered).ok_or(ForgetError::Unknown { node: node.clone() })?;
        if let Some(NodeStatus { state, .. }) = known.as_deref().filter(|known| known.state.is_member()) {
            return Err(ForgetError::StillMember { node, state: *state });
        }
        let pushes_out = self.forgotten.pushed_out_next().is_some_and(unsent);
        if pushes_out && !cx.roster.is_empty() {
            return Err(ForgetError::Busy { node, waiting });
        }
        // Others refuse a word far ahead of the clock, and it would keep the member out here when it starts again.
        let is_plausible = tombstone.incarnation.is_plausible(clock);
        self.forget_up_to(cx, id, if is_plausible { tombstone.incarnation } else { clock }, None);
        Ok(tombstone)
    }

    /// A member says that another, who is not us, is forgotten.
    pub(crate) fn heard_word(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        (id, incarnation): (&NodeId, Incarnation),
    ) {
        match self.registry.get(id) {
            Some(known) if known.state.is_member() || known.incarnation > incarnation => {
                cx.stats.forgets_ignored += 1;
            }
            _ => self.forget_up_to(cx, id, incarnation, Some(from)),
        }
    }

    /// Removes the tombstone, if there is one, remembers that, and passes it on.
    fn forget_up_to(
        &mut self,
        cx: &mut Context,
        id: &NodeId,
        incarnation: Incarnation,
        teller: Option<&NodeId>,
    ) {
        let known = self.registry.get(id);
        // A word of our own application is no old one that goes round, even where there is no tombstone here.
        let ours = teller.is_none().then_some(NodeState::Failed);
        let state = known.as_ref().map(|known| known.state).or(ours);
        let time = (cx.now, cx.config.tombstone_ttl);
        let (noted, dropped) = self.forgotten.note(time, id, incarnation, state);
        for name in dropped {
            cx.fact(Fact::WordDropped(name));
        }
        if noted != Noted::New {
            return;
        }
        cx.output(Output::Forgotten { id: id.clone(), incarnation });
        if let Some(tombstone) = known {
            cx.stats.forgotten += 1;
            self.reap(cx, id, tombstone.incarnation);
        }
        let update = Update::Forget { id: id.clone(), incarnation };
        cx.news(update, Priority::Medium, teller.cloned());
    }

    /// Whether that claim of `from` is about a member that is forgotten. Then it must change nothing. A peer that still
    /// tells of the tombstone will be told.
    pub(crate) fn is_forgotten(&mut self, cx: &Context, from: &NodeId, claim: &NodeStatus) -> bool {
        let Some(word) = self.word_covering(cx, claim) else { return false };
        if !claim.state.is_member() {
            self.forgotten.owe(from, word.update(&claim.id));
        }
        true
    }

    /// The word about `id`, which speaks to us and is in no view here. If it lives, it refutes the word.
    pub(crate) fn word_about(&self, cx: &Context, id: &NodeId) -> Option<Update> {
        self.forgotten.about(cx.now, cx.config.tombstone_ttl, id).map(|word| word.update(id))
    }

    fn word_covering(&self, cx: &Context, claim: &NodeStatus) -> Option<Word> {
        self.forgotten.covering(cx.now, cx.config.tombstone_ttl, claim)
    }

    /// A message has been handled: its sender receives the words that it lacks.
    #[inline]
    pub(crate) fn tell_owed_words(&mut self, cx: &mut Context) {
        if !self.forgotten.owes() {
            return;
        }
        let owed = self.forgotten.take_owed();
        // All that one message tells of comes from one sender.
        let teller = owed.first().and_then(|(teller, _)| self.registry.get(teller));
        if let Some(teller) = teller {
            cx.stats.forgets_told += owed.len() as u64;
            let words: Vec<Update> = owed.into_iter().map(|(_, word)| word).collect();
            send_words(cx, &teller, &words);
        }
    }

    /// Whether any name is remembered as forgotten.
    pub(crate) fn remembers_words(&self) -> bool {
        self.forgotten.len() > 0
    }

    /// A member that was declared failed at that time is back: it is told what was forgotten meanwhile.
    pub(crate) fn tell_missed_words(&self, cx: &mut Context, back: &NodeStatus, failed_at: Instant) {
        let since = (failed_at - CUT_OFF_BEFORE).max(cx.now - cx.config.tombstone_ttl);
        send_words(cx, back, &self.forgotten.since(since));
    }

    /// The tombstones that contradict these claims of a peer, as many as fit into a page. What does not fit comes with the
    /// next exchange.
    ///
    /// Who never knew a member needs no tombstone of it. Were all tombstones exchanged, 10,000 old
    /// names would make a join 70 times as large, and each new member would keep them for another day,
    /// so that they never end. An old claim that the member is alive may still reach one that has no
    /// tombstone. Then its view differs from others, the comparison finds that, and the correction
    /// follows.
    pub(crate) fn corrections(&self, cx: &Context, claims: &[Arc<NodeStatus>]) -> Vec<Arc<NodeStatus>> {
        let mut bytes = 0;
        let fits = |tombstone: &Arc<NodeStatus>| {
            bytes += codec::encoded_len(tombstone);
            bytes <= PAGE_BYTES_MAX
        };
        claims.iter().filter_map(|claim| self.correction(cx, claim)).take_while(fits).collect()
    }

    fn correction(&self, cx: &Context, claim: &NodeStatus) -> Option<Arc<NodeStatus>> {
        if !claim.state.is_member() {
            return None;
        }
        let Some(known) = self.registry.get(&claim.id) else {
            // The tombstone that this claim's member would have if it were not forgotten.
            let Word { incarnation, state, .. } = self.word_covering(cx, claim)?;
            return Some(Arc::new(NodeStatus { incarnation, state, ..claim.without_description() }));
        };
        let outranks = (known.incarnation, known.state) > (claim.incarnation, claim.state);
        if known.state.is_member() || !outranks {
            return None;
        }
        // Tags of a member that is gone matter to nobody who does not ask for them.
        let large = codec::encoded_len(&known) > INLINE_CLAIM_MAX;
        Some(if large { known.without_description().into() } else { known })
    }

    /// Whether a peer's page has a tombstone of a member that we do not know. It would only begin another day here.
    pub(crate) fn is_of_no_use(&self, claim: &NodeStatus) -> bool {
        !claim.state.is_member() && self.registry.get(&claim.id).is_none()
    }

    /// How many tombstones there are.
    #[cfg(test)]
    pub(crate) fn tombstones(&self) -> usize {
        self.tombstones.len()
    }

    /// How many names are remembered as forgotten.
    pub(crate) fn forgotten_names(&self) -> usize {
        self.forgotten.len()
    }

    /// How many words about forgotten names were dropped or left out at the bound.
    pub(crate) fn words_dropped(&self) -> u64 {
        self.forgotten.dropped()
    }
}

fn send_words(cx: &mut Context, to: &NodeStatus, words: &[Update]) {
    for words in words.chunks(UPDATES_MAX) {
        cx.send_gossip(to, words.to_vec(), Dial::Later);
    }
}
