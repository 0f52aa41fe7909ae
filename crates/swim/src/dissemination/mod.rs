//! Dissemination: the updates that wait to be sent to other members. They piggyback on every
//! message that can carry updates. The mode decides, once, how they are sent besides that.
//!
//! ```text
//!   push ──> queue ──┬─ on probes and answers         gossip_beginning_with
//!                    ├─ rounds: to random members     (SWIM, section 4.1; Swim and Lifeguard)
//!                    └─ flood: to all neighbours      flood.rs (Verified)
//! ```
//!
//! This module does not interpret the updates.

mod broadcasts;
mod flood;
mod queue;
mod rounds;

use std::sync::Arc;

use kinfolk_core::{ClusterEvent, NodeId, NodeState, NodeStatus};

use crate::context::Context;
use crate::fact::Spread;
use crate::interface::priority::Priority;
use crate::wire::codec::{self, GOSSIP_BYTES_MAX};
use crate::wire::message::{Update, UserMessage};
use broadcasts::Seen;
use flood::Flood;
pub(crate) use flood::Recipients;
pub(crate) use queue::inline;
pub use queue::{GossipQueue, transmit_limit};
use rounds::Rounds;

/// At most this many bytes of a message are not updates: its kind, lengths, and the longest name.
const ENVELOPE_BYTES: usize = 96;

/// The waiting updates, and when they are sent next.
#[derive(Debug)]
pub(crate) struct Dissemination {
    queue: GossipQueue,
    seen: Seen,
    sending: Sending,
}

/// How updates are sent that do not piggyback on other messages.
#[derive(Debug)]
enum Sending {
    /// To a few random members in each period (SWIM, section 4.1).
    Rounds(Rounds),
    /// To all neighbours at once.
    Flood(Flood),
}

impl Dissemination {
    /// Sends updates to a few random members in each period.
    pub(crate) fn in_rounds(cx: &mut Context) -> Self {
        Self::new(Sending::Rounds(Rounds::new(cx)))
    }

    /// Sends updates to all neighbours at once.
    pub(crate) fn by_flood() -> Self {
        Self::new(Sending::Flood(Flood::default()))
    }

    fn new(sending: Sending) -> Self {
        Self { queue: GossipQueue::new(), seen: Seen::default(), sending }
    }

    /// Queues an update. `teller` is the member that sent it, if any.
    pub(crate) fn push(&mut self, update: Update, priority: Priority, teller: Option<&NodeId>) {
        self.queue.push_received(update, priority, teller);
    }

    /// Queues the changed status of a member.
    pub(crate) fn pass_on(&mut self, status: Arc<NodeStatus>, accusers: &[NodeId], spread: Spread<'_>) {
        let teller = match spread {
            Spread::Nobody => return,
            Spread::All => None,
            Spread::AllBut(teller) => Some(teller),
        };
        // The order of `docs/protocol.md`: failed and left, then suspicions, then new members.
        let priority = match status.state {
            NodeState::Failed | NodeState::Left => Priority::Critical,
            NodeState::Suspect => Priority::High,
            NodeState::Alive => Priority::Medium,
        };
        // Accusers shorten a suspicion, and are the cause of a failure. Other states have none.
        let accusers = match status.state {
            NodeState::Suspect | NodeState::Failed => accusers.to_vec(),
            NodeState::Alive | NodeState::Left => Vec::new(),
        };
        self.push(Update::Node { status, accusers }, priority, teller);
    }

    /// Takes in a broadcast that `teller` passed on. Reports it to the application and passes it
    /// on, each once.
    pub(crate) fn receive_broadcast(&mut self, cx: &mut Context, teller: &NodeId, message: &UserMessage) {
        if message.origin == cx.me || !self.seen.is_new(message) {
            return;
        }
        let (from, payload) = (message.origin.clone(), message.payload.clone());
        cx.event(ClusterEvent::Broadcast { from, payload });
        self.push(Update::User(message.clone()), Priority::Low, Some(teller));
    }

    /// The updates `first`, then waiting updates, as many as fit into one message. `agrees` says
    /// whether the receiver's view agrees with the own view.
    pub(crate) fn gossip_beginning_with(
        &mut self,
        cx: &Context,
        first: Vec<Update>,
        agrees: bool,
    ) -> Vec<Update> {
        let mut gossip: Vec<Update> = first.into_iter().map(queue::inline).collect();
        // Most messages carry no updates, so this case stays cheap.
        if self.queue.is_empty() {
            return gossip;
        }
        let used: usize = gossip.iter().map(codec::encoded_len).sum();
        let budget = GOSSIP_BYTES_MAX - ENVELOPE_BYTES - used;
        let members = cx.members.member_count();
        let (reserved, retransmit) = (gossip.len(), cx.config.retransmit);
        let waiting = match self.sending {
            Sending::Rounds(_) => self.queue.take(reserved, budget, members, retransmit),
            Sending::Flood(_) => self.queue.piggyback(reserved, budget, (members, retransmit), agrees),
        };
        // The queue may hold those of `first` too. One copy is enough.
        let again = gossip.clone();
        gossip.extend(waiting.into_iter().filter(|update| !again.contains(update)));
        gossip
    }

    /// Schedules the next send of fresh updates.
    pub(crate) fn schedule_fresh(&mut self, cx: &mut Context) {
        match &mut self.sending {
            Sending::Rounds(rounds) => rounds.schedule_fresh(cx, &self.queue),
            Sending::Flood(flood) => flood.schedule_fresh(cx, &self.queue),
        }
    }

    /// Sends the waiting updates. `recipients` makes the list that a flood goes to.
    pub(crate) fn send(&mut self, cx: &mut Context, recipients: impl FnOnce() -> Recipients) {
        match &mut self.sending {
            Sending::Rounds(rounds) => rounds.send(cx, &self.queue),
            // The list costs an allocation, so rounds do not make it.
            Sending::Flood(flood) => flood.send(cx, &mut self.queue, &recipients()),
        }
    }

    /// Stops passing on the forget update about this member.
    pub(crate) fn withdraw_forget(&mut self, id: &NodeId) {
        self.queue.withdraw_forget(id);
    }

    /// Whether an update about this member waits.
    pub(crate) fn is_waiting(&self, id: &NodeId) -> bool {
        self.queue.is_waiting(id)
    }

    /// Whether an update about this member waits that was not sent at all yet.
    pub(crate) fn is_unsent(&self, id: &NodeId) -> bool {
        self.queue.is_unsent(id)
    }

    /// The number of waiting updates.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The number of broadcasts that were dropped at the bound.
    pub(crate) fn broadcasts_dropped(&self) -> u64 {
        self.queue.broadcasts_dropped()
    }

    /// The waiting updates.
    #[cfg(test)]
    pub(crate) fn queue(&mut self) -> &mut GossipQueue {
        &mut self.queue
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::Incarnation;
    use kinfolk_core::signed::Proof;

    use super::*;
    use crate::interface::config::SwimConfig;

    /// A broadcast of this many bytes as an update.
    pub(super) fn broadcast(number: u64, bytes: usize) -> Update {
        let update = |payload: usize| {
            let (origin, instance) = (NodeId::new("b").unwrap(), Incarnation::new(1));
            let (payload, proof) = (vec![0; payload].into(), Proof::default());
            Update::User(UserMessage { origin, instance, number, payload, proof })
        };
        let update = update(1_000 + bytes - codec::encoded_len(&update(1_000)));
        assert_eq!(codec::encoded_len(&update), bytes);
        update
    }

    #[test]
    fn updates_and_envelope_fill_at_most_one_message() {
        let mut cx = Context::of_others(SwimConfig::lifeguard(), &[("a", NodeState::Alive)]);
        let room = GOSSIP_BYTES_MAX - ENVELOPE_BYTES;
        let first = || Some(broadcast(0, 500));
        for (first, bytes, waiting) in
            [(None, room, 1), (None, room + 1, 0), (first(), room - 500, 1), (first(), room - 499, 0)]
        {
            for mut dissemination in [Dissemination::in_rounds(&mut cx), Dissemination::by_flood()] {
                dissemination.push(broadcast(1, bytes), Priority::Low, None);
                let sent =
                    dissemination.gossip_beginning_with(&cx, first.clone().into_iter().collect(), false);
                assert_eq!(sent.len(), usize::from(first.is_some()) + waiting, "{bytes} bytes");
            }
        }
    }
}
