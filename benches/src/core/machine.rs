//! Measures one step of the protocol machine: it handles a message and gives all its outputs.

use std::sync::Arc;

use kinfolk_core::signed::{Unverified, Verified};
use kinfolk_core::{Instant, Rng};
use kinfolk_swim::{Input, Machine, Message, Output, ReplyId, SwimConfig, Update, codec};

use super::group::{self, Claims};
use crate::case::Case;

/// The name of the case of known updates, without the number of members. `expectations.rs` finds
/// the case by this name.
pub(super) const KNOWN: &str = "machine gossip, 20 known updates";

pub(super) fn cases(members: usize) -> [Case; 3] {
    let bare = Case::prepared(
        format!("machine ping, no update, {members}"),
        (machine(members), Claims::about(members)),
        |(_, claims)| ping(claims, 0),
        |(machine, _), ping| step(machine, ping),
    );
    let with_update = Case::prepared(
        format!("machine ping, one update, {members}"),
        (machine(members), Claims::about(members)),
        |(_, claims)| ping(claims, 1),
        |(machine, _), ping| step(machine, ping),
    );
    let known = Case::prepared(
        format!("{KNOWN}, {members}"),
        (machine(members), Claims::about(members)),
        |(_, claims)| gossip_known(claims),
        |(machine, _), gossip| step(machine, gossip),
    );
    [bare, with_update, known]
}

/// A machine that knows this many other members.
fn machine(members: usize) -> Machine {
    let me = group::status(members, 1);
    let registry = group::registry(members);
    let signer = Arc::new(group::keys().key_of(me.id.clone()));
    Machine::new(SwimConfig::default(), me, signer, registry, Rng::from_seed(1), Instant::ORIGIN)
}

fn ping(claims: &mut Claims, updates: usize) -> Input {
    let from = claims.known().id.clone();
    let gossip = (0..updates).map(|_| Update::Node { status: claims.next(), accusers: Vec::new() }).collect();
    let message = verified(Unverified::new(Message::Ping { digest: 0, gossip }));
    Input::Message { from, message, reply_to: Some(ReplyId(1)) }
}

/// A message full of known updates. It is encoded and decoded, so that it has its own memory like a
/// message from the network: the registry has a shortcut for a claim that shares its memory.
fn gossip_known(claims: &mut Claims) -> Input {
    let from = claims.known().id.clone();
    let update = |claims: &mut Claims| Update::Node { status: claims.known().clone(), accusers: Vec::new() };
    let gossip = (0..codec::UPDATES_MAX).map(|_| update(claims)).collect();
    let bytes = codec::encode(&Message::Gossip { gossip }).expect("the message is within the bounds");
    let message = codec::decode(&bytes).expect("an encoded message can be decoded");
    Input::Message { from, message: verified(message), reply_to: None }
}

/// The preparation verifies. The cases measure the machine alone.
fn verified(message: Unverified<Message>) -> Verified<Message> {
    message.verify(&group::keys()).expect("the claims are signed")
}

/// Handles one input and takes every output. The time does not advance, so that no timer is due and
/// the step contains only the message.
fn step(machine: &mut Machine, input: Input) -> Vec<Output> {
    machine.handle(Instant::ORIGIN, input);
    std::iter::from_fn(|| machine.poll_output()).collect()
}
