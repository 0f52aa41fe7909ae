//! Updates: taking in what comes, choosing what goes along with a message, and sending the rest to random members
//! (SWIM, section 4.1).

use std::sync::Arc;

use kinfolk_core::{Cause, Change, ClusterEvent, Instant, NodeId, NodeState, NodeStatus, Reason};

use crate::codec::{self, GOSSIP_BYTES_MAX};
use crate::machine::Machine;
use crate::message::{Message, Update, UserMessage};
use crate::on_change::Spread;
use crate::output::Output;
use crate::queue::{self, Priority};
use crate::timer::Timer;

/// What a message takes beside its updates, at the most: its kind, lengths, and the longest name.
pub(crate) const ENVELOPE_BYTES: usize = 96;

impl Machine {
    pub(crate) fn on_gossip(&mut self, now: Instant, from: &NodeId, gossip: &[Update]) {
        // So it is at rest.
        if gossip.is_empty() {
            return;
        }
        let claims = gossip.iter().filter_map(|update| match update {
            Update::Node { status, .. } => Some(&**status),
            Update::User(_) | Update::Forget { .. } => None,
        });
        let mut news = self.registry.news(claims.clone()).into_iter();
        for update in gossip {
            match update {
                Update::Node { status, accusers } => {
                    let is_news = news.next().unwrap_or(true);
                    // A suspicion that is known may have another accuser, and what is said of us is ours to judge.
                    let matters = is_news
                        || status.state == NodeState::Suspect
                        || status.id == self.me.id
                        || self.wall_clock.is_far_ahead(&status.id);
                    if matters && self.believes(now, from, status) {
                        self.on_claim(now, status, accusers.clone(), Spread::AllBut(from));
                    }
                }
                Update::Forget { id, incarnation } => self.on_forget(now, from, id, *incarnation),
                Update::User(message) => {
                    // The instance of an origin outranks its earlier ones: a false one would
                    // silence it.
                    if !self.refuses(now, from, (&message.origin, message.life)) {
                        self.on_user_message(from, message);
                    }
                }
            }
        }
        // Mostly nobody lacks a description: then no name is looked up.
        if self.registry.incomplete_count() > 0 {
            for status in claims {
                self.complete(from, &status.id);
            }
        }
    }

    /// Whether a claim that came by gossip is to be taken in.
    fn believes(&mut self, now: Instant, from: &NodeId, claim: &Arc<NodeStatus>) -> bool {
        if self.refuses(now, from, (&claim.id, claim.incarnation)) || self.is_forgotten(now, from, claim) {
            return false;
        }
        // News of a member that joins begins with its own statement. A suspicion about one that is
        // unknown here comes from a member that was cut off.
        claim.state != NodeState::Suspect || !self.asks_for_introduction(now, from, claim)
    }

    /// Takes in a claim about any member, which is not [refused](Self::refuses), and passes it on
    /// as `spread` says if it is news.
    pub(crate) fn on_claim(
        &mut self,
        now: Instant,
        status: &Arc<NodeStatus>,
        accusers: Vec<NodeId>,
        spread: Spread<'_>,
    ) {
        if status.id == self.me.id {
            return self.on_claim_about_me(now, status);
        }
        let change = if self.gives_way(now, &status.id) {
            self.registry.replace(Arc::clone(status))
        } else {
            self.registry.apply(Arc::clone(status))
        };
        match change {
            Change::None if status.state == NodeState::Suspect => {
                let same = |known: &Arc<NodeStatus>| {
                    (known.incarnation, known.state) == (status.incarnation, NodeState::Suspect)
                };
                if let Some(known) = self.registry.get(&status.id).filter(same) {
                    self.confirm(now, &known, &accusers);
                }
            }
            Change::None => {}
            change => self.on_change(now, &change, &Cause { reason: Reason::Reported, accusers }, spread),
        }
    }

    fn on_user_message(&mut self, teller: &NodeId, message: &UserMessage) {
        if message.origin == self.me.id || !self.seen.is_new(message) {
            return;
        }
        let (from, payload) = (message.origin.clone(), message.payload.clone());
        self.output(Output::Event(ClusterEvent::Broadcast { from, payload }));
        self.queue.push_heard_from(Update::User(message.clone()), Priority::Low, Some(teller));
    }

    /// The updates to go with a message to `to`: first what we hold against it, so that it can refute at once
    /// (Lifeguard's buddy system, section IV-C), then what waits.
    pub(crate) fn gossip_for(&mut self, to: &NodeStatus) -> Vec<Update> {
        self.gossip_beginning_with(self.claim_against(to))
    }

    /// `first`, then what waits, as much as fits into one message.
    pub(crate) fn gossip_beginning_with(&mut self, first: Option<Update>) -> Vec<Update> {
        let mut gossip: Vec<Update> = first.into_iter().collect();
        if self.queue.is_empty() {
            return gossip;
        }
        let used: usize = gossip.iter().map(codec::encoded_len).sum();
        let budget = GOSSIP_BYTES_MAX - ENVELOPE_BYTES - used;
        let members = self.registry.member_count();
        let waiting = self.queue.take(gossip.len(), budget, members, self.config.retransmit);
        // What comes first may wait as well; it need not go twice.
        let again = gossip.first().cloned();
        gossip.extend(waiting.into_iter().filter(|update| Some(update) != again.as_ref()));
        gossip
    }

    /// What we know of `id`, as an update.
    pub(crate) fn gossip_about(&self, id: &NodeId) -> Option<Update> {
        let status = self.registry.get(id)?;
        Some(queue::inline(Update::Node { status, accusers: self.accusers_of(id) }))
    }

    /// A claim that `to` is not alive. SWIM's paper tells only those that it has removed already.
    fn claim_against(&self, to: &NodeStatus) -> Option<Update> {
        let tell = match to.state {
            NodeState::Alive => false,
            NodeState::Suspect => self.config.buddy,
            NodeState::Failed | NodeState::Left => true,
        };
        if tell { self.gossip_about(&to.id) } else { None }
    }

    pub(crate) fn on_gossip_due(&mut self, now: Instant) {
        if self.config.is_verified() {
            return self.flood();
        }
        let at = now + self.config.gossip_interval;
        self.next_gossip = Some((at, self.timers.schedule(at, Timer::Gossip)));
        if self.queue.is_empty() {
            return;
        }
        for member in self.random_members(self.config.gossip_fanout, None) {
            let gossip = self.gossip_for(&member);
            if !gossip.is_empty() {
                self.send(&member, Message::Gossip { gossip });
            }
        }
    }

    /// Brings the next gossip forward if something waits that few have been told yet: two rounds of pushes reach
    /// nearly all (each member is missed with a chance of `e^-6` at a fan-out of 3), and the regular rounds the rest.
    pub(crate) fn hurry_gossip(&mut self, now: Instant) {
        if self.config.is_verified() {
            return self.hurry_flood(now);
        }
        let (Some(delay), Some((at, key))) = (self.config.push_delay, self.next_gossip) else { return };
        let told_a_round = self.config.gossip_fanout.min(self.overlay.len());
        let twice = u32::try_from(2 * told_a_round).unwrap_or(u32::MAX);
        let soon = now + delay;
        if soon < at && self.queue.has_fresh(twice) {
            self.timers.cancel(key);
            self.next_gossip = Some((soon, self.timers.schedule(soon, Timer::Gossip)));
        }
    }
}
