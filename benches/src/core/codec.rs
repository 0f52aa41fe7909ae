//! Measures the codec on a message with one update, and on a full message.

use kinfolk_swim::codec::{UPDATES_MAX, decode, encode};
use kinfolk_swim::{Message, Update};

use super::group::Claims;
use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [1, UPDATES_MAX].into_iter().flat_map(of_updates).collect()
}

fn of_updates(count: usize) -> [Case; 2] {
    let mut claims = Claims::about(UPDATES_MAX);
    let updates = (0..count).map(|_| Update::Node { status: claims.next(), accusers: Vec::new() });
    let message = Message::Gossip { gossip: updates.collect() };
    let bytes = encode(&message).expect("a message within the bounds can be encoded");
    let size = format!("updates: {count}, {} bytes", bytes.len());
    [
        Case::new(format!("codec encode, {size}"), move || encode(&message)),
        Case::new(format!("codec decode, {size}"), move || decode(&bytes)),
    ]
}
