//! News: what has changed and others have to hear. What waits rides on every message; how it is sent beside that is chosen
//! once, by the mode.
//!
//! ```text
//!   push ──> queue ──┬─ rides on probes and answers   gossip_beginning_with
//!                    ├─ rounds: to random members     (SWIM, section 4.1; Swim and Lifeguard)
//!                    └─ flood: to all neighbours      flood.rs (Verified)
//! ```
//!
//! It knows nothing of what the news means.

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
pub(crate) use flood::Told;
pub(crate) use queue::inline;
pub use queue::{GossipQueue, transmit_limit};
use rounds::Rounds;

/// What a message takes beside its updates, at the most: its kind, lengths, and the longest name.
const ENVELOPE_BYTES: usize = 96;

/// What waits to be passed on, and when it is sent next.
#[derive(Debug)]
pub(crate) struct Dissemination {
    queue: GossipQueue,
    seen: Seen,
    sending: Sending,
}

/// How news is sent that does not ride on other messages.
#[derive(Debug)]
enum Sending {
    /// A few random members in each period.
    Rounds(Rounds),
    /// All neighbours at once.
    Flood(Flood),
}

impl Dissemination {
    /// News goes to a few random members in each period.
    pub(crate) fn in_rounds(cx: &mut Context) -> Self {
        Self::sent(Sending::Rounds(Rounds::new(cx)))
    }

    /// News goes to all neighbours at once.
    pub(crate) fn by_flood() -> Self {
        Self::sent(Sending::Flood(Flood::default()))
    }

    fn sent(sending: Sending) -> Self {
        Self { queue: GossipQueue::new(), seen: Seen::default(), sending }
    }

    /// There is something new, which `teller` has told us.
    pub(crate) fn push(&mut self, update: Update, priority: Priority, teller: Option<&NodeId>) {
        self.queue.push_heard_from(update, priority, teller);
    }

    /// A member has changed.
    pub(crate) fn pass_on(&mut self, status: Arc<NodeStatus>, accusers: &[NodeId], spread: Spread<'_>) {
        let teller = match spread {
            Spread::Nobody => return,
            Spread::All => None,
            Spread::AllBut(teller) => Some(teller),
        };
        let priority = match status.state {
            NodeState::Failed | NodeState::Left => Priority::Critical,
            NodeState::Suspect => Priority::High,
            NodeState::Alive => Priority::Medium,
        };
        let accusers = match status.state {
            NodeState::Suspect | NodeState::Failed => accusers.to_vec(),
            NodeState::Alive | NodeState::Left => Vec::new(),
        };
        self.push(Update::Node { status, accusers }, priority, teller);
    }

    /// `teller` has passed on a broadcast: it is told to the application and passed on, once.
    pub(crate) fn heard_broadcast(&mut self, cx: &mut Context, teller: &NodeId, message: &UserMessage) {
        if message.origin == cx.me || !self.seen.is_new(message) {
            return;
        }
        let (from, payload) = (message.origin.clone(), message.payload.clone());
        cx.event(ClusterEvent::Broadcast { from, payload });
        self.push(Update::User(message.clone()), Priority::Low, Some(teller));
    }

    /// `first`, then what waits, as much as fits into one message. `agrees` says whether the view of who gets it agrees with ours.
    pub(crate) fn gossip_beginning_with(
        &mut self,
        cx: &Context,
        first: Option<Update>,
        agrees: bool,
    ) -> Vec<Update> {
        let mut gossip: Vec<Update> = first.map(queue::inline).into_iter().collect();
        if self.queue.is_empty() {
            return gossip;
        }
        let used: usize = gossip.iter().map(codec::encoded_len).sum();
        let budget = GOSSIP_BYTES_MAX - ENVELOPE_BYTES - used;
        let members = cx.members.member_count();
        let (reserved, retransmit) = (gossip.len(), cx.config.retransmit);
        let waiting = match self.sending {
            Sending::Rounds(_) => self.queue.take(reserved, budget, members, retransmit),
            Sending::Flood(_) => self.queue.ride(reserved, budget, (members, retransmit), agrees),
        };
        // What comes first may wait as well; it need not go twice.
        let again = gossip.first().cloned();
        gossip.extend(waiting.into_iter().filter(|update| Some(update) != again.as_ref()));
        gossip
    }

    /// Sees that what is fresh is sent soon.
    pub(crate) fn hurry(&mut self, cx: &mut Context) {
        match &mut self.sending {
            Sending::Rounds(rounds) => rounds.hurry(cx, &self.queue),
            Sending::Flood(flood) => flood.hurry(cx, &self.queue),
        }
    }

    /// It is time to send what waits; `at_once` says who is told at once.
    pub(crate) fn send(&mut self, cx: &mut Context, at_once: impl FnOnce() -> Told) {
        match &mut self.sending {
            Sending::Rounds(rounds) => rounds.send(cx, &self.queue),
            Sending::Flood(flood) => flood.send(cx, &mut self.queue, &at_once()),
        }
    }

    /// The word that this member is forgotten is not passed on any more.
    pub(crate) fn withdraw_word(&mut self, id: &NodeId) {
        self.queue.withdraw_word(id);
    }

    /// Whether news of this member waits.
    pub(crate) fn is_waiting(&self, id: &NodeId) -> bool {
        self.queue.is_waiting(id)
    }

    /// Whether news of this member waits that has not been sent at all.
    pub(crate) fn is_unsent(&self, id: &NodeId) -> bool {
        self.queue.is_unsent(id)
    }

    /// How many updates wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many broadcasts were dropped at the bound.
    pub(crate) fn broadcasts_dropped(&self) -> u64 {
        self.queue.broadcasts_dropped()
    }

    /// What waits.
    #[cfg(test)]
    pub(crate) fn queue(&mut self) -> &mut GossipQueue {
        &mut self.queue
    }
}
