//! What follows from what an owner says. Each fact is followed through, with all that it leads to, before the next one of
//! the same method.

use std::sync::Arc;

use kinfolk_core::{Cause, ClusterEvent, NodeState, NodeStatus, Reason};

use super::Owners;
use crate::context::Context;
use crate::dissemination;
use crate::fact::{Ask, Fact, Riding, Spread};
use crate::interface::delivery::Dial;
use crate::interface::output::Output;
use crate::repair::compare;
use crate::wire::message::Update;

impl Owners {
    /// Follows the facts of the owner's method that has just returned.
    #[inline]
    pub(super) fn settle(&mut self, cx: &mut Context) {
        // Mostly there is none.
        if cx.has_new_facts() {
            self.follow_all(cx);
        }
    }

    fn follow_all(&mut self, cx: &mut Context) {
        let outer = cx.waiting_facts();
        while cx.stack_facts() > outer {
            if let Some(fact) = cx.next_fact() {
                self.follow(cx, fact);
            }
        }
    }

    fn follow(&mut self, cx: &mut Context, fact: Fact) {
        match fact {
            Fact::Output(output) => cx.output(*output),
            Fact::Ask(ask) => self.send(cx, ask),
            Fact::TooLate(request) => drop(self.requests.take(request)),
            Fact::SendUpdates(member) => {
                let gossip = self.gossip_for(cx, &member, false);
                if !gossip.is_empty() {
                    cx.send_gossip(&member, gossip, Dial::Later);
                }
            }
            Fact::Disseminate { update, priority, teller } => {
                self.dissemination.push(*update, priority, teller.as_ref())
            }
            Fact::WordDropped(id) => self.dissemination.withdraw_forget(&id),
            Fact::Judged { status, cause } => {
                let change = self.members.apply(status);
                self.changed(cx, &change, &cause, Spread::All);
            }
            Fact::Stated { status, priority } => {
                let change = self.members.apply(status);
                let cause = Cause::by(cx.me.clone(), Reason::Reported);
                self.changed(cx, &change, &cause, Spread::Nobody);
                if let Some(status) = change.after().cloned() {
                    self.dissemination.push(Update::Node { status, accusers: Vec::new() }, priority, None);
                }
            }
            Fact::ClockSetBack(clock) => {
                self.myself.restart_life(clock);
                self.members.restate(cx, clock);
            }
            Fact::TrialWanted => self.myself.begin_trial(cx, &self.detection.neighbours()),
            Fact::CameBack => self.repair.contact_a_failed_one(cx),
            Fact::Found { id, evidence, once } => self.report.note(&id, *evidence, once),
            Fact::CheckPort { id, checked } => self.helper.check_port(cx, &id, checked),
            Fact::Doubted(id) => {
                if let Some(rings) = self.detection.rings() {
                    rings.doubt(cx, &id);
                }
            }
            Fact::CompareWith(id) => compare::begin_with(cx, &id),
            Fact::Reaped { id, known } => {
                self.report.forget(&id);
                if known {
                    cx.event(ClusterEvent::NodeReaped { id });
                    self.detection.recount(cx);
                }
            }
        }
    }

    /// Sends a request, with the updates that ride on it, and remembers what it was for.
    fn send(&mut self, cx: &mut Context, mut ask: Box<Ask>) {
        let riding = match &ask.riding {
            Riding::Nothing => None,
            Riding::For(member) => {
                let agrees = self.detection.agrees(cx, &member.id);
                Some(self.gossip_for(cx, member, agrees))
            }
            Riding::Ourselves => {
                let ours = cx.mine().map(|status| self.update_about(status));
                Some(self.dissemination.gossip_beginning_with(cx, ours, false))
            }
        };
        if let Some(riding) = riding
            && let Output::Send { message, .. } = &mut ask.output
            && let Some(gossip) = message.gossip_mut()
        {
            *gossip = riding;
        }
        let Ask { request, output, purpose, .. } = *ask;
        self.requests.add(request, purpose);
        cx.output(output);
    }

    /// The updates to go with a message to `to`: first what we hold against it, so that it can refute at once (Lifeguard's
    /// buddy system, section IV-C), then what waits. SWIM's paper tells only those that it has removed already.
    /// `agrees` says whether its view agrees with ours.
    pub(super) fn gossip_for(&mut self, cx: &Context, to: &NodeStatus, agrees: bool) -> Vec<Update> {
        let tells = match to.state {
            NodeState::Alive => false,
            NodeState::Suspect => cx.config.buddy,
            NodeState::Failed | NodeState::Left => true,
        };
        let against = if tells { cx.members.get(&to.id) } else { None };
        let against = against.map(|status| self.update_about(status));
        self.dissemination.gossip_beginning_with(cx, against, agrees)
    }

    /// What we know of a member, as an update.
    pub(super) fn update_about(&self, status: Arc<NodeStatus>) -> Update {
        let accusers = self.detection.accusers_of(&status.id);
        dissemination::inline(Update::Node { status, accusers })
    }
}
