//! Passing fresh news on at once (`Mode::Verified`): what comes together within a few milliseconds goes to every neighbour
//! in the rings, once. The graph of neighbours is an expander, so that a change reaches all in a few hops. What a message
//! lost is repaired by what rides on probes, and by the comparison of views (`compare.rs`).

use kinfolk_core::Instant;

use crate::codec::GOSSIP_BYTES_MAX;
use crate::machine::Machine;
use crate::message::Message;
use crate::on_gossip::ENVELOPE_BYTES;
use crate::timer::Timer;

impl Machine {
    /// Schedules the next push if something waits that has not been sent at all, and there is somebody to tell.
    pub(crate) fn hurry_flood(&mut self, now: Instant) {
        let idle = self.next_gossip.is_none() && !self.overlay.is_empty();
        if idle && self.queue.has_fresh(1) {
            let at = now + self.config.push_delay.unwrap_or_default();
            self.next_gossip = Some((at, self.timers.schedule(at, Timer::Gossip)));
        }
    }

    /// Tells all neighbours what has not been sent yet, as much as fits into one message; the rest follows.
    pub(crate) fn flood(&mut self) {
        self.next_gossip = None;
        let neighbours = self.watch.neighbours();
        let copies = u32::try_from(neighbours.len()).unwrap_or(u32::MAX);
        let budget = GOSSIP_BYTES_MAX - ENVELOPE_BYTES;
        let members = self.registry.member_count();
        let news = self.queue.take_fresh(copies.max(1), budget, members, self.config.retransmit);
        for id in &neighbours {
            let Some(neighbour) = self.registry.get(id) else { continue };
            let untold = news.iter().filter(|(_, teller)| teller.as_ref() != Some(&neighbour.id));
            let gossip: Vec<_> = untold.map(|(update, _)| update.clone()).collect();
            if !gossip.is_empty() {
                self.send(&neighbour, Message::Gossip { gossip });
            }
        }
    }
}
