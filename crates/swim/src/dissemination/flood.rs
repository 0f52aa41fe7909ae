//! The flood (`Mode::Verified`): updates that arrive within a few milliseconds go together, once,
//! to every neighbour in the rings and to every guest. The graph of neighbours is an expander, so
//! a change reaches all members in a few hops.
//!
//! A message may be lost. Then the updates that piggyback on probes, and the anti-entropy rounds
//! (`repair/compare.rs`), bring the change.

use kinfolk_core::NodeId;

use super::ENVELOPE_BYTES;
use super::queue::GossipQueue;
use crate::context::Context;
use crate::interface::delivery::Dial;
use crate::timer::Timer;
use crate::wire::codec::GOSSIP_BYTES_MAX;

/// The members that one flood goes to, each once.
#[derive(Debug)]
pub(crate) struct Recipients {
    /// The neighbours in the rings. A flood to `n` neighbours counts as `n` sends of the update.
    neighbours: Vec<NodeId>,
    /// The guests. They do not count as sends, because a guest may have left or failed already.
    guests: Vec<NodeId>,
}

impl Recipients {
    /// The neighbours, ordered by name, and the guests.
    pub(crate) fn new<'a>(neighbours: Vec<NodeId>, guests: impl Iterator<Item = &'a NodeId>) -> Self {
        // A guest that is a neighbour too must not get the same message twice.
        let guests = guests.filter(|id| neighbours.binary_search(id).is_err()).cloned().collect();
        Self { neighbours, guests }
    }
}

/// Whether the next flood is scheduled. No flood is scheduled while there is nothing to send.
#[derive(Debug, Default)]
pub(super) struct Flood {
    scheduled: bool,
}

impl Flood {
    /// Schedules the next flood if an update was not sent at all yet, and there is another member.
    pub(super) fn schedule_fresh(&mut self, cx: &mut Context, queue: &GossipQueue) {
        let idle = !self.scheduled && !cx.roster.is_empty();
        if idle && queue.has_fresh(1) {
            // The delay lets updates that arrive together share one message.
            let at = cx.now + cx.config.push_delay.unwrap_or_default();
            cx.timers.schedule(at, Timer::Gossip);
            self.scheduled = true;
        }
    }

    /// Sends the fresh updates that fit into one message. The rest goes with the next flood.
    pub(super) fn send(&mut self, cx: &mut Context, queue: &mut GossipQueue, recipients: &Recipients) {
        self.scheduled = false;
        let copies = u32::try_from(recipients.neighbours.len()).unwrap_or(u32::MAX);
        let budget = GOSSIP_BYTES_MAX - ENVELOPE_BYTES;
        let members = cx.members.member_count();
        // Without neighbours a flood still counts as one send. Else the updates would stay fresh
        // and schedule a flood again and again.
        let fresh = queue.take_fresh(copies.max(1), budget, members, cx.config.retransmit);
        for id in recipients.neighbours.iter().chain(&recipients.guests) {
            let Some(member) = cx.members.get(id) else { continue };
            // The member that sent the update has it already.
            let unknown = fresh.iter().filter(|(_, teller)| teller.as_ref() != Some(&member.id));
            let gossip: Vec<_> = unknown.map(|(update, _)| update.clone()).collect();
            if !gossip.is_empty() {
                // A handshake costs far more than the message, and the next probe brings the same.
                cx.send_gossip(&member, gossip, Dial::Never);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinfolk_core::NodeState::Alive;

    use super::super::tests::broadcast;
    use super::*;
    use crate::interface::config::SwimConfig;
    use crate::interface::priority::Priority;

    /// A queue with one broadcast of this many bytes.
    fn queue(bytes: usize) -> GossipQueue {
        let mut queue = GossipQueue::new();
        queue.push(broadcast(0, bytes), Priority::Low);
        queue
    }

    #[test]
    fn one_flood_is_scheduled_after_the_delay() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[("a", Alive)]);
        let mut flood = Flood::default();
        flood.schedule_fresh(&mut cx, &GossipQueue::new());
        assert_eq!(cx.timers.len(), 0, "there is nothing to send");
        for _ in 0..2 {
            flood.schedule_fresh(&mut cx, &queue(500));
            assert_eq!((cx.timers.len(), cx.timers.next()), (1, Some(cx.now + Duration::from_millis(5))));
        }
    }

    #[test]
    fn lone_member_schedules_no_flood() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[]);
        Flood::default().schedule_fresh(&mut cx, &queue(500));
        assert_eq!(cx.timers.len(), 0);
    }

    #[test]
    fn flood_and_envelope_fill_at_most_one_message() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[("a", Alive)]);
        let neighbours = vec![NodeId::new("a").unwrap()];
        let recipients = Recipients::new(neighbours, std::iter::empty());
        let room = GOSSIP_BYTES_MAX - ENVELOPE_BYTES;
        for (bytes, is_sent) in [(room, true), (room + 1, false)] {
            Flood::default().send(&mut cx, &mut queue(bytes), &recipients);
            assert_eq!(cx.pop_output().is_some(), is_sent, "{bytes} bytes");
        }
    }
}
