//! Comparing views (`Mode::Verified`): what finds whatever the flood of news has missed, at no cost while views are equal.
//!
//! The digest of a view rides on every probe, and the answer says whether it differs. Views differ for a moment with each
//! change, so only what differs twice in a row, or at a member that is asked each half a minute, is looked into: the
//! digests of 256 buckets are compared, and the members in those that differ are exchanged.

use std::sync::Arc;

use kinfolk_core::{NodeId, NodeStatus};

use super::exchange;
use crate::context::{Context, DELIVERED_WITHIN};
use crate::interface::input::ReplyId;
use crate::purpose::{Purpose, Session};
use crate::wire::buckets::Buckets;
use crate::wire::message::Message;

/// Asks a member whether its view differs, and in which buckets if so.
pub(super) fn glance_at(cx: &mut Context, node: &Arc<NodeStatus>) {
    let ping = Message::Ping { digest: cx.members.digest(), gossip: Vec::new() };
    cx.ask(node, ping, Purpose::Glance, DELIVERED_WITHIN);
}

/// Asks a member in which buckets its view differs from ours.
pub(crate) fn begin_with(cx: &mut Context, id: &NodeId) {
    if let Some(node) = cx.members.get(id) {
        let buckets = cx.members.bucket_digests().collect();
        let compare = Message::Compare { buckets };
        cx.ask_plainly((id, node.addr), compare, Purpose::Compare, DELIVERED_WITHIN);
    }
}

/// A peer asks which of its buckets differ from ours.
pub(crate) fn asked(cx: &mut Context, to: ReplyId, theirs: &[u32]) {
    let mut buckets = Buckets::NONE;
    let ours = cx.members.bucket_digests();
    for (bucket, _) in ours.zip(theirs).enumerate().filter(|(_, (ours, theirs))| ours != *theirs) {
        buckets.insert(bucket);
    }
    cx.reply(to, Message::Differ { buckets });
}

/// A peer has said which buckets differ: their members are exchanged.
pub(crate) fn differs(cx: &mut Context, from: &NodeId, buckets: Buckets) {
    match cx.members.get(from).filter(|_| buckets != Buckets::NONE) {
        Some(node) => {
            exchange::next_page(cx, Session::new(None, node.id.clone(), node.addr).only(buckets));
        }
        None => cx.stats.syncs += 1,
    }
}
