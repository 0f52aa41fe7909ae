//! The members: which nodes belong to the group, which did, and which are forgotten. Only
//! [`Members`] writes the registry. [`Admission`] decides which claims reach it.
//!
//! ```text
//!   claim ──> Admission ──┬─ from the future: a clock is wrong ──> refused     wall_clock.rs
//!                         ├─ about an old, unknown node ──> asked first        introduction.rs
//!                         └─ else ──> Members ──┬─ forgotten ──> ignored       forgotten.rs
//!                                               └─ registry ──> a change, or none
//! ```
//!
//! This module does not know how members are probed, or how gossip spreads.

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
use crate::wire::codec::{self, GOSSIP_BYTES_MAX, INLINE_CLAIM_MAX, PAGE_BYTES_MAX, UPDATES_MAX};
use crate::wire::message::{Message, Update};
pub(crate) use admission::Admission;
pub(crate) use description::{ask_for_description, lacks_description};
pub(crate) use forgotten::Forgotten;
use forgotten::{Entry, Noted};

/// For at most this long a member may have been isolated before it was declared failed: the
/// tolerated pause, stretched by local health (45 s by default), and the grace of the
/// mass-failure hold (30 s).
const ISOLATED_BEFORE_FAILURE_MAX: Duration = Duration::from_mins(2);

/// The registry, its tombstones, and the members that were forgotten before theirs expired.
#[derive(Debug)]
pub(crate) struct Members {
    registry: RegistryWriter,
    /// The timer that removes the tombstone of each failed or left member.
    tombstones: BTreeMap<NodeId, TimerKey>,
    /// The members that were forgotten.
    forgotten: Forgotten,
}

impl Members {
    /// The members of this registry. Failed and left members in it get a tombstone timer.
    pub(crate) fn new(cx: &mut Context, registry: RegistryWriter) -> Self {
        let mut members = Self { registry, tombstones: BTreeMap::new(), forgotten: Forgotten::default() };
        let snapshot = members.registry.snapshot();
        for node in snapshot.nodes().iter().filter(|node| !node.state.is_member()) {
            members.keep_tombstone(cx, node);
        }
        members
    }

    /// The view of the group. It is shared with the holders of the registry.
    pub(crate) fn registry(&self) -> &RegistryView {
        &self.registry
    }

    /// Applies a claim, if it outranks what is known.
    pub(crate) fn apply(&mut self, claim: impl Into<Arc<NodeStatus>>) -> Change {
        self.registry.apply(claim)
    }

    /// Applies a claim, whatever is known.
    pub(crate) fn replace(&mut self, claim: impl Into<Arc<NodeStatus>>) -> Change {
        self.registry.replace(claim)
    }

    /// Enters a statement of this member at a lower incarnation, because a wrong wall clock gave it
    /// the current one.
    pub(crate) fn restate(&mut self, cx: &mut Context, statement: NodeStatus) {
        if let Some(status) = self.registry.replace(statement).after() {
            let update = Update::Node { status: Arc::clone(status), accusers: Vec::new() };
            cx.disseminate(update, Priority::Critical, None);
        }
    }

    /// A member changed, so its tombstone and its forgotten entry end. If the member returned from
    /// a failure, returns when that failure was declared.
    pub(crate) fn changed(&mut self, cx: &mut Context, after: &NodeStatus) -> Option<Instant> {
        self.forgotten.remove(&after.id);
        let tombstone = self.tombstones.remove(&after.id)?;
        let reaped_at = cx.timers.due_at(tombstone);
        cx.timers.cancel(tombstone);
        reaped_at.filter(|_| after.state.is_member()).map(|at| at - cx.config.tombstone_ttl)
    }

    /// Keeps this tombstone for `tombstone_ttl`.
    pub(crate) fn keep_tombstone(&mut self, cx: &mut Context, node: &NodeStatus) {
        let at = cx.now + cx.config.tombstone_ttl;
        let timer = cx.timers.schedule(at, Timer::Reap(node.id.clone(), node.incarnation));
        self.tombstones.insert(node.id.clone(), timer);
    }

    /// Removes a tombstone, if it still has this incarnation.
    pub(crate) fn reap(&mut self, cx: &mut Context, id: &NodeId, incarnation: Incarnation) {
        if let Some(timer) = self.tombstones.remove(id) {
            cx.timers.cancel(timer);
        }
        let known = self.registry.reap(id, incarnation).is_some();
        cx.fact(Fact::Reaped { id: id.clone(), known });
    }

    /// The application wants this member to be forgotten. `remembered` is what is known of it
    /// outside the registry; `clock` is the wall clock's incarnation. `unsent` says whether a
    /// forget update about a name waits and has been sent to nobody; `waiting` is the number of
    /// updates that wait.
    pub(crate) fn forget(
        &mut self,
        cx: &mut Context,
        id: &NodeId,
        (remembered, clock): (Option<Arc<NodeStatus>>, Incarnation),
        (unsent, waiting): (impl FnOnce(&NodeId) -> bool, usize),
    ) -> Result<Arc<NodeStatus>, ForgetError> {
        let node = id.clone();
        if *id == cx.me {
            return Err(ForgetError::ThisMember { node });
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
        // Others refuse a forget update far ahead of the clock. And it would cover the next
        // instance of the member, too.
        let up_to = tombstone.incarnation;
        let up_to = if up_to.is_plausible(clock) { up_to } else { clock };
        self.forget_up_to(cx, &tombstone, up_to, None);
        Ok(tombstone)
    }

    /// A peer sent a forget update about another member, with its last statement.
    pub(crate) fn receive_forget(
        &mut self,
        cx: &mut Context,
        from: &NodeId,
        (status, up_to): (&Arc<NodeStatus>, Incarnation),
    ) {
        match self.registry.get(&status.id) {
            Some(known) if known.state.is_member() || known.incarnation > up_to => {
                cx.stats.forgets_ignored += 1;
            }
            _ => self.forget_up_to(cx, status, up_to, Some(from)),
        }
    }

    /// Removes the tombstone, if there is one, remembers that, and passes it on.
    fn forget_up_to(
        &mut self,
        cx: &mut Context,
        status: &Arc<NodeStatus>,
        up_to: Incarnation,
        source: Option<&NodeId>,
    ) {
        let id = &status.id;
        let known = self.registry.get(id);
        // A forget of this member's own application counts as a removal even without a tombstone
        // here: it is no old update that circulates.
        let removes = known.is_some() || source.is_none();
        let time = (cx.now, cx.config.tombstone_ttl);
        let state = if status.state.is_member() { NodeState::Failed } else { status.state };
        let tombstone = Arc::new(NodeStatus { state, ..status.without_description() });
        let update = Update::Forget { status: Arc::clone(&tombstone), up_to };
        let (noted, dropped) = self.forgotten.note(time, tombstone, up_to, removes);
        for name in dropped {
            cx.fact(Fact::ForgetDropped(name));
        }
        if noted != Noted::New {
            return;
        }
        cx.output(Output::Forgotten { id: id.clone(), incarnation: up_to });
        if let Some(known) = known {
            cx.stats.forgotten += 1;
            self.reap(cx, id, known.incarnation);
        }
        cx.disseminate(update, Priority::Medium, source.cloned());
    }

    /// Whether the claim of `from` is about a forgotten member. Then it must change nothing. A
    /// sender that still has the tombstone will receive the forget update.
    pub(crate) fn is_forgotten(&mut self, cx: &Context, from: &NodeId, claim: &NodeStatus) -> bool {
        let Some(entry) = self.entry_covering(cx, claim) else { return false };
        if !claim.state.is_member() {
            self.forgotten.queue_reply(from, entry.update());
        }
        true
    }

    /// Whether this claim that a node is a member is forgotten by hearsay alone: this member had no
    /// tombstone. Any member can say so of one that this member does not know yet.
    pub(crate) fn is_forgotten_by_hearsay(&self, cx: &Context, claim: &NodeStatus) -> bool {
        claim.state.is_member() && self.entry_covering(cx, claim).is_some_and(|entry| entry.is_hearsay())
    }

    /// A member that is forgotten by hearsay alone has stated itself that it is here.
    pub(crate) fn contradict_hearsay(&mut self, cx: &Context, own: &NodeStatus) {
        if self.is_forgotten_by_hearsay(cx, own) {
            self.forgotten.remove(&own.id);
        }
    }

    /// The forget update about `id`, which sends messages to this member and is in no view here. If
    /// it is alive, it refutes the update.
    pub(crate) fn forget_update_about(&self, cx: &Context, id: &NodeId) -> Option<Update> {
        self.forgotten.about(cx.now, cx.config.tombstone_ttl, id).map(|entry| entry.update())
    }

    fn entry_covering(&self, cx: &Context, claim: &NodeStatus) -> Option<Entry> {
        self.forgotten.covering(cx.now, cx.config.tombstone_ttl, claim)
    }

    /// A message was handled: its sender receives the forget updates that it lacks.
    #[inline]
    pub(crate) fn send_owed_forgets(&mut self, cx: &mut Context) {
        if !self.forgotten.has_replies() {
            return;
        }
        let replies = self.forgotten.take_replies();
        // All claims of one message come from one sender.
        let source = replies.first().and_then(|(source, _)| self.registry.get(source));
        if let Some(source) = source {
            cx.stats.forgets_repeated += replies.len() as u64;
            let updates: Vec<Update> = replies.into_iter().map(|(_, entry)| entry).collect();
            send_forget_updates(cx, &source, &updates);
        }
    }

    /// Whether any forgotten name is remembered.
    pub(crate) fn remembers_forgotten(&self) -> bool {
        self.forgotten.len() > 0
    }

    /// A member that was declared failed at `failed_at` returned: it receives the forget updates
    /// that it missed.
    pub(crate) fn send_missed_forgets(&self, cx: &mut Context, back: &NodeStatus, failed_at: Instant) {
        let since = (failed_at - ISOLATED_BEFORE_FAILURE_MAX).max(cx.now - cx.config.tombstone_ttl);
        send_forget_updates(cx, back, &self.forgotten.since(since));
    }

    /// The tombstones that contradict these claims of a peer, up to one page. The rest comes with
    /// the next exchange of views.
    ///
    /// A peer that never knew a member needs no tombstone of it. If all tombstones were exchanged,
    /// 10,000 old names would make a join 70 times as large (193 KB instead of 2.7 KB). Each new
    /// member would keep them for another `tombstone_ttl`, so that they would never end.
    ///
    /// An old claim that the member is alive may still reach a member without the tombstone. Then
    /// its view differs from other views. An anti-entropy round finds that, and brings the
    /// tombstone.
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
            // The tombstone that the member would have if it were not forgotten.
            return self.entry_covering(cx, claim).map(|Entry { tombstone, .. }| tombstone);
        };
        let outranks = (known.incarnation, known.state) > (claim.incarnation, claim.state);
        if known.state.is_member() || !outranks {
            return None;
        }
        // Nobody needs the tags of a failed or left member without asking for them.
        let large = codec::encoded_len(&known) > INLINE_CLAIM_MAX;
        Some(if large { known.without_description().into() } else { known })
    }

    /// Whether a peer's page has a tombstone of an unknown member. It would only start another
    /// `tombstone_ttl` here.
    pub(crate) fn is_unknown_tombstone(&self, claim: &NodeStatus) -> bool {
        !claim.state.is_member() && self.registry.get(&claim.id).is_none()
    }

    /// The number of tombstones.
    #[cfg(test)]
    pub(crate) fn tombstones(&self) -> usize {
        self.tombstones.len()
    }

    /// The number of forgotten names that are remembered.
    pub(crate) fn forgotten_names(&self) -> usize {
        self.forgotten.len()
    }

    /// The number of forgotten entries that were dropped or not recorded at the bound.
    pub(crate) fn forgets_dropped(&self) -> u64 {
        self.forgotten.dropped()
    }
}

fn send_forget_updates(cx: &mut Context, to: &NodeStatus, updates: &[Update]) {
    let mut rest = updates;
    while !rest.is_empty() {
        // Long names and signatures of large keys: fewer updates than `UPDATES_MAX` may fit.
        let mut bytes = codec::encoded_len(&Message::Gossip { gossip: Vec::new() });
        let fits = |update: &&Update| {
            bytes += codec::encoded_len(*update);
            bytes <= GOSSIP_BYTES_MAX
        };
        let count = rest.iter().take(UPDATES_MAX).take_while(fits).count();
        let (now, later) = rest.split_at(count.max(1));
        cx.send_gossip(to, now.to_vec(), Dial::Later);
        rest = later;
    }
}
