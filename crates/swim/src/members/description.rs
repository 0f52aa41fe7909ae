//! Requests for descriptions that were too large for gossip. First the source of the update is
//! asked: it is a neighbour and mostly has the description. If it does not, the member itself is
//! asked. If that fails, too, the next mention of the member or the next exchange of views starts
//! again.

use kinfolk_core::{NodeId, NodeStatus};

use crate::context::{Context, DELIVERED_WITHIN};
use crate::purpose::{Describe, Purpose};
use crate::wire::message::Message;

/// Whether this member lacks the description of `id`.
pub(crate) fn lacks_description(cx: &Context, id: &NodeId) -> bool {
    *id != cx.me && cx.members.get(id).is_some_and(|node| !node.is_complete())
}

/// Asks `whom` for the description of `id`.
pub(crate) fn ask_for_description(cx: &mut Context, whom: &NodeStatus, id: &NodeId) {
    let purpose = Purpose::Describe(Describe { id: id.clone(), itself: whom.id == *id });
    cx.ask_plainly((&whom.id, whom.addr), Message::Describe { id: id.clone() }, purpose, DELIVERED_WITHIN);
}
