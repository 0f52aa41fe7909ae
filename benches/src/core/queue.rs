//! The gossip queue, with one update about each member in it.

use kinfolk_swim::codec::GOSSIP_BYTES_MAX;
use kinfolk_swim::{GossipQueue, Priority, Update};

use super::group::News;
use crate::case::Case;

/// So many that no update ever leaves the queue for having been sent often enough.
const RETRANSMIT: u32 = u32::MAX;

pub(super) fn cases(members: usize) -> [Case; 2] {
    let push = Case::prepared(
        format!("queue push, replaces, {members}"),
        (filled(members), News::about(members)),
        |(_, news)| update(news),
        |(queue, _), update| queue.push(update, Priority::Medium),
    );
    let mut queue = filled(members);
    let take = Case::new(format!("queue take, a full message, {members}"), move || {
        queue.take(0, GOSSIP_BYTES_MAX, members, RETRANSMIT)
    });
    [push, take]
}

fn filled(members: usize) -> GossipQueue {
    let mut queue = GossipQueue::new();
    for number in 0..members {
        let status = super::group::status(number, 1).into();
        queue.push(Update::Node { status, accusers: Vec::new() }, Priority::Medium);
    }
    queue
}

fn update(news: &mut News) -> Update {
    Update::Node { status: news.next(), accusers: Vec::new() }
}
