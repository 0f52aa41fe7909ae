//! The end of a request of ours: an answer, or the evidence that there is none.

use kinfolk_core::{Instant, NodeId};

use crate::input::{NoReply, RequestId};
use crate::machine::Machine;
use crate::message::Message;
use crate::on_change::Spread;
use crate::output::JoinFailure;
use crate::requests::Purpose;

impl Machine {
    pub(crate) fn on_reply(&mut self, now: Instant, request: RequestId, from: &NodeId, message: Message) {
        let purpose = self.requests.take(request);
        match (purpose, message) {
            (Some(Purpose::Watch { id, sent }), Message::Ack { stranger, differs, shift_ms, gossip }) => {
                self.on_watch_ack(now, request, (&id, sent), shift_ms);
                self.on_gossip(now, from, &gossip);
                self.compared(now, from, differs);
                if stranger {
                    self.introduce_to(from);
                }
            }
            (Some(Purpose::Witness { id, round }), Message::Ack { gossip, .. }) => {
                self.on_witness_ack(now, &id, round);
                self.on_gossip(now, from, &gossip);
            }
            (Some(Purpose::Witness { id, round }), Message::Nack { closed, lossy }) => {
                if lossy {
                    self.note_fellow(now, &id, from);
                }
                self.on_witness_nack(now, request, (&id, round), closed);
            }
            (Some(Purpose::Comeback(trial)), Message::Ack { gossip, .. }) => {
                self.on_gossip(now, from, &gossip);
                self.on_trial(now, trial, None);
            }
            (Some(Purpose::Dispute(id)), Message::Ack { gossip, .. }) => {
                self.on_gossip(now, from, &gossip);
                self.end_dispute(now, &id, None);
            }
            (Some(Purpose::Probe), Message::Ack { stranger, gossip, .. }) => {
                self.on_direct_ack(from);
                self.on_gossip(now, from, &gossip);
                if stranger {
                    self.introduce_to(from);
                }
            }
            (Some(Purpose::IndirectProbe), Message::Ack { gossip, .. }) => {
                self.on_indirect_ack();
                self.on_gossip(now, from, &gossip);
            }
            (Some(Purpose::IndirectProbe), Message::Nack { .. }) => self.on_nack(),
            (Some(Purpose::Relay(relay)), Message::Ack { gossip, .. }) => {
                self.on_gossip(now, from, &gossip);
                self.on_relay_ack(&relay, from);
            }
            (Some(Purpose::Glance), Message::Ack { differs, gossip, .. }) => {
                self.on_gossip(now, from, &gossip);
                if differs {
                    self.compare_with(from);
                }
            }
            (Some(Purpose::Compare), Message::Differ { buckets }) => self.on_differ(from, buckets),
            (Some(Purpose::Join(joining)), Message::Welcome { clock, reception }) => {
                self.on_welcome(now, joining, clock, reception);
            }
            (Some(Purpose::Introduction(_)), Message::Page { nodes, .. }) => {
                self.on_introduced(now, from, &nodes);
            }
            (Some(Purpose::Sync(session)), Message::Page { nodes, more }) => {
                self.on_page(now, from, session, nodes, more);
            }
            (Some(Purpose::Describe(asked)), Message::Page { nodes, .. }) => {
                self.take_in(now, from, &nodes, Spread::AllBut(from));
                self.on_described(&asked);
            }
            (Some(Purpose::Leave), Message::Ack { .. }) => self.on_leave_told(true),
            (None, Message::Ack { gossip, .. }) => {
                self.stats.late_replies += 1;
                self.on_gossip(now, from, &gossip);
            }
            (None, _) => self.stats.late_replies += 1,
            (Some(purpose), _) => {
                self.stats.unexpected += 1;
                self.without_answer(now, purpose, request, NoReply::Refused);
            }
        }
    }

    pub(crate) fn on_no_reply(&mut self, now: Instant, request: RequestId, why: NoReply) {
        if let Some(purpose) = self.requests.take(request) {
            self.without_answer(now, purpose, request, why);
        }
    }

    fn without_answer(&mut self, now: Instant, purpose: Purpose, request: RequestId, why: NoReply) {
        match purpose {
            Purpose::Watch { id, sent } => {
                self.on_watch_silence(now, request, &id, why);
                if why != NoReply::Local {
                    self.note_unanswered(now, &id, sent);
                }
            }
            Purpose::Comeback(trial) => self.on_trial(now, trial, Some(why)),
            Purpose::Dispute(id) => self.end_dispute(now, &id, Some(why)),
            Purpose::Witness { id, round } => self.on_witness_silence(now, request, (&id, round)),
            Purpose::Probe => self.on_direct_silence(now, why),
            Purpose::IndirectProbe => self.on_indirect_silence(request, why),
            Purpose::Relay(relay) => self.on_relay_silence(&relay),
            Purpose::Join(joining) => self.join_failed(joining.command, JoinFailure::NoAnswer(why)),
            Purpose::Sync(session) => {
                if let Some(command) = session.command {
                    self.join_failed(command, JoinFailure::NoAnswer(why));
                }
            }
            Purpose::Describe(asked) => self.on_described(&asked),
            Purpose::Introduction(id) => self.on_not_introduced(&id, why),
            Purpose::Glance | Purpose::Compare => {}
            Purpose::Leave => self.on_leave_told(false),
        }
    }
}
