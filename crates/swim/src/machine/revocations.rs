//! Revocations: what follows when one is new, and who receives it.

use kinfolk_core::signed::{Fingerprint, Revocation};
use kinfolk_core::{Cause, ClusterEvent, NodeId, NodeState, NodeStatus, Reason};

use super::Owners;
use crate::context::Context;
use crate::fact::Spread;
use crate::interface::delivery::Dial;
use crate::interface::output::{Output, Revoked};
use crate::interface::priority::Priority;
use crate::wire::codec::{self, GOSSIP_BYTES_MAX, UPDATES_MAX};
use crate::wire::message::{Message, Update};

impl Owners {
    /// Takes in a verified revocation. `teller` is the member that sent it, if any.
    pub(super) fn revoke(
        &mut self,
        cx: &mut Context,
        revocation: &Revocation,
        teller: Option<&NodeId>,
    ) -> Revoked {
        let now = self.unix_secs(cx);
        let revoked = self.revocations.note(now, revocation.clone());
        if revoked == Revoked::New {
            cx.stats.revocations += 1;
            cx.event(ClusterEvent::MemberRevoked { id: revocation.node.clone() });
            // Before the driver removes the member: it tells the transport first.
            cx.output(Output::Revoked(revocation.clone()));
            let update = Update::Revocation(revocation.clone());
            self.dissemination.push(update, Priority::Critical, teller);
        }
        revoked
    }

    /// Removes a member from the view, because its certificate is revoked: at once, without a
    /// tombstone. Nothing that it has signed is believed any more, so nothing brings it back.
    pub(super) fn evict(&mut self, cx: &mut Context, id: &NodeId, certificate: &Fingerprint) {
        let is_it = |known: &std::sync::Arc<NodeStatus>| known.proof.certificate == *certificate;
        let Some(known) = cx.members.get(id).filter(is_it).filter(|_| *id != cx.me) else { return };
        if known.state.is_member() {
            cx.stats.evicted += 1;
            let change = self.members.apply(known.with_state(NodeState::Failed));
            let cause = Cause { reason: Reason::Revoked, accusers: Vec::new() };
            // Each member finds that out from the revocation.
            self.changed(cx, &change, &cause, Spread::Nobody);
        }
        self.members.reap(cx, id, known.incarnation);
        self.settle(cx);
    }

    /// Whether this member knows of any revocation.
    pub(super) fn has_revocations(&self) -> bool {
        !self.revocations.is_empty()
    }

    /// A member has joined or returned. It receives all revocations.
    pub(super) fn send_revocations(&mut self, cx: &mut Context, to: &NodeStatus) {
        // Mostly there are none.
        if !self.has_revocations() {
            return;
        }
        let now = self.unix_secs(cx);
        let all = self.revocations.all(now);
        send(cx, to, all);
    }

    /// An anti-entropy round: a random member receives some of the revocations. So each reaches all
    /// in the end, also those that no gossip reached.
    pub(super) fn spread_revocations(&mut self, cx: &mut Context) {
        // Without revocations no random number is used.
        if self.revocations.is_empty() || cx.has_left() {
            return;
        }
        let Some(to) = cx.random_members(1, None).pop() else { return };
        let now = self.unix_secs(cx);
        let round = self.revocations.next_round(now);
        send(cx, &to, round);
    }

    fn unix_secs(&self, cx: &Context) -> u64 {
        self.admission.clock(cx).get() / 1_000
    }
}

fn send(cx: &mut Context, to: &NodeStatus, revocations: Vec<Revocation>) {
    let mut gossip: Vec<Update> = Vec::new();
    let empty = codec::encoded_len(&Message::Gossip { gossip: Vec::new() });
    let mut bytes = empty;
    for update in revocations.into_iter().map(Update::Revocation) {
        let len = codec::encoded_len(&update);
        if gossip.len() >= UPDATES_MAX || bytes + len > GOSSIP_BYTES_MAX {
            cx.send_gossip(to, std::mem::take(&mut gossip), Dial::Later);
            bytes = empty;
        }
        bytes += len;
        gossip.push(update);
    }
    if !gossip.is_empty() {
        cx.send_gossip(to, gossip, Dial::Later);
    }
}
