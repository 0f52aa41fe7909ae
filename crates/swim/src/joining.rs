//! Joining: the member and the one it joins through compare their wall clocks first. Then they
//! exchange views (`sync.rs`).
//!
//! ```text
//!   joining ── Join(clock, own statement) ──> peer ──┬─ takes the statement in ──> Welcome(Seen) ──> exchange of views
//!                                                    └─ clocks differ, registry full, ... ──> Welcome(why not) ──> it fails
//! ```
//!
//! An incarnation starts as the time of the wall clock, and a claim from the future is refused
//! (`wall_clock.rs`). So a member whose clock is wrong would be in nobody's view, or would have
//! nobody in its own, and nobody would say why.

use std::sync::Arc;

use kinfolk_core::{Incarnation, Instant, NodeAddr, NodeId, NodeStatus};
use serde::{Deserialize, Serialize};

use crate::input::{CommandId, NoReply, ReplyId};
use crate::machine::Machine;
use crate::message::Message;
use crate::on_change::Spread;
use crate::output::{JoinFailure, Outcome, Output, RefusedJoin};
use crate::requests::{JOINS_MAX, Purpose};
use crate::sync::Session;

/// How a peer receives a member that wants to join through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reception {
    /// The peer has the member in its view, or knows a claim that the member can refute.
    Seen,
    /// Their wall clocks differ by more than [`Incarnation::CLOCK_ERROR_MAX`].
    ClocksDiffer,
    /// The member's incarnation lies too far ahead of the peer's wall clock, though their clocks
    /// agree.
    FarAhead,
    /// The peer's registry is full.
    Full,
    /// The peer leaves the group itself.
    Leaving,
}

/// A join that waits for its welcome.
#[derive(Debug)]
pub(crate) struct Joining {
    pub command: CommandId,
    peer: NodeId,
    addr: NodeAddr,
    /// Whether we are alone: what we learn is then no news to the group. Else two groups meet.
    alone: bool,
}

impl Machine {
    /// Joins through a member, which we may not know yet.
    pub(crate) fn join(&mut self, now: Instant, command: CommandId, peer: NodeId, addr: NodeAddr) {
        let joins = self.requests.count(Purpose::is_join);
        let mine = self.registry.get(&self.me.id).filter(|_| joins < JOINS_MAX && !self.has_left());
        let Some(me) = mine else {
            return self.join_failed(command, JoinFailure::NoAnswer(NoReply::Local));
        };
        let alone = self.registry.member_count() <= 1;
        let message = Message::Join { clock: self.wall_clock.says(now), me };
        let (to, within) = (peer.clone(), Self::DELIVERED_WITHIN);
        let request = Some(self.requests.add(Purpose::Join(Joining { command, peer, addr, alone })));
        self.output(Output::Send { to, addr, message, request, within });
    }

    /// A peer wants to join through us.
    pub(crate) fn on_join(
        &mut self,
        now: Instant,
        from: &NodeId,
        to: ReplyId,
        (theirs, me): (Incarnation, Arc<NodeStatus>),
    ) {
        // A member speaks only for itself.
        if me.id != *from {
            self.stats.unexpected += 1;
            return;
        }
        let clock = self.wall_clock.says(now);
        let reception = self.receive(now, from, theirs, &me);
        self.output(Output::Reply { to, message: Message::Welcome { clock, reception } });
    }

    fn receive(
        &mut self,
        now: Instant,
        from: &NodeId,
        theirs: Incarnation,
        me: &Arc<NodeStatus>,
    ) -> Reception {
        if self.has_left() {
            return Reception::Leaving;
        }
        let ours = self.wall_clock.says(now);
        if clocks_differ(ours, theirs) {
            let join = RefusedJoin { from: from.clone(), theirs, ours };
            if let Some(report) = self.wall_clock.refuse_join(now, join) {
                self.output(Output::RefusedJoin(report));
            }
            return Reception::ClocksDiffer;
        }
        if self.refuses(now, from, (&me.id, me.incarnation)) {
            return Reception::FarAhead;
        }
        // The pages that follow say so, and it refutes.
        if self.is_forgotten(now, from, me) {
            return Reception::Seen;
        }
        self.on_claim(now, me, Vec::new(), Spread::AllBut(from));
        if self.registry.get(from).is_some() { Reception::Seen } else { Reception::Full }
    }

    /// The peer through which we join has answered.
    pub(crate) fn on_welcome(
        &mut self,
        now: Instant,
        joining: Joining,
        theirs: Incarnation,
        reception: Reception,
    ) {
        let Joining { command, peer, addr, alone } = joining;
        let ours = self.wall_clock.says(now);
        match reception {
            // The peer may be of another mind, if its clock was set meanwhile.
            _ if clocks_differ(ours, theirs) => {
                self.join_failed(command, JoinFailure::ClocksDiffer { ours, theirs });
            }
            Reception::Seen => self.exchange(Session::joining(command, alone, peer, addr)),
            Reception::ClocksDiffer => {
                self.join_failed(command, JoinFailure::ClocksDiffer { ours, theirs });
            }
            Reception::FarAhead => self.join_failed(command, JoinFailure::FarAhead),
            Reception::Full => self.join_failed(command, JoinFailure::Full),
            Reception::Leaving => self.join_failed(command, JoinFailure::Leaving),
        }
    }

    pub(crate) fn join_failed(&mut self, command: CommandId, why: JoinFailure) {
        self.done(command, Outcome::JoinFailed { why });
    }
}

/// Whether these two clocks differ so much that claims of the one may look as if they came from the
/// future to the other.
fn clocks_differ(one: Incarnation, other: Incarnation) -> bool {
    !one.is_plausible(other) || !other.is_plausible(one)
}
