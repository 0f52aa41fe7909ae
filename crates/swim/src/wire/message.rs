//! The messages between members. The wire format is these types in postcard's encoding.
//! `docs/protocol.md` has the rules, also for members of other versions, and
//! [`codec`](crate::codec) checks what the types cannot express.

use std::sync::Arc;

use bytes::Bytes;
use kinfolk_core::signed::{Accusation, Attested, Claims, Kind, Proof, Revocation};
use kinfolk_core::{Incarnation, NodeId, NodeStatus};
use serde::{Deserialize, Serialize};

use super::buckets::Buckets;
use super::updates;

/// A message from one member to another. It does not name its sender: the receiver knows the sender
/// from the certificate of the connection.
///
/// Postcard numbers the variants in this order, so another order is another wire format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// Asks whether the receiver is alive. Answered by [`Ack`](Self::Ack) (SWIM, section 3.1).
    Ping {
        /// The digest of the sender's view. 0 if the receiver should not compare it.
        digest: u32,
        /// The updates that piggyback on this message.
        #[serde(deserialize_with = "updates::known")]
        gossip: Vec<Update>,
    },
    /// The sender is alive. From a helper: the target answered the helper.
    Ack {
        /// Whether the sender does not know the member that it answers. That member then sends its
        /// statement.
        stranger: bool,
        /// Whether the digest in the ping differs from that of the sender's view.
        differs: bool,
        /// By how many milliseconds the next probe should come later, or earlier if negative. So
        /// the watchers of the sender probe it at evenly spread times.
        shift_ms: i16,
        /// How late the sender is with its timers and messages, in milliseconds. The receiver then
        /// gives it more time to answer.
        late_ms: u16,
        /// The updates that piggyback on this message.
        #[serde(deserialize_with = "updates::known")]
        gossip: Vec<Update>,
    },
    /// Asks a helper to probe `target`. Answered by [`Ack`](Self::Ack) if the target answers. If it
    /// does not, and `nack` is set, answered by [`Nack`](Self::Nack) (SWIM, section 3.1; Lifeguard,
    /// section IV-A).
    PingReq {
        /// The member to probe.
        target: NodeId,
        /// The sender's time limit for the answer, in milliseconds.
        within_ms: u32,
        /// Whether the sender wants a nack if the target does not answer.
        nack: bool,
        /// Whether the helper should also check the target's port.
        check_port: bool,
        /// The updates that piggyback on this message.
        #[serde(deserialize_with = "updates::known")]
        gossip: Vec<Update>,
    },
    /// The helper is healthy, but the target did not answer it.
    Nack {
        /// Whether the target's host reported that no process listens at its port.
        closed: bool,
        /// Whether the sender watches the target and finds it lossy: reachable only now and then.
        lossy: bool,
        /// What the sender itself holds against the target, if that is grave. So the receiver has
        /// the proof of a failure after one round trip.
        accusation: Option<Accusation>,
    },
    /// Updates alone. Not answered.
    Gossip {
        /// The updates.
        #[serde(deserialize_with = "updates::known")]
        gossip: Vec<Update>,
    },
    /// Asks to join the group through the receiver. Answered by [`Welcome`](Self::Welcome).
    Join {
        /// The time of the sender's wall clock, as the incarnation that it would start with now.
        clock: Incarnation,
        /// The sender's statement about itself.
        me: Arc<NodeStatus>,
    },
    /// The answer to a [`Join`](Self::Join).
    Welcome {
        /// The time of the sender's wall clock.
        clock: Incarnation,
        /// Whether the sender took the member in, or why not.
        reception: Reception,
    },
    /// A page of the sender's view, and a request for a page of the receiver's view. Answered by
    /// [`Page`](Self::Page).
    Sync {
        /// A page of the nodes that the sender knows.
        nodes: Vec<Arc<NodeStatus>>,
        /// The answer starts after this name. `None` starts at the first name.
        after: Option<NodeId>,
        /// Whether the sender wants nodes in the answer. False once it has all of them.
        want: bool,
        /// The buckets that both sides limit their nodes to.
        only: Buckets,
    },
    /// The digests of the buckets of the sender's view. Answered by [`Differ`](Self::Differ).
    Compare {
        /// One digest for each of the [`BUCKETS`](crate::codec::BUCKETS) buckets.
        buckets: Vec<u32>,
    },
    /// The buckets in which the sender's view differs from the receiver's.
    Differ {
        /// These buckets.
        buckets: Buckets,
    },
    /// Asks for all that the receiver knows of a member, because its tags were too large for
    /// gossip. Answered by [`Page`](Self::Page).
    Describe {
        /// The member.
        id: NodeId,
    },
    /// A page of the sender's view, ordered by name. Before it come the tombstones that correct the
    /// receiver's last page.
    Page {
        /// The nodes.
        nodes: Vec<Arc<NodeStatus>>,
        /// Whether more nodes come after the last one.
        more: bool,
    },
}

impl Message {
    /// An `Ack` with these updates and no other information.
    pub(crate) fn ack(gossip: Vec<Update>) -> Self {
        Self::Ack { stranger: false, differs: false, shift_ms: 0, late_ms: 0, gossip }
    }

    /// The message without the signed items that `keep` refuses: updates and the nodes of a page.
    #[must_use]
    pub fn retain(mut self, keep: impl Fn(&dyn Attested) -> bool) -> Self {
        if let Some(gossip) = self.gossip_mut() {
            gossip.retain(|update| keep(update.item()));
        }
        if let Self::Sync { nodes, .. } | Self::Page { nodes, .. } = &mut self {
            nodes.retain(|node| keep(&**node));
        }
        if let Self::Nack { accusation, .. } = &mut self {
            *accusation = accusation.take().filter(|accusation| keep(accusation));
        }
        self
    }

    /// The updates that piggyback on the message. `None` for a kind that carries no updates.
    pub fn gossip(&self) -> Option<&[Update]> {
        match self {
            Self::Ping { gossip, .. }
            | Self::Ack { gossip, .. }
            | Self::PingReq { gossip, .. }
            | Self::Gossip { gossip } => Some(gossip),
            _ => None,
        }
    }

    /// The updates that piggyback on the message. `None` for a kind that carries no updates.
    pub(crate) fn gossip_mut(&mut self) -> Option<&mut Vec<Update>> {
        match self {
            Self::Ping { gossip, .. }
            | Self::Ack { gossip, .. }
            | Self::PingReq { gossip, .. }
            | Self::Gossip { gossip } => Some(gossip),
            _ => None,
        }
    }
}

/// How a peer answers a member that joins through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reception {
    /// The peer has the member in its view, or knows a claim that the member can refute. The join
    /// goes on.
    Seen,
    /// The two wall clocks differ by more than [`Incarnation::CLOCK_ERROR_MAX`].
    ClocksDiffer,
    /// The member's incarnation is too far ahead of the peer's wall clock, though the clocks agree.
    FarAhead,
    /// The peer's registry is full.
    Full,
    /// The peer itself leaves the group.
    Leaving,
}

/// A gossip update. `updates.rs` decodes it, and skips the kinds of later versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Update {
    /// A claim about a member.
    Node {
        /// The claim. Its statement has the signature of its member; the verdict has none. A claim
        /// that is too large has no description ([`NodeStatus::without_description`]).
        status: Arc<NodeStatus>,
        /// The accusers, if the claim is that the member is suspect or failed.
        accusers: Vec<NodeId>,
    },
    /// A broadcast of an application.
    User(UserMessage),
    /// A failed or left member is forgotten.
    Forget {
        /// Its last statement, without description. So nobody can have a member forgotten beyond
        /// what the member itself has said.
        status: Arc<NodeStatus>,
        /// The highest incarnation that is forgotten; never above that of the statement.
        up_to: Incarnation,
    },
    /// A member accuses another one (`Mode::Verified`). Suspicions and failures follow from these
    /// alone.
    Accusation(Accusation),
    /// An authority has revoked certificates of a member.
    Revocation(#[serde(serialize_with = "updates::as_bytes")] Revocation),
}

/// A broadcast of an application to all members. Each member passes it on once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserMessage {
    /// The member that sent it.
    pub origin: NodeId,
    /// The origin's incarnation when its instance started. So the numbers of a restarted member are
    /// not taken for old ones.
    pub instance: Incarnation,
    /// The number of the broadcast. The origin counts from 0.
    pub number: u64,
    /// The payload.
    pub payload: Bytes,
    /// The proof that the origin sent it.
    pub proof: Proof,
}

impl Attested for UserMessage {
    fn kind(&self) -> Kind {
        Kind::Broadcast
    }

    fn signer(&self) -> &NodeId {
        &self.origin
    }

    fn proof(&self) -> &Proof {
        &self.proof
    }

    fn write_content(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.instance.get().to_be_bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
    }
}

impl Update {
    /// What a member signed in it, or an authority.
    pub fn item(&self) -> &dyn Attested {
        match self {
            Self::Node { status, .. } | Self::Forget { status, .. } => &**status,
            Self::User(message) => message,
            Self::Accusation(accusation) => accusation,
            Self::Revocation(revocation) => revocation,
        }
    }
}

impl Claims for Message {
    fn items(&self) -> Vec<&dyn Attested> {
        match self {
            Self::Ping { .. } | Self::Ack { .. } | Self::PingReq { .. } | Self::Gossip { .. } => {
                self.gossip().into_iter().flatten().map(Update::item).collect()
            }
            Self::Sync { nodes, .. } | Self::Page { nodes, .. } => {
                nodes.iter().map(|node| &**node as &dyn Attested).collect()
            }
            Self::Join { me, .. } => vec![&**me],
            Self::Nack { accusation, .. } => accusation.iter().map(|one| one as &dyn Attested).collect(),
            Self::Welcome { .. } | Self::Compare { .. } | Self::Differ { .. } | Self::Describe { .. } => {
                Vec::new()
            }
        }
    }
}
