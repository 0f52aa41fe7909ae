//! Measures the gossip queue with one update about each member in it.

use kinfolk_swim::codec::GOSSIP_BYTES_MAX;
use kinfolk_swim::{GossipQueue, Priority, Update};

use super::group::Claims;
use crate::case::Case;

/// The number of transmissions after which an update leaves the queue. No update reaches this
/// number, so that the queue stays full over all runs.
const RETRANSMIT: u32 = u32::MAX;

pub(super) fn cases(members: usize) -> [Case; 2] {
    let push = Case::prepared(
        format!("queue push, replaces, {members}"),
        (filled(members), Claims::about(members)),
        |(_, claims)| update(claims),
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

fn update(claims: &mut Claims) -> Update {
    Update::Node { status: claims.next(), accusers: Vec::new() }
}
