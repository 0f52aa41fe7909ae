//! Anti-entropy by digests (`Mode::Verified`). It finds what the flood has missed, and costs
//! nothing while views are equal.
//!
//! Each probe carries the digest of the sender's view, and the answer says whether the receiver's
//! view differs. Views differ for a moment after each change. So a member acts only on two
//! differing answers in a row, or on one in an anti-entropy round (each half a minute). Then the
//! digests of 256 buckets are compared, and the members in the buckets that differ are exchanged.

use std::sync::Arc;

use kinfolk_core::{NodeId, NodeStatus};

use super::exchange;
use crate::context::{Context, DELIVERED_WITHIN};
use crate::interface::input::ReplyId;
use crate::purpose::{Purpose, Session};
use crate::wire::buckets::Buckets;
use crate::wire::message::Message;

/// Pings a member to learn whether its view differs.
pub(super) fn ping_digest(cx: &mut Context, node: &Arc<NodeStatus>) {
    let ping = Message::Ping { digest: cx.members.digest(), gossip: Vec::new() };
    cx.ask(node, ping, Purpose::DigestPing, DELIVERED_WITHIN);
}

/// Asks this member whether its view differs. Returns whether it is asked: it must be another
/// member, and not failed or left.
pub(crate) fn ask(cx: &mut Context, id: &NodeId) -> bool {
    let node = cx.members.get(id).filter(|node| node.id != cx.me && node.state.is_member());
    if let Some(node) = &node {
        ping_digest(cx, node);
    }
    node.is_some()
}

/// Asks a member in which buckets its view differs from this member's.
pub(crate) fn begin_with(cx: &mut Context, id: &NodeId) {
    if let Some(node) = cx.members.get(id) {
        let buckets = cx.members.bucket_digests().collect();
        let compare = Message::Compare { buckets };
        cx.ask_plainly((id, node.addr), compare, Purpose::Compare, DELIVERED_WITHIN);
    }
}

/// Answers a peer that asks which of its buckets differ. `theirs` are the peer's bucket digests.
pub(crate) fn asked(cx: &mut Context, to: ReplyId, theirs: &[u32]) {
    let mut buckets = Buckets::NONE;
    let ours = cx.members.bucket_digests();
    for (bucket, _) in ours.zip(theirs).enumerate().filter(|(_, (ours, theirs))| ours != *theirs) {
        buckets.insert(bucket);
    }
    cx.reply(to, Message::Differ { buckets });
}

/// Starts an exchange of the members in `buckets`, the buckets in which the peer's view differs.
pub(crate) fn differs(cx: &mut Context, from: &NodeId, buckets: Buckets) {
    match cx.members.get(from).filter(|_| buckets != Buckets::NONE) {
        Some(node) => {
            exchange::next_page(cx, Session::new(None, node.id.clone(), node.addr).only(buckets));
        }
        // No difference is left, or the peer is not known any more. Either way the exchange ends.
        None => cx.stats.syncs += 1,
    }
}
