//! The end of a request of this member: an answer, or the evidence that there is none.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{NodeId, NodeStatus};

use super::Owners;
use crate::context::Context;
use crate::detection::{ProbeAnswer, WitnessAnswer, relay_acked};
use crate::fact::Spread;
use crate::interface::delivery::Dial;
use crate::interface::input::{NoReply, RequestId};
use crate::interface::output::JoinFailure;
use crate::purpose::{Cursor, Describe, Purpose, Session};
use crate::repair::{compare, join};
use crate::wire::message::Message;

/// Handles an answer. The purpose of the request decides which owner gets it.
pub(super) fn reply(
    owners: &mut Owners,
    cx: &mut Context,
    request: RequestId,
    from: &NodeId,
    message: Message,
) {
    match (owners.requests.take(request), message) {
        (
            Some(Purpose::Watch { id, sent }),
            Message::Ack { stranger, differs, shift_ms, late_ms, gossip },
        ) => {
            owners.myself.probe_answered(cx);
            if let Some(rings) = owners.detection.rings() {
                let late = Duration::from_millis(late_ms.into());
                rings.answered(cx, request, (&id, sent), (shift_ms, differs), late);
            }
            // The gossip may remove the difference, so the view is compared after it.
            owners.receive_gossip(cx, from, &gossip);
            if owners.detection.rings().is_some_and(|rings| rings.view_differs(cx, from, differs)) {
                compare::begin_with(cx, from);
            }
            introduce_to(owners, cx, from, stranger);
            owners.answered_after_testimony(cx, from);
        }
        (Some(Purpose::Witness { id, round }), Message::Ack { gossip, .. }) => {
            witness(owners, cx, request, (&id, round), &WitnessAnswer::Ack);
            owners.receive_gossip(cx, from, &gossip);
        }
        (Some(Purpose::Witness { id, round }), Message::Nack { closed, lossy, accusation }) => {
            // First, because the nack may be what the verdict waits for.
            owners.testimony_arrived(cx, (from, &id), accusation.as_ref());
            let answer = WitnessAnswer::Nack { witness: from.clone(), closed, lossy };
            witness(owners, cx, request, (&id, round), &answer);
            owners.weigh_testimonies(cx, &id);
        }
        (Some(Purpose::ReturnCheck(trial)), Message::Ack { gossip, .. }) => {
            owners.receive_gossip(cx, from, &gossip);
            owners.myself.trial_probe_ended(cx, trial, None);
        }
        (Some(Purpose::PendingVerdict(id)), Message::Ack { gossip, .. }) => {
            // The gossip may have the subject's refutation, so it goes before the verdict.
            owners.receive_gossip(cx, from, &gossip);
            end_verdict(owners, cx, &id, None);
        }
        (Some(Purpose::Probe), Message::Ack { stranger, gossip, .. }) => {
            probed(owners, cx, from, ProbeAnswer::Direct);
            owners.receive_gossip(cx, from, &gossip);
            introduce_to(owners, cx, from, stranger);
        }
        (Some(Purpose::IndirectProbe), Message::Ack { gossip, .. }) => {
            probed(owners, cx, from, ProbeAnswer::Indirect);
            owners.receive_gossip(cx, from, &gossip);
        }
        (Some(Purpose::IndirectProbe), Message::Nack { .. }) => {
            probed(owners, cx, from, ProbeAnswer::Nack);
        }
        (Some(Purpose::Relay(relay)), Message::Ack { gossip, .. }) => {
            owners.receive_gossip(cx, from, &gossip);
            // The requester must get the target's refutation too, not only the sign of life.
            let about = cx.members.get(from).map(|status| owners.update_about(status));
            relay_acked(cx, &relay, about.into_iter().collect());
        }
        (Some(Purpose::DigestPing), Message::Ack { differs, gossip, .. }) => {
            owners.receive_gossip(cx, from, &gossip);
            if differs {
                compare::begin_with(cx, from);
            }
        }
        (Some(Purpose::Compare), Message::Differ { buckets }) => {
            compare::differs(cx, from, buckets);
        }
        (Some(Purpose::Join(joining)), Message::Welcome { clock, reception }) => {
            let ours = owners.admission.clock(cx);
            join::welcomed(cx, joining, (ours, clock), reception);
        }
        (Some(Purpose::Introduction(_)), Message::Page { nodes, .. }) => {
            introduced(owners, cx, from, &nodes);
        }
        (Some(Purpose::Sync(session)), Message::Page { nodes, more }) => {
            page(owners, cx, from, session, (&nodes, more));
        }
        (Some(Purpose::Describe(asked)), Message::Page { nodes, .. }) => {
            owners.take_in(cx, from, &nodes, Spread::AllBut(from));
            described(owners, cx, &asked);
        }
        (Some(Purpose::Leave), Message::Ack { .. }) => owners.myself.leave_confirmed(cx, true),
        // The request's time is over, but the updates in its answer are as good as ever.
        (None, Message::Ack { gossip, .. }) => {
            cx.stats.late_replies += 1;
            owners.receive_gossip(cx, from, &gossip);
        }
        (None, _) => cx.stats.late_replies += 1,
        // An answer of the wrong kind. The request must still end, so that its owner does not wait.
        (Some(purpose), _) => {
            cx.stats.unexpected += 1;
            without_answer(owners, cx, purpose, request, NoReply::Refused);
        }
    }
}

/// Handles the end of a request that has no answer.
pub(super) fn without_answer(
    owners: &mut Owners,
    cx: &mut Context,
    purpose: Purpose,
    request: RequestId,
    why: NoReply,
) {
    match purpose {
        Purpose::Watch { id, sent } => {
            if let Some(rings) = owners.detection.rings() {
                rings.unanswered(cx, request, (&id, sent), why);
            }
        }
        Purpose::Witness { id, round } => {
            witness(owners, cx, request, (&id, round), &WitnessAnswer::Silence);
        }
        Purpose::Probe => probed(owners, cx, &NodeId::clone(&cx.me), ProbeAnswer::NoDirect(why)),
        Purpose::IndirectProbe => {
            probed(owners, cx, &NodeId::clone(&cx.me), ProbeAnswer::NoIndirect(request, why));
        }
        Purpose::ReturnCheck(trial) => owners.myself.trial_probe_ended(cx, trial, Some(why)),
        Purpose::PendingVerdict(id) => end_verdict(owners, cx, &id, Some(why)),
        // The target's process acknowledges packets, so it runs. That counts as an answer.
        Purpose::Relay(relay) if why == NoReply::Late => relay_acked(cx, &relay, Vec::new()),
        Purpose::Relay(relay) => owners.relay_failed(cx, &relay, false),
        Purpose::Join(joining) => {
            join::failed(cx, joining.command, JoinFailure::NoAnswer(why));
        }
        Purpose::Sync(session) => {
            if let Some(command) = session.command {
                join::failed(cx, command, JoinFailure::NoAnswer(why));
            }
        }
        Purpose::Describe(asked) => described(owners, cx, &asked),
        Purpose::Introduction(id) => owners.admission.not_introduced(cx, &id, why),
        // The next anti-entropy round does it again.
        Purpose::DigestPing | Purpose::Compare => {}
        Purpose::Leave => owners.myself.leave_confirmed(cx, false),
    }
}

fn witness(
    owners: &mut Owners,
    cx: &mut Context,
    request: RequestId,
    about: (&NodeId, u64),
    answer: &WitnessAnswer,
) {
    if let Some(rings) = owners.detection.rings() {
        rings.witness_answered(cx, request, about, answer);
    }
}

fn probed(owners: &mut Owners, cx: &mut Context, from: &NodeId, answer: ProbeAnswer) {
    if let Some(round_robin) = owners.detection.round_robin() {
        round_robin.answered(cx, from, answer);
    }
}

/// Sends the own statement to a peer that does not know this member. `stranger` is what the peer's
/// answer says.
fn introduce_to(owners: &mut Owners, cx: &mut Context, peer: &NodeId, stranger: bool) {
    owners.settle(cx);
    if !stranger {
        return;
    }
    let Some(peer) = cx.members.get(peer) else { return };
    let ours = cx.mine().map(|status| owners.update_about(status));
    cx.send_gossip(&peer, ours.into_iter().collect(), Dial::Later);
}

/// Handles a page of an exchange of views that this member started.
fn page(
    owners: &mut Owners,
    cx: &mut Context,
    from: &NodeId,
    mut session: Session,
    (nodes, more): (&[Arc<NodeStatus>], bool),
) {
    let last = nodes.last().map(|node| node.id.clone());
    session.corrections = owners.members.corrections(cx, nodes);
    owners.send_proofs(cx, from, &session.corrections);
    if let Cursor::After(before) = &session.received
        && let Some(rings) = owners.detection.rings()
    {
        // A member that the peer's page lacks may have left or failed long ago, and no other member
        // may watch it. This member watches it until it answers.
        let missed = owners.admission.missed(cx, (before.as_ref(), nodes, more), session.only);
        rings.watch_extra(cx, missed);
    }
    // The group knows its own members. Only if two groups meet is a page new to the other members.
    let spread = if session.alone { Spread::Nobody } else { Spread::AllBut(from) };
    // The facts of the calls above go before those of the page.
    owners.settle(cx);
    owners.take_in_and_complete(cx, from, nodes, spread);
    owners.repair.took_page(cx, session, (last, more));
}

/// Takes in the statement of a member that waits for its introduction.
fn introduced(owners: &mut Owners, cx: &mut Context, from: &NodeId, nodes: &[Arc<NodeStatus>]) {
    let Some(teller) = owners.admission.introduced(from) else { return };
    // Only the member's own statement counts here, not what it says about others.
    for own in nodes.iter().filter(|node| node.id == *from) {
        if owners.needs_proof() {
            owners.members.contradict_hearsay(cx, own);
        }
        if !owners.admission.refuses(cx, from, (from, own.incarnation))
            && !owners.members.is_forgotten(cx, from, own)
        {
            owners.claimed(cx, own, Vec::new(), Spread::AllBut(&teller));
        }
    }
    owners.admission.introduce_next(cx);
}

/// A request for a description has ended. If the description is still missing, the member itself is
/// asked, unless it was the receiver of this request.
fn described(owners: &mut Owners, cx: &mut Context, asked: &Describe) {
    owners.settle(cx);
    let Some(subject) = cx.members.get(&asked.id).filter(|_| !asked.itself) else { return };
    if asked.id != cx.me && !subject.is_complete() {
        owners.describe(cx, &subject, &asked.id);
    }
}

/// The ping to the subject of an old verdict has ended. `unanswered` says why there is no answer.
///
/// The verdict has no proof, or it would be known. So this member finds out by itself whether a
/// silent subject has failed. If a limit of this member prevented the ping, or the subject is late,
/// nothing is known, and the next exchange of views brings the verdict again.
fn end_verdict(owners: &mut Owners, cx: &mut Context, id: &NodeId, unanswered: Option<NoReply>) {
    if owners.repair.end_verdict(cx, id)
        && let Some(NoReply::Silent | NoReply::Refused) = unanswered
        && let Some(rings) = owners.detection.rings()
    {
        rings.watch_extra(cx, vec![id.clone()]);
    }
}
