//! The flood: what comes together within a few milliseconds goes to every neighbour in the rings and to every guest, once. The graph of
//! neighbours is an expander, so that a change reaches all in a few hops. What a message lost is repaired by what rides on
//! probes, and by the comparison of views (`repair/compare.rs`).

use kinfolk_core::NodeId;

use super::ENVELOPE_BYTES;
use super::queue::GossipQueue;
use crate::context::Context;
use crate::interface::delivery::Dial;
use crate::timer::Timer;
use crate::wire::codec::GOSSIP_BYTES_MAX;

/// Who is told at once what is new, each once.
#[derive(Debug)]
pub(crate) struct Told {
    /// Our neighbours in the rings. They count as told, so that each update is sent so many times less by other ways.
    neighbours: Vec<NodeId>,
    /// Our guests, who may have gone already.
    guests: Vec<NodeId>,
}

impl Told {
    /// The neighbours, ordered by name, and the guests.
    pub(crate) fn at_once<'a>(neighbours: Vec<NodeId>, guests: impl Iterator<Item = &'a NodeId>) -> Self {
        let guests = guests.filter(|id| neighbours.binary_search(id).is_err()).cloned().collect();
        Self { neighbours, guests }
    }
}

/// Whether the next push is scheduled. It is not before there is something to send.
#[derive(Debug, Default)]
pub(super) struct Flood {
    scheduled: bool,
}

impl Flood {
    /// Schedules the next push if something waits that has not been sent at all, and there is somebody to tell.
    pub(super) fn hurry(&mut self, cx: &mut Context, queue: &GossipQueue) {
        let idle = !self.scheduled && !cx.roster.is_empty();
        if idle && queue.has_fresh(1) {
            let at = cx.now + cx.config.push_delay.unwrap_or_default();
            cx.timers.schedule(at, Timer::Gossip);
            self.scheduled = true;
        }
    }

    /// Tells all these what has not been sent yet, as much as fits into one message; the rest follows.
    pub(super) fn send(&mut self, cx: &mut Context, queue: &mut GossipQueue, told: &Told) {
        self.scheduled = false;
        let copies = u32::try_from(told.neighbours.len()).unwrap_or(u32::MAX);
        let budget = GOSSIP_BYTES_MAX - ENVELOPE_BYTES;
        let members = cx.members.member_count();
        let news = queue.take_fresh(copies.max(1), budget, members, cx.config.retransmit);
        for id in told.neighbours.iter().chain(&told.guests) {
            let Some(member) = cx.members.get(id) else { continue };
            let untold = news.iter().filter(|(_, teller)| teller.as_ref() != Some(&member.id));
            let gossip: Vec<_> = untold.map(|(update, _)| update.clone()).collect();
            if !gossip.is_empty() {
                cx.send_gossip(&member, gossip, Dial::Never);
            }
        }
    }
}
