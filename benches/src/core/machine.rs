//! One step of the protocol: a message is handled, up to the last output.

use kinfolk_core::{Instant, Rng};
use kinfolk_swim::{Input, Machine, Message, Output, ReplyId, SwimConfig, Update, codec};

use super::group::{self, News};
use crate::case::Case;

/// What the case of known updates is called, before the number of members; a bar judges it.
pub(super) const KNOWN: &str = "machine gossip, 20 known updates";

pub(super) fn cases(members: usize) -> [Case; 3] {
    let bare = Case::prepared(
        format!("machine ping, no update, {members}"),
        (machine(members), News::about(members)),
        |(_, news)| ping(news, 0),
        |(machine, _), ping| step(machine, ping),
    );
    let with_news = Case::prepared(
        format!("machine ping, one update, {members}"),
        (machine(members), News::about(members)),
        |(_, news)| ping(news, 1),
        |(machine, _), ping| step(machine, ping),
    );
    let known = Case::prepared(
        format!("{KNOWN}, {members}"),
        (machine(members), News::about(members)),
        |(_, news)| gossip_known(news),
        |(machine, _), gossip| step(machine, gossip),
    );
    [bare, with_news, known]
}

/// A machine that knows this many other members.
fn machine(members: usize) -> Machine {
    let me = group::status(members, 1);
    let registry = group::registry(members);
    Machine::new(SwimConfig::default(), me, registry, Rng::from_seed(1), Instant::ORIGIN)
}

fn ping(news: &mut News, updates: usize) -> Input {
    let from = news.known().id.clone();
    let gossip = (0..updates).map(|_| Update::Node { status: news.next(), accusers: Vec::new() }).collect();
    Input::Message { from, message: Message::Ping { digest: 0, gossip }, reply_to: Some(ReplyId(1)) }
}

/// A message full of what is known already, as it comes from the network: in memory of its own.
fn gossip_known(news: &mut News) -> Input {
    let from = news.known().id.clone();
    let update = |news: &mut News| Update::Node { status: news.known().clone(), accusers: Vec::new() };
    let gossip = (0..codec::UPDATES_MAX).map(|_| update(news)).collect();
    let bytes = codec::encode(&Message::Gossip { gossip }).expect("it is within the bounds");
    let message = codec::decode(&bytes).expect("what was encoded can be decoded");
    Input::Message { from, message, reply_to: None }
}

/// Handles one input and takes every output. Time stands still, so that no timer is ever due.
fn step(machine: &mut Machine, input: Input) -> Vec<Output> {
    machine.handle(Instant::ORIGIN, input);
    std::iter::from_fn(|| machine.poll_output()).collect()
}
