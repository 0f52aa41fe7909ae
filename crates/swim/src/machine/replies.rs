//! The end of a request of ours: an answer, or the evidence that there is none.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{NodeId, NodeStatus};

use super::Owners;
use crate::context::Context;
use crate::detection::{ProbeAnswer, WitnessAnswer, relay_acked, relay_failed};
use crate::fact::Spread;
use crate::interface::delivery::Dial;
use crate::interface::input::{NoReply, RequestId};
use crate::interface::output::JoinFailure;
use crate::purpose::{Cursor, Describe, Purpose, Session};
use crate::repair::{compare, join};
use crate::wire::message::Message;

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
            owners.myself.reached_somebody(cx);
            if let Some(rings) = owners.detection.rings() {
                let late = Duration::from_millis(late_ms.into());
                rings.answered(cx, request, (&id, sent), (shift_ms, differs), late);
            }
            owners.gossiped(cx, from, &gossip);
            if owners.detection.rings().is_some_and(|rings| rings.view_differs(cx, from, differs)) {
                compare::begin_with(cx, from);
            }
            introduce_to(owners, cx, from, stranger);
        }
        (Some(Purpose::Witness { id, round }), Message::Ack { gossip, .. }) => {
            witness(owners, cx, request, (&id, round), &WitnessAnswer::Ack);
            owners.gossiped(cx, from, &gossip);
        }
        (Some(Purpose::Witness { id, round }), Message::Nack { closed, lossy }) => {
            let answer = WitnessAnswer::Nack { witness: from.clone(), closed, lossy };
            witness(owners, cx, request, (&id, round), &answer);
        }
        (Some(Purpose::ReturnCheck(trial)), Message::Ack { gossip, .. }) => {
            owners.gossiped(cx, from, &gossip);
            owners.myself.tried(cx, trial, None);
        }
        (Some(Purpose::PendingVerdict(id)), Message::Ack { gossip, .. }) => {
            owners.gossiped(cx, from, &gossip);
            end_verdict(owners, cx, &id, None);
        }
        (Some(Purpose::Probe), Message::Ack { stranger, gossip, .. }) => {
            probed(owners, cx, from, ProbeAnswer::Direct);
            owners.gossiped(cx, from, &gossip);
            introduce_to(owners, cx, from, stranger);
        }
        (Some(Purpose::IndirectProbe), Message::Ack { gossip, .. }) => {
            probed(owners, cx, from, ProbeAnswer::Indirect);
            owners.gossiped(cx, from, &gossip);
        }
        (Some(Purpose::IndirectProbe), Message::Nack { .. }) => {
            probed(owners, cx, from, ProbeAnswer::Nack);
        }
        (Some(Purpose::Relay(relay)), Message::Ack { gossip, .. }) => {
            owners.gossiped(cx, from, &gossip);
            let about = cx.members.get(from).map(|status| owners.update_about(status));
            relay_acked(cx, &relay, about.into_iter().collect());
        }
        (Some(Purpose::Glance), Message::Ack { differs, gossip, .. }) => {
            owners.gossiped(cx, from, &gossip);
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
        (Some(Purpose::Leave), Message::Ack { .. }) => owners.myself.leave_told(cx, true),
        (None, Message::Ack { gossip, .. }) => {
            cx.stats.late_replies += 1;
            owners.gossiped(cx, from, &gossip);
        }
        (None, _) => cx.stats.late_replies += 1,
        (Some(purpose), _) => {
            cx.stats.unexpected += 1;
            without_answer(owners, cx, purpose, request, NoReply::Refused);
        }
    }
}

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
        Purpose::ReturnCheck(trial) => owners.myself.tried(cx, trial, Some(why)),
        Purpose::PendingVerdict(id) => end_verdict(owners, cx, &id, Some(why)),
        // Whoever acknowledges our packets lives.
        Purpose::Relay(relay) if why == NoReply::Late => relay_acked(cx, &relay, Vec::new()),
        Purpose::Relay(relay) => relay_failed(cx, &relay, false),
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
        Purpose::Glance | Purpose::Compare => {}
        Purpose::Leave => owners.myself.leave_told(cx, false),
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

/// A member that answers us does not know us, if it is a stranger: it is told.
fn introduce_to(owners: &mut Owners, cx: &mut Context, peer: &NodeId, stranger: bool) {
    owners.settle(cx);
    if !stranger {
        return;
    }
    let Some(peer) = cx.members.get(peer) else { return };
    let ours = cx.mine().map(|status| owners.update_about(status));
    cx.send_gossip(&peer, ours.into_iter().collect(), Dial::Later);
}

/// A page of an exchange that we began has come.
fn page(
    owners: &mut Owners,
    cx: &mut Context,
    from: &NodeId,
    mut session: Session,
    (nodes, more): (&[Arc<NodeStatus>], bool),
) {
    let last = nodes.last().map(|node| node.id.clone());
    session.corrections = owners.members.corrections(cx, nodes);
    if let Cursor::After(before) = &session.received
        && let Some(rings) = owners.detection.rings()
    {
        let missed = owners.admission.missed(cx, (before.as_ref(), nodes, more), session.only);
        rings.watch_beside(cx, missed);
    }
    let spread = if session.alone { Spread::Nobody } else { Spread::AllBut(from) };
    owners.settle(cx);
    owners.take_in_and_complete(cx, from, nodes, spread);
    owners.repair.took_page(cx, session, (last, more));
}

/// A member that waits for its introduction has said what it is.
fn introduced(owners: &mut Owners, cx: &mut Context, from: &NodeId, nodes: &[Arc<NodeStatus>]) {
    let Some(teller) = owners.admission.introduced(from) else { return };
    for own in nodes.iter().filter(|node| node.id == *from) {
        if !owners.admission.refuses(cx, from, (from, own.incarnation))
            && !owners.members.is_forgotten(cx, from, own)
        {
            owners.claimed(cx, own, Vec::new(), Spread::AllBut(&teller));
        }
    }
    owners.admission.introduce_next(cx);
}

/// Whoever we asked for a description has answered, or will not: then the member itself is asked.
fn described(owners: &mut Owners, cx: &mut Context, asked: &Describe) {
    owners.settle(cx);
    let Some(subject) = cx.members.get(&asked.id).filter(|_| !asked.itself) else { return };
    if asked.id != cx.me && !subject.is_complete() {
        owners.describe(cx, &subject, &asked.id);
    }
}

/// The subject of a verdict that came by an exchange has answered, or not. If a limit of ours kept the question back,
/// or it lives and is late, nothing is known, and the next exchange brings the verdict again.
fn end_verdict(owners: &mut Owners, cx: &mut Context, id: &NodeId, unanswered: Option<NoReply>) {
    let Some((verdict, teller)) = owners.repair.end_verdict(id) else { return };
    if !matches!(unanswered, Some(NoReply::Local | NoReply::Late))
        && !owners.members.is_forgotten(cx, &teller, &verdict)
    {
        owners.claimed(cx, &verdict, vec![teller.clone()], Spread::AllBut(&teller));
    }
}
