//! A peer's message: its gossip is taken in first, then it is answered.

use kinfolk_core::{Instant, NodeId};

use crate::input::ReplyId;
use crate::machine::Machine;
use crate::message::Message;
use crate::output::Output;
use crate::relay::PingReq;

impl Machine {
    pub(crate) fn on_message(
        &mut self,
        now: Instant,
        from: &NodeId,
        message: Message,
        reply_to: Option<ReplyId>,
    ) {
        match (message, reply_to) {
            (Message::Ping { digest, gossip }, Some(to)) => {
                self.on_gossip(now, from, &gossip);
                let differs = digest != 0 && digest != self.view_digest();
                let shift_ms = self.spacing_of(now, from);
                let known = self.registry.get(from);
                let stranger = known.is_none();
                let gossip = match known {
                    Some(known) => self.gossip_for(&known),
                    None => self.gossip_beginning_with(self.word_about(now, from)),
                };
                self.output(Output::Reply {
                    to,
                    message: Message::Ack { stranger, differs, shift_ms, gossip },
                });
            }
            (Message::PingReq { target, within_ms, nack, check_port, gossip }, Some(reply_to)) => {
                self.on_gossip(now, from, &gossip);
                self.on_ping_req(now, PingReq { reply_to, target, within_ms, nack, check_port });
            }
            (Message::Gossip { gossip }, _) => self.on_gossip(now, from, &gossip),
            (Message::Sync { nodes, after, want, only }, Some(to)) => {
                self.on_sync(now, from, to, nodes, (after, want, only));
            }
            (Message::Join { clock, me }, Some(to)) => self.on_join(now, from, to, (clock, me)),
            (Message::Compare { buckets }, Some(to)) => self.on_compare(to, &buckets),
            (Message::Describe { id }, Some(to)) => self.on_describe(&id, to),
            // An answer that was not asked for, or a question that cannot be answered: the peer is confused, and
            // nothing that it says is used.
            (
                Message::Ack { .. }
                | Message::Nack { .. }
                | Message::Welcome { .. }
                | Message::Page { .. }
                | Message::Differ { .. },
                _,
            )
            | (
                Message::Ping { .. }
                | Message::PingReq { .. }
                | Message::Join { .. }
                | Message::Sync { .. }
                | Message::Compare { .. }
                | Message::Describe { .. },
                None,
            ) => {
                self.stats.unexpected += 1;
            }
        }
    }
}
