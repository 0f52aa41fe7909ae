//! One step of the protocol: a ping is handled, up to the last output.

use kinfolk_core::{Instant, Rng};
use kinfolk_swim::{Input, Machine, Message, Output, ReplyId, SwimConfig, Update};

use super::case::Case;
use super::group::{self, News};

pub(super) fn cases(members: usize) -> [Case; 2] {
    let bare = Case::prepared(
        format!("machine ping, no news, {members}"),
        (machine(members), News::about(members)),
        |(_, news)| ping(news, 0),
        |(machine, _), ping| step(machine, ping),
    );
    let with_news = Case::prepared(
        format!("machine ping, one piece of news, {members}"),
        (machine(members), News::about(members)),
        |(_, news)| ping(news, 1),
        |(machine, _), ping| step(machine, ping),
    );
    [bare, with_news]
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

/// Handles one input and takes every output. Time stands still, so that no timer is ever due.
fn step(machine: &mut Machine, input: Input) -> Vec<Output> {
    machine.handle(Instant::ORIGIN, input);
    std::iter::from_fn(|| machine.poll_output()).collect()
}
