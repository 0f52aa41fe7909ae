//! Gives each fact to the owner that handles it. All consequences of a fact happen before the next
//! fact of the same method.

use std::sync::Arc;

use kinfolk_core::{Cause, ClusterEvent, NodeState, NodeStatus, Reason};

use super::Owners;
use crate::context::Context;
use crate::dissemination;
use crate::fact::{Ask, Fact, Piggyback, Spread};
use crate::interface::delivery::Dial;
use crate::interface::output::Output;
use crate::repair::compare;
use crate::wire::message::Update;

impl Owners {
    /// Handles the facts of the owner's method that has just returned.
    #[inline]
    pub(super) fn settle(&mut self, cx: &mut Context) {
        // Mostly there are no facts. This check is inlined, and the rest is not.
        if cx.has_new_facts() {
            self.follow_all(cx);
        }
    }

    fn follow_all(&mut self, cx: &mut Context) {
        // A fact may lead to a further call of `settle`. That call handles only the facts above
        // those that wait now.
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
                self.dissemination.push(*update, priority, teller.as_ref());
            }
            Fact::ForgetDropped(id) => self.dissemination.withdraw_forget(&id),
            Fact::Judged { status, cause } => {
                self.accuse(cx, &status, cause.reason);
                let change = self.members.apply(status);
                self.changed(cx, &change, &cause, Spread::All);
            }
            Fact::Stated { status, priority } => {
                let change = self.members.apply(status);
                let cause = Cause::by(cx.me.clone(), Reason::Reported);
                // The update is queued below, with the priority of the statement.
                self.changed(cx, &change, &cause, Spread::Nobody);
                if let Some(status) = change.after().cloned() {
                    self.dissemination.push(Update::Node { status, accusers: Vec::new() }, priority, None);
                }
            }
            Fact::ClockSetBack(clock) => {
                self.myself.restart_instance(clock);
                if let Some(statement) = self.myself.statement_at(cx, clock) {
                    self.members.restate(cx, statement);
                }
            }
            Fact::ReturnCheckWanted => self.myself.begin_return_check(cx, &self.detection.neighbours()),
            Fact::Returned => self.repair.contact_failed_member(cx),
            Fact::Found { id, evidence, once } => self.report.note(&id, *evidence, once),
            Fact::CheckPort { id, checked } => self.helper.check_port(cx, &id, checked),
            Fact::CheckSubject(id) => {
                if let Some(rings) = self.detection.rings() {
                    rings.check_subject(cx, &id);
                }
            }
            Fact::CompareWith(id) => compare::begin_with(cx, &id),
            Fact::Reaped { id, known } => {
                self.report.forget(&id);
                if let Some(accusations) = &mut self.accusations {
                    accusations.forget(&id);
                }
                if known {
                    cx.event(ClusterEvent::NodeReaped { id });
                    self.detection.recount(cx);
                }
            }
        }
    }

    /// Sends a request with the updates that piggyback on it, and stores its purpose.
    fn send(&mut self, cx: &mut Context, mut ask: Box<Ask>) {
        let piggyback = match &ask.piggyback {
            Piggyback::Nothing => None,
            Piggyback::For(member) => {
                let agrees = self.detection.agrees(cx, &member.id);
                Some(self.gossip_for(cx, member, agrees))
            }
            Piggyback::OwnStatement => {
                let ours = cx.mine().map(|status| self.update_about(status));
                // `false`: the receiver's view may not have this statement yet.
                Some(self.dissemination.gossip_beginning_with(cx, ours.into_iter().collect(), false))
            }
        };
        if let Some(piggyback) = piggyback
            && let Output::Send { message, .. } = &mut ask.output
            && let Some(gossip) = message.gossip_mut()
        {
            *gossip = piggyback;
        }
        let Ask { request, output, purpose, .. } = *ask;
        self.requests.add(request, purpose);
        cx.output(output);
    }

    /// The updates for a message to `to`: first the claim against `to`, if there is one, then the
    /// waiting updates. With the claim the receiver can refute at once (Lifeguard's buddy system,
    /// section IV-C). Without the buddy system a suspect gets no claim. A failed or left member
    /// gets it in every mode. `agrees` says whether the receiver's view agrees with the own view.
    pub(super) fn gossip_for(&mut self, cx: &Context, to: &NodeStatus, agrees: bool) -> Vec<Update> {
        let sends_claim = match to.state {
            NodeState::Alive => false,
            NodeState::Suspect => cx.config.buddy,
            NodeState::Failed | NodeState::Left => true,
        };
        let against = if sends_claim { cx.members.get(&to.id) } else { None };
        let mut updates = Vec::new();
        if let Some(status) = against {
            updates = self.proof_of(&status);
            // Without a proof the claim alone asks for a refutation.
            if updates.is_empty() {
                updates.push(self.update_about(status));
            }
        }
        self.dissemination.gossip_beginning_with(cx, updates, agrees)
    }

    /// The known status of a member as an update, with the known accusers.
    pub(super) fn update_about(&self, status: Arc<NodeStatus>) -> Update {
        let accusers = self.detection.accusers_of(&status.id);
        dissemination::inline(Update::Node { status, accusers })
    }
}
