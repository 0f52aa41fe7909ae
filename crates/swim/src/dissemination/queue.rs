//! The queue of waiting updates: which updates go first, how often each is sent, and how many fit
//! into one message.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use kinfolk_core::signed::Covered;
use kinfolk_core::{Incarnation, NodeId};

use crate::interface::priority::Priority;
use crate::wire::codec::{self, INLINE_CLAIM_MAX, UPDATES_MAX};
use crate::wire::message::Update;

/// Waiting updates. This member sends each at most `retransmit * ceil(log2(N + 1))` times (SWIM,
/// section 4.1).
///
/// Updates leave the queue in the order of their priority. Among equal priorities the least sent
/// goes first, and among those the newest. A newer claim about a member replaces the older one, so
/// the queue has at most one claim about each member. At most
/// [`BROADCASTS_MAX`](Self::BROADCASTS_MAX) broadcasts wait. A further broadcast replaces the one
/// that was sent most often, and the queue counts it as dropped. Each operation costs O(log n).
#[derive(Debug, Default)]
pub struct GossipQueue {
    waiting: BTreeMap<Rank, Waiting>,
    ranks: HashMap<Subject, Rank>,
    broadcasts: usize,
    broadcasts_dropped: u64,
    pushed: u64,
}

/// The place in the queue: priority, number of sends, and number of the push. The smallest rank
/// goes first.
type Rank = (Priority, u32, Reverse<u64>);

#[derive(Debug)]
struct Waiting {
    subject: Subject,
    update: Update,
    bytes: usize,
    /// The member that sent the update to this member, if any.
    teller: Option<NodeId>,
}

/// What an update is about. A new update replaces the waiting update about the same subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Node(NodeId),
    /// An accusation: its subject, and its accuser.
    Accusation(NodeId, NodeId),
    User(NodeId, Incarnation, u64),
    Revocation(NodeId, Covered),
}

impl GossipQueue {
    /// How many broadcasts wait at most. Claims need no bound: there is one for each member.
    pub const BROADCASTS_MAX: usize = 1_024;

    /// How many updates are tried for one message. More than fit, because updates that are too
    /// large for the rest of the message are skipped. Bounded, so that a long queue costs no more.
    const TRIED_MAX: usize = 2 * UPDATES_MAX;

    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `update`, in place of an older update about the same subject. Its number of sends
    /// starts at 0. A claim of more than 1,120 bytes goes without its description.
    pub fn push(&mut self, update: Update, priority: Priority) {
        self.push_received(update, priority, None);
    }

    /// [`push`](Self::push) of an update that `teller` sent to this member. `teller` needs no copy.
    pub(crate) fn push_received(&mut self, update: Update, priority: Priority, teller: Option<&NodeId>) {
        let update = inline(update);
        let subject = subject(&update);
        self.remove(&subject);
        if matches!(subject, Subject::User(..)) {
            if self.broadcasts >= Self::BROADCASTS_MAX {
                self.drop_last_broadcast();
            }
            self.broadcasts += 1;
        }
        self.pushed += 1;
        let bytes = codec::encoded_len(&update);
        self.insert(
            (priority, 0, Reverse(self.pushed)),
            Waiting { subject, update, bytes, teller: teller.cloned() },
        );
    }

    /// Takes the updates for one message, and counts one send of each.
    ///
    /// At most [`UPDATES_MAX`] updates less `reserved`, and at most `bytes` bytes. `members` is the
    /// size of the group and `retransmit` the multiplier: both make the limit of sends.
    pub fn take(
        &mut self,
        reserved: usize,
        mut bytes: usize,
        members: usize,
        retransmit: u32,
    ) -> Vec<Update> {
        let limit = transmit_limit(members, retransmit);
        let mut chosen = Vec::new();
        for (rank, waiting) in self.waiting.iter().take(Self::TRIED_MAX) {
            if chosen.len() + reserved >= UPDATES_MAX {
                break;
            }
            if waiting.bytes <= bytes {
                bytes -= waiting.bytes;
                chosen.push(*rank);
            }
        }
        chosen.into_iter().filter_map(|rank| self.sent(rank, 1, limit)).map(|(update, _)| update).collect()
    }

    /// Returns the updates that piggyback on one message in `Mode::Verified`, within the bounds of
    /// [`take`](Self::take).
    ///
    /// An update that was not flooded yet goes too, but this send does not count: otherwise a ping
    /// before the flood would use up a send, and the flood would not take the update any more.
    ///
    /// `agrees` says whether the receiver's view agrees with the own view. Then the receiver knows
    /// the claims about members. They count as sent and stay here.
    pub(crate) fn piggyback(
        &mut self,
        reserved: usize,
        mut bytes: usize,
        (members, retransmit): (usize, u32),
        agrees: bool,
    ) -> Vec<Update> {
        let limit = transmit_limit(members, retransmit);
        let (mut chosen, mut counted) = (Vec::new(), Vec::new());
        for (rank, waiting) in self.waiting.iter().take(Self::TRIED_MAX) {
            // Forget updates and broadcasts are not in the digest, so they go in any case.
            if !(agrees && matches!(waiting.update, Update::Node { .. })) {
                if chosen.len() + reserved >= UPDATES_MAX {
                    break;
                }
                if waiting.bytes > bytes {
                    continue;
                }
                bytes -= waiting.bytes;
                chosen.push(waiting.update.clone());
            }
            if rank.1 > 0 {
                counted.push(*rank);
            }
        }
        for rank in counted {
            self.sent(rank, 1, limit);
        }
        chosen
    }

    /// Takes fresh updates for one flood, each with the member that sent it to this member.
    ///
    /// An update is fresh when it was not sent at all yet. The result fits into one message, and
    /// counts as `copies` sends of each update.
    pub(crate) fn take_fresh(
        &mut self,
        copies: u32,
        mut bytes: usize,
        members: usize,
        retransmit: u32,
    ) -> Vec<(Update, Option<NodeId>)> {
        let limit = transmit_limit(members, retransmit);
        let mut chosen = Vec::new();
        for priority in Priority::ALL {
            // The range of all ranks of this priority with 0 sends.
            let first = (priority, 0, Reverse(u64::MAX))..=(priority, 0, Reverse(0));
            for (rank, waiting) in self.waiting.range(first) {
                if chosen.len() < UPDATES_MAX && waiting.bytes <= bytes {
                    bytes -= waiting.bytes;
                    chosen.push(*rank);
                } else if !chosen.is_empty() {
                    break;
                }
            }
        }
        chosen.into_iter().filter_map(|rank| self.sent(rank, copies, limit)).collect()
    }

    /// Whether an update waits that was sent fewer than `times` times.
    pub fn has_fresh(&self, times: u32) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        // The first rank of a priority has the fewest sends, so one look-up each is enough.
        let fresh = |priority| {
            let first = self.waiting.range((priority, 0, Reverse(u64::MAX))..).next();
            first.is_some_and(|((found, sent, _), _)| *found == priority && *sent < times)
        };
        Priority::ALL.into_iter().any(fresh)
    }

    /// Whether an update about the member `id` waits.
    pub fn is_waiting(&self, id: &NodeId) -> bool {
        self.ranks.contains_key(&Subject::Node(id.clone()))
    }

    /// Whether an update about the member `id` waits that was not sent at all yet.
    pub(crate) fn is_unsent(&self, id: &NodeId) -> bool {
        self.ranks.get(&Subject::Node(id.clone())).is_some_and(|(_, sent, _)| *sent == 0)
    }

    /// Removes the forget update about `id`, if it waits. A claim about `id` stays.
    pub(crate) fn withdraw_forget(&mut self, id: &NodeId) {
        let subject = Subject::Node(id.clone());
        let waiting = self.ranks.get(&subject).and_then(|rank| self.waiting.get(rank));
        if waiting.is_some_and(|waiting| matches!(waiting.update, Update::Forget { .. })) {
            self.remove(&subject);
        }
    }

    /// The number of waiting updates.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no update waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The number of broadcasts that were dropped at the bound.
    pub fn broadcasts_dropped(&self) -> u64 {
        self.broadcasts_dropped
    }

    /// Counts `times` more sends of the update at `rank`, and returns it with its sender. An update
    /// that reaches `limit` leaves the queue.
    fn sent(&mut self, rank: Rank, times: u32, limit: u32) -> Option<(Update, Option<NodeId>)> {
        let waiting = self.waiting.remove(&rank)?;
        let taken = (waiting.update.clone(), waiting.teller.clone());
        let (priority, sent, number) = rank;
        if sent + times < limit {
            self.insert((priority, sent + times, number), waiting);
        } else {
            self.drop_rank(&waiting.subject);
        }
        Some(taken)
    }

    fn insert(&mut self, rank: Rank, waiting: Waiting) {
        self.ranks.insert(waiting.subject.clone(), rank);
        self.waiting.insert(rank, waiting);
    }

    fn remove(&mut self, subject: &Subject) {
        if let Some(rank) = self.ranks.get(subject).copied() {
            self.waiting.remove(&rank);
            self.drop_rank(subject);
        }
    }

    fn drop_rank(&mut self, subject: &Subject) {
        self.ranks.remove(subject);
        self.broadcasts -= usize::from(matches!(subject, Subject::User(..)));
    }

    fn drop_last_broadcast(&mut self) {
        // Broadcasts have the lowest priority, so the last update in the queue is a broadcast: the
        // one that was sent most often.
        if let Some((_, last)) = self.waiting.pop_last() {
            self.drop_rank(&last.subject);
            self.broadcasts_dropped += 1;
        }
    }
}

/// How often one member sends one update in a group of `members`:
/// `retransmit * ceil(log2(N + 1))`, and at least once (SWIM, section 4.1).
pub fn transmit_limit(members: usize, retransmit: u32) -> u32 {
    // ceil(log2(N + 1)) is the number of bits of N, so no floating point is needed.
    let bits = usize::BITS - members.leading_zeros();
    retransmit.saturating_mul(bits).max(1)
}

fn subject(update: &Update) -> Subject {
    match update {
        // A forget update and a claim about the same member exclude each other.
        Update::Node { status, .. } | Update::Forget { status, .. } => Subject::Node(status.id.clone()),
        Update::Accusation(accusation) => {
            Subject::Accusation(accusation.subject.clone(), accusation.accuser.clone())
        }
        Update::Revocation(revocation) => {
            Subject::Revocation(revocation.node.clone(), revocation.covered.clone())
        }
        Update::User(user) => Subject::User(user.origin.clone(), user.instance, user.number),
    }
}

/// Removes the description from a claim that is larger than [`INLINE_CLAIM_MAX`]. Large tags would
/// leave no room for other updates. A member that lacks them asks for them (`Message::Describe`).
pub(crate) fn inline(update: Update) -> Update {
    match update {
        Update::Node { status, accusers } if codec::encoded_len(&status) > INLINE_CLAIM_MAX => {
            Update::Node { status: status.without_description().into(), accusers }
        }
        update => update,
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
