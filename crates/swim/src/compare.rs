//! Comparing views (`Mode::Verified`): what finds whatever the flood of news has missed, at no cost while views are equal.
//!
//! The digest of a view rides on every probe, and the answer says whether it differs. Views differ for a moment with each
//! change, so only what differs twice in a row, or at a random member that is asked now and then, is looked into: the
//! digests of 256 buckets are compared, and the members in those that differ are exchanged.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId, NodeStatus, SharedNodeRegistry};
use serde::{Deserialize, Serialize};

use crate::codec::BUCKETS;
use crate::input::ReplyId;
use crate::machine::Machine;
use crate::message::Message;
use crate::output::Output;
use crate::requests::Purpose;
use crate::sync::Session;

/// How many answers in a row must say that views differ.
const DIFFERENT_FOR: u32 = 2;

/// How long after one comparison the next may begin, so that steady change does not keep everybody comparing.
const COMPARED_EVERY: Duration = Duration::from_secs(2);

/// Some of the buckets that names fall into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets([u64; BUCKETS / 64]);

impl Buckets {
    /// All of them.
    pub const ALL: Self = Self([u64::MAX; BUCKETS / 64]);
    /// None of them.
    pub const NONE: Self = Self([0; BUCKETS / 64]);

    /// Whether a member of this name is in one of them.
    pub fn hold(&self, id: &NodeId) -> bool {
        *self == Self::ALL || {
            let bucket = usize::from(SharedNodeRegistry::bucket_of(id));
            self.0[bucket / 64] & (1 << (bucket % 64)) != 0
        }
    }

    fn insert(&mut self, bucket: usize) {
        self.0[bucket / 64] |= 1 << (bucket % 64);
    }
}

impl Machine {
    /// The digest of our view as it rides on probes: never 0, which means that no comparison is wanted.
    pub(crate) fn view_digest(&self) -> u32 {
        folded(self.registry.digest()).max(1)
    }

    /// A subject has answered whether its view differs from ours.
    pub(crate) fn compared(&mut self, now: Instant, id: &NodeId, differs: bool) {
        let Some(subject) = self.watch.subjects.get_mut(id) else { return };
        subject.differs = if differs { subject.differs + 1 } else { 0 };
        let soon = self.watch.compared.is_some_and(|last| now.since(last) < COMPARED_EVERY);
        if subject.differs >= DIFFERENT_FOR && !soon {
            subject.differs = 0;
            self.watch.compared = Some(now);
            self.compare_with(id);
        }
    }

    /// Asks a member whether its view differs, and in which buckets if so.
    pub(crate) fn glance_at(&mut self, node: &NodeStatus) {
        let (digest, gossip) = (self.view_digest(), self.gossip_for(node));
        self.request(node, Message::Ping { digest, gossip }, Purpose::Glance, Self::DELIVERED_WITHIN);
    }

    pub(crate) fn compare_with(&mut self, id: &NodeId) {
        if let Some(node) = self.registry.get(id) {
            let buckets = self.registry.bucket_digests().into_iter().map(folded).collect();
            self.request(&node, Message::Compare { buckets }, Purpose::Compare, Self::DELIVERED_WITHIN);
        }
    }

    /// A peer asks which of its buckets differ from ours.
    pub(crate) fn on_compare(&mut self, to: ReplyId, theirs: &[u32]) {
        let mut buckets = Buckets::NONE;
        let ours = self.registry.bucket_digests().into_iter().map(folded);
        for (bucket, _) in ours.zip(theirs).enumerate().filter(|(_, (ours, theirs))| ours != *theirs) {
            buckets.insert(bucket);
        }
        self.output(Output::Reply { to, message: Message::Differ { buckets } });
    }

    /// A peer has said which buckets differ: their members are exchanged.
    pub(crate) fn on_differ(&mut self, from: &NodeId, buckets: Buckets) {
        let Some(node) = self.registry.get(from).filter(|_| buckets != Buckets::NONE) else {
            self.stats.syncs += 1;
            return;
        };
        self.exchange(Session::new(None, node.id.clone(), node.addr).only(buckets));
    }
}

/// A digest in half as many bits, which are enough: a difference that they hide once, they do not hide the next time.
fn folded(digest: u64) -> u32 {
    let low = (digest ^ (digest >> 32)) & u64::from(u32::MAX);
    u32::try_from(low).expect("the upper half is masked off")
}
