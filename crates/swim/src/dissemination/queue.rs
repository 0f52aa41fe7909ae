//! The updates that wait to ride on a message: which ones go first, how often each is sent, and how many fit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use kinfolk_core::{Incarnation, NodeId};

use crate::interface::priority::Priority;
use crate::wire::codec::{self, INLINE_CLAIM_MAX, UPDATES_MAX};
use crate::wire::message::Update;

/// Updates that wait, each sent at most `retransmit * ceil(log2(N + 1))` times (SWIM, section 4.1).
///
/// Taken in order of priority, among equals the least sent first, among those the newest. A newer claim about a member
/// replaces the older, so that there is at most one a member; broadcasts are bounded by
/// [`BROADCASTS_MAX`](Self::BROADCASTS_MAX), beyond which the one that was sent most often goes, and is counted. Each
/// operation costs O(log n).
#[derive(Debug, Default)]
pub struct GossipQueue {
    waiting: BTreeMap<Rank, Waiting>,
    ranks: HashMap<Subject, Rank>,
    broadcasts: usize,
    broadcasts_dropped: u64,
    pushed: u64,
}

/// The place in the queue: the smallest goes first.
type Rank = (Priority, u32, Reverse<u64>);

#[derive(Debug)]
struct Waiting {
    subject: Subject,
    update: Update,
    bytes: usize,
    /// Who told us, if somebody did.
    teller: Option<NodeId>,
}

/// What an update is about; the newest one about it stands for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Node(NodeId),
    User(NodeId, Incarnation, u64),
}

impl GossipQueue {
    /// How many broadcasts wait at the most.
    pub const BROADCASTS_MAX: usize = 1_024;

    /// How many updates are looked at for one message: beyond those that fit, some are passed over as too large.
    const LOOKED_AT_MAX: usize = 2 * UPDATES_MAX;

    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `update` in the place of an older one about the same subject, to be sent from the start. A claim too large
    /// to ride along goes without its description.
    pub fn push(&mut self, update: Update, priority: Priority) {
        self.push_heard_from(update, priority, None);
    }

    /// [`push`](Self::push) of something that `teller` has told us, who need not be told.
    pub(crate) fn push_heard_from(&mut self, update: Update, priority: Priority, teller: Option<&NodeId>) {
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

    /// Takes what goes into one message: at most [`UPDATES_MAX`] updates less `reserved`, and `bytes` bytes, in a group
    /// of `members`. `retransmit` is the multiplier of the limit.
    pub fn take(
        &mut self,
        reserved: usize,
        mut bytes: usize,
        members: usize,
        retransmit: u32,
    ) -> Vec<Update> {
        let limit = transmit_limit(members, retransmit);
        let mut chosen = Vec::new();
        for (rank, waiting) in self.waiting.iter().take(Self::LOOKED_AT_MAX) {
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

    /// Takes what rides on one message where news is flooded, as [`take`](Self::take) does. What has not been flooded yet goes along
    /// and is not counted: the flood tells all neighbours of it. `agrees` says whether the view of who gets the message agrees
    /// with ours: then claims about members count as sent, and stay at home.
    pub(crate) fn ride(
        &mut self,
        reserved: usize,
        mut bytes: usize,
        (members, retransmit): (usize, u32),
        agrees: bool,
    ) -> Vec<Update> {
        let limit = transmit_limit(members, retransmit);
        let (mut rides, mut counted) = (Vec::new(), Vec::new());
        for (rank, waiting) in self.waiting.iter().take(Self::LOOKED_AT_MAX) {
            if !(agrees && matches!(waiting.update, Update::Node { .. })) {
                if rides.len() + reserved >= UPDATES_MAX {
                    break;
                }
                if waiting.bytes > bytes {
                    continue;
                }
                bytes -= waiting.bytes;
                rides.push(waiting.update.clone());
            }
            if rank.1 > 0 {
                counted.push(*rank);
            }
        }
        for rank in counted {
            self.sent(rank, 1, limit);
        }
        rides
    }

    /// Takes what goes, all of it, to each of `copies` members at once: updates that have not been sent at all, as many
    /// as fit into one message, each with who told us.
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

    /// Whether an update waits that has been sent fewer than `times` times.
    pub fn has_fresh(&self, times: u32) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
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

    /// Whether an update about the member `id` waits that has not been sent at all.
    pub(crate) fn is_unsent(&self, id: &NodeId) -> bool {
        self.ranks.get(&Subject::Node(id.clone())).is_some_and(|(_, sent, _)| *sent == 0)
    }

    /// Takes back the word that `id` is forgotten, if it waits.
    pub(crate) fn withdraw_word(&mut self, id: &NodeId) {
        let subject = Subject::Node(id.clone());
        let waiting = self.ranks.get(&subject).and_then(|rank| self.waiting.get(rank));
        if waiting.is_some_and(|waiting| matches!(waiting.update, Update::Forget { .. })) {
            self.remove(&subject);
        }
    }

    /// How many updates wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many broadcasts were dropped at the bound.
    pub fn broadcasts_dropped(&self) -> u64 {
        self.broadcasts_dropped
    }

    /// Counts `times` more sendings of the update at `rank`; the last one removes it.
    fn sent(&mut self, rank: Rank, times: u32, limit: u32) -> Option<(Update, Option<NodeId>)> {
        let waiting = self.waiting.remove(&rank)?;
        let taken = (waiting.update.clone(), waiting.teller.clone());
        let (priority, sent, number) = rank;
        if sent + times < limit {
            self.insert((priority, sent + times, number), waiting);
        } else {
            self.forget(&waiting.subject);
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
            self.forget(subject);
        }
    }

    fn forget(&mut self, subject: &Subject) {
        self.ranks.remove(subject);
        self.broadcasts -= usize::from(matches!(subject, Subject::User(..)));
    }

    fn drop_last_broadcast(&mut self) {
        // Broadcasts have the lowest priority: the last in the queue is one, the one sent most often.
        if let Some((_, last)) = self.waiting.pop_last() {
            self.forget(&last.subject);
            self.broadcasts_dropped += 1;
        }
    }
}

/// How often one member sends one update in a group of `members`: `retransmit * ceil(log2(N + 1))`, at least once.
pub fn transmit_limit(members: usize, retransmit: u32) -> u32 {
    // ceil(log2(N + 1)) is the number of bits of N.
    let bits = usize::BITS - members.leading_zeros();
    retransmit.saturating_mul(bits).max(1)
}

fn subject(update: &Update) -> Subject {
    match update {
        Update::Node { status, .. } => Subject::Node(status.id.clone()),
        Update::Forget { id, .. } => Subject::Node(id.clone()),
        Update::User(user) => Subject::User(user.origin.clone(), user.life, user.number),
    }
}

/// Without its description, if it is too large to ride along.
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
