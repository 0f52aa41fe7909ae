//! The messages that wait for their verification. Each peer has its share of the queue and of the
//! time, so a flood costs the flooder's share alone.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

/// How many bytes of one peer may wait: several pages.
const PEER_BYTES_MAX: usize = 512 * 1024;
/// How many bytes of all peers may wait.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many peers have an account at a time. One more must wait for an unused account.
const PEERS_MAX: usize = 4_096;
/// What one signature costs in the account of a peer: a peer that sends all the time gets 500
/// signatures a second, which take about 3 % of a core.
const SIGNATURE_COST: Duration = Duration::from_millis(2);
/// How far a peer may be ahead of that rate: it may introduce a group of 20,000 members at once,
/// each with a certificate and a statement.
const AHEAD_MAX: Duration = Duration::from_secs(80);

/// A queue in which the peers take turns.
#[derive(Debug)]
pub(super) struct Queue<T> {
    accounts: HashMap<NodeId, Account<T>>,
    /// The peers with waiting messages, in the order of their turns.
    turns: VecDeque<NodeId>,
    bytes: usize,
}

#[derive(Debug)]
struct Account<T> {
    waiting: VecDeque<T>,
    /// The bytes of the messages of this peer that have not ended.
    bytes: usize,
    /// The time at which the signatures so far are paid for.
    paid_at: Instant,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { accounts: HashMap::new(), turns: VecDeque::new(), bytes: 0 }
    }
}

impl<T> Queue<T> {
    /// Adds a message of a peer.
    ///
    /// # Errors
    /// The message, if the peer has used up its share, or all shares are used.
    pub(super) fn push(&mut self, now: Instant, peer: NodeId, bytes: usize, message: T) -> Result<(), T> {
        if !self.accounts.contains_key(&peer) && self.accounts.len() >= PEERS_MAX {
            self.accounts.retain(|_, account| account.bytes > 0 || account.paid_at > now);
            if self.accounts.len() >= PEERS_MAX {
                return Err(message);
            }
        }
        if self.bytes + bytes > BYTES_MAX {
            return Err(message);
        }
        let account = self.accounts.entry(peer.clone()).or_insert_with(|| Account {
            waiting: VecDeque::new(),
            bytes: 0,
            paid_at: now,
        });
        if account.bytes + bytes > PEER_BYTES_MAX || account.paid_at.since(now) > AHEAD_MAX {
            return Err(message);
        }
        account.bytes += bytes;
        self.bytes += bytes;
        self.resume(peer, message);
        Ok(())
    }

    /// Queues a message again that was taken out and has not ended.
    pub(super) fn resume(&mut self, peer: NodeId, message: T) {
        if let Some(account) = self.accounts.get_mut(&peer) {
            account.waiting.push_back(message);
            if account.waiting.len() == 1 {
                self.turns.push_back(peer);
            }
        }
    }

    /// Takes the next message: of the peer whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let peer = self.turns.pop_front()?;
        let account = self.accounts.get_mut(&peer)?;
        let message = account.waiting.pop_front();
        if !account.waiting.is_empty() {
            self.turns.push_back(peer);
        }
        message
    }

    /// A message of this peer has ended.
    pub(super) fn ended(&mut self, peer: &NodeId, bytes: usize) {
        if let Some(account) = self.accounts.get_mut(peer) {
            account.bytes -= bytes;
            self.bytes -= bytes;
        }
    }

    /// A signature was checked for this peer.
    pub(super) fn pay(&mut self, now: Instant, peer: &NodeId) {
        if let Some(account) = self.accounts.get_mut(peer) {
            account.paid_at = account.paid_at.max(now) + SIGNATURE_COST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::ORIGIN;

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn fill(queue: &mut Queue<usize>, peer: &str, bytes: usize) -> usize {
        (0..BYTES_MAX).take_while(|number| queue.push(NOW, id(peer), bytes, *number).is_ok()).count()
    }

    #[test]
    fn peers_take_turns() {
        let mut queue = Queue::default();
        for (peer, message) in [("a", 1), ("a", 2), ("a", 3), ("b", 4)] {
            queue.push(NOW, id(peer), 1, message).unwrap();
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [1, 4, 2, 3]);
    }

    #[test]
    fn full_share_of_one_peer_leaves_room_for_others() {
        let mut queue = Queue::default();
        assert_eq!(fill(&mut queue, "a", 4_096), PEER_BYTES_MAX / 4_096);
        assert!(queue.push(NOW, id("b"), 4_096, 0).is_ok());
        queue.ended(&id("a"), 4_096);
        assert_eq!(fill(&mut queue, "a", 4_096), 1);
    }

    #[test]
    fn bytes_of_all_peers_are_bounded() {
        let mut queue = Queue::default();
        let peers = BYTES_MAX / PEER_BYTES_MAX;
        (0..peers).for_each(|peer| assert!(fill(&mut queue, &format!("n{peer}"), 65_536) > 0));
        assert_eq!(queue.push(NOW, id("late"), 1, 7), Err(7));
    }

    #[test]
    fn peer_that_costs_too_much_waits_until_it_has_paid() {
        let mut queue = Queue::default();
        queue.push(NOW, id("a"), 1, 0).unwrap();
        let allowed = AHEAD_MAX.as_millis() / SIGNATURE_COST.as_millis();
        (0..=allowed).for_each(|_| queue.pay(NOW, &id("a")));
        assert_eq!(queue.push(NOW, id("a"), 1, 1), Err(1));
        assert!(queue.push(NOW, id("b"), 1, 2).is_ok());
        assert!(queue.push(NOW + SIGNATURE_COST, id("a"), 1, 3).is_ok());
    }

    #[test]
    fn unused_account_makes_room_for_another_peer() {
        let mut queue = Queue::default();
        (0..PEERS_MAX).for_each(|peer| queue.push(NOW, id(&format!("n{peer}")), 1, 0).unwrap());
        assert_eq!(queue.push(NOW, id("one-more"), 1, 1), Err(1));
        queue.ended(&id("n7"), 1);
        assert!(queue.push(NOW, id("one-more"), 1, 1).is_ok());
    }
}
