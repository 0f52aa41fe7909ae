//! Members that only an exchange of views speaks of. A member that was cut off for longer than the
//! tombstones live still knows members that left or failed meanwhile, as alive. Nobody else
//! remembers them, so nothing outranks that claim. Such a member is asked for its own statement
//! first, and enters the view only by its answer.
//!
//! ```text
//!   exchange ──> claim about a member that is unknown here, and older than a tombstone
//!                   └──> Describe to the member itself ──┬─ its own statement ──> it is taken in
//!                                                        └─ no answer ──> the claim is dropped
//! ```
//!
//! The other side, which holds such a claim, watches the member itself from then on: see
//! [`Machine::is_missed_by_peer`].

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::{Incarnation, Instant, NodeId, NodeState, NodeStatus};

use crate::input::NoReply;
use crate::machine::Machine;
use crate::message::Message;
use crate::on_change::Spread;
use crate::output::Output;
use crate::requests::Purpose;

/// How many members wait for their introduction. One more is dropped and counted; the next exchange
/// brings it again.
const WAITING_MAX: usize = 4_096;
/// How many are asked at a time: each costs a connection.
pub(crate) const ASKED_MAX: usize = 16;

/// The members that wait until they have spoken for themselves.
#[derive(Debug, Default)]
pub(crate) struct Introductions {
    waiting: BTreeMap<NodeId, Introduction>,
}

#[derive(Debug)]
struct Introduction {
    claim: Arc<NodeStatus>,
    /// Who spoke of it.
    teller: NodeId,
    asked: bool,
}

impl Introductions {
    /// Adds a claim. Returns whether there was room.
    fn add(&mut self, claim: &Arc<NodeStatus>, teller: &NodeId) -> bool {
        if !self.waiting.contains_key(&claim.id) {
            if self.waiting.len() >= WAITING_MAX {
                return false;
            }
            let introduction =
                Introduction { claim: Arc::clone(claim), teller: teller.clone(), asked: false };
            self.waiting.insert(claim.id.clone(), introduction);
        }
        true
    }

    /// The next claim whose subject is to be asked, if not too many are asked already.
    fn next(&mut self) -> Option<Arc<NodeStatus>> {
        let asked = self.waiting.values().filter(|introduction| introduction.asked).count();
        let free = asked < ASKED_MAX;
        let next = self.waiting.values_mut().find(|introduction| free && !introduction.asked)?;
        next.asked = true;
        Some(Arc::clone(&next.claim))
    }

    /// Ends an introduction. Returns who spoke of the member.
    fn end(&mut self, id: &NodeId) -> Option<NodeId> {
        self.waiting.remove(id).map(|introduction| introduction.teller)
    }
}

impl Machine {
    /// If `from` speaks of a member that is unknown here and may be long gone, the member itself is
    /// asked. Returns whether that is so, and the claim not to be believed.
    pub(crate) fn asks_for_introduction(
        &mut self,
        now: Instant,
        from: &NodeId,
        claim: &Arc<NodeStatus>,
    ) -> bool {
        let may_be_gone = claim.state.is_member() && claim.id != *from && self.is_old(now, claim.incarnation);
        if !may_be_gone || claim.id == self.me.id || self.registry.get(&claim.id).is_some() {
            return false;
        }
        // Without its description its address is unknown. The next exchange brings it again.
        if claim.is_complete() {
            if !self.introductions.add(claim, from) {
                self.stats.introductions_full += 1;
            }
            self.introduce_next();
        }
        true
    }

    /// A member that waits for its introduction has said what it is.
    pub(crate) fn on_introduced(&mut self, now: Instant, from: &NodeId, nodes: &[Arc<NodeStatus>]) {
        let Some(teller) = self.introductions.end(from) else { return };
        for own in nodes.iter().filter(|node| node.id == *from) {
            if !self.refuses(now, from, (from, own.incarnation)) && !self.is_forgotten(now, from, own) {
                self.on_claim(now, own, Vec::new(), Spread::AllBut(&teller));
            }
        }
        self.introduce_next();
    }

    /// A member that waits for its introduction has not answered.
    pub(crate) fn on_not_introduced(&mut self, id: &NodeId, why: NoReply) {
        self.introductions.end(id);
        if why != NoReply::Local {
            self.stats.ghosts += 1;
        }
        self.introduce_next();
    }

    fn introduce_next(&mut self) {
        while let Some(claim) = self.introductions.next() {
            if self.registry.get(&claim.id).is_some() {
                // It has joined meanwhile.
                self.introductions.end(&claim.id);
                continue;
            }
            let request = Some(self.requests.add(Purpose::Introduction(claim.id.clone())));
            let message = Message::Describe { id: claim.id.clone() };
            let (to, addr, within) = (claim.id.clone(), claim.addr, Self::DELIVERED_WITHIN);
            self.output(Output::Send { to, addr, message, request, within });
        }
    }

    /// Whether a claim of this incarnation may be about a member whose tombstone nobody keeps any
    /// more. A member that started since then has an incarnation from since then. Half of the time
    /// is left for clocks that differ.
    fn is_old(&self, now: Instant, incarnation: Incarnation) -> bool {
        incarnation.later_by(self.config.tombstone_ttl / 2) < self.wall_clock.says(now)
    }

    /// Whether no tombstone that we could have known is gone yet.
    pub(crate) fn has_started_lately(&self, now: Instant) -> bool {
        !self.is_old(now, self.me.life)
    }

    /// Whether a peer that exchanged views with us lacks this member of ours, because it may be
    /// gone for long. If so nobody but us may be watching it.
    pub(crate) fn is_missed_by_peer(&self, now: Instant, ours: &NodeStatus) -> bool {
        ours.id != self.me.id && ours.state == NodeState::Alive && self.is_old(now, ours.incarnation)
    }
}
