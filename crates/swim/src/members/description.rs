//! Descriptions that were too large to ride on gossip: who lacks one asks for it.
//!
//! First whoever told the news, who is near and mostly has it; if that leaves us without, the member itself, which has
//! it for certain. If even that fails, the next mention of the member or the next exchange of views begins anew.

use kinfolk_core::{NodeId, NodeStatus};

use crate::context::{Context, DELIVERED_WITHIN};
use crate::purpose::{Describe, Purpose};
use crate::wire::message::Message;

/// Whether we lack the description of `id`.
pub(crate) fn lacks_description(cx: &Context, id: &NodeId) -> bool {
    *id != cx.me && cx.members.get(id).is_some_and(|node| !node.is_complete())
}

/// Asks `whom` for the description of `id`.
pub(crate) fn ask_for_description(cx: &mut Context, whom: &NodeStatus, id: &NodeId) {
    let purpose = Purpose::Describe(Describe { id: id.clone(), itself: whom.id == *id });
    cx.ask_plainly((&whom.id, whom.addr), Message::Describe { id: id.clone() }, purpose, DELIVERED_WITHIN);
}
