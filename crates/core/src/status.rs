//! What is known of one member: the value that the registry keeps and that gossip carries.

use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::coordinate::Coordinate;
use crate::extensions::Extensions;
use crate::incarnation::Incarnation;
use crate::node::{NodeAddr, NodeId};
use crate::service::{Condition, Services};
use crate::signed::{Attested, ContentHash, Kind, Proof, Sign, prove};
use crate::state::NodeState;
use crate::tags::Tags;

/// All that is known of one member.
///
/// It has three parts:
///
/// - The *statement* (`id`, `addr`, `incarnation`, `description`, `proof`) is the member's own
///   word, signed by it. No other member can change it. A leave is such a statement, too: nobody
///   can say that another member left.
/// - The *verdict* (`state`) is what others believe of the member at this incarnation.
/// - The *description* (`tags`, `services`, `condition`, and the coordinate in `extensions`) is the
///   member's own word too. The statement signs its hash.
///
/// A large description does not fit into a gossip message. Then the statement arrives first, and
/// the status is not [complete](Self::is_complete) until the description follows.
/// [`precedence`](crate::precedence) says how two statuses of one member combine.
///
/// # Examples
/// ```
/// use kinfolk_core::{Incarnation, NodeAddr, NodeId, NodeState, NodeStatus, Tags};
/// let addr = NodeAddr::new("10.0.0.1:7946".parse()?);
/// let status = NodeStatus::alive(NodeId::new("db-1")?, addr, Incarnation::new(1), Tags::empty());
/// assert!(status.is_complete());
/// assert_eq!(status.with_state(NodeState::Suspect).incarnation, status.incarnation);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// The member that this is about.
    pub id: NodeId,
    /// Where the member listens.
    pub addr: NodeAddr,
    /// The incarnation of the statement. `state` is about this incarnation.
    pub incarnation: Incarnation,
    /// What this member believes of it.
    pub state: NodeState,
    /// The hash of the description that belongs to the statement.
    pub description: ContentHash,
    /// The proof that the member made the statement.
    pub proof: Proof,
    /// What the member states about itself.
    pub tags: Tags,
    /// The services that the member offers.
    pub services: Services,
    /// How well the member is, by its own word.
    pub condition: Condition,
    /// What the description got after the first version: a coordinate, and fields of later
    /// versions.
    pub extensions: Extensions,
    /// The incarnation whose statement brought the description; never above `incarnation`.
    pub described_at: Incarnation,
    /// The hash of the description here. It differs from `description` while a newer one is
    /// missing.
    pub described_as: ContentHash,
}

impl NodeStatus {
    /// A member's own statement that it is alive, not signed yet.
    pub fn alive(id: NodeId, addr: NodeAddr, incarnation: Incarnation, tags: Tags) -> Self {
        Self::described(id, addr, incarnation, tags.into())
    }

    /// As [`alive`](Self::alive), with services and a condition too.
    pub fn described(id: NodeId, addr: NodeAddr, incarnation: Incarnation, about: About) -> Self {
        let hash = about.hash();
        let About { tags, services, condition, extensions } = about;
        Self {
            id,
            addr,
            incarnation,
            state: NodeState::Alive,
            description: hash,
            proof: Proof::default(),
            tags,
            services,
            condition,
            extensions,
            described_at: incarnation,
            described_as: hash,
        }
    }

    /// What the member says about itself. Cheap: the parts are shared.
    pub fn about(&self) -> About {
        let Self { tags, services, condition, extensions, .. } = self.clone();
        About { tags, services, condition, extensions }
    }

    /// Where the member lies in the network, by its own measurements. `None` if it does not say.
    pub fn coordinate(&self) -> Option<Coordinate> {
        self.extensions.coordinate()
    }

    /// Whether both say the same about the member: address, and the whole description.
    pub fn is_described_as(&self, other: &Self) -> bool {
        (self.addr, self.described_as) == (other.addr, other.described_as)
    }

    /// Whether both say the same about the member, or differ in its coordinate alone. A coordinate
    /// follows the network by itself, so a new one is no change for an application.
    pub fn is_described_alike(&self, other: &Self) -> bool {
        self.is_described_as(other) || self.addr == other.addr && self.about().is_alike(&other.about())
    }

    /// The same statement with another verdict. A verdict of [`Left`](NodeState::Left) needs
    /// another statement: the member itself must [sign](Self::signed) it.
    #[must_use]
    pub fn with_state(&self, state: NodeState) -> Self {
        Self { state, ..self.clone() }
    }

    /// The status with the signature of its member.
    #[must_use]
    pub fn signed(self, signer: &dyn Sign) -> Self {
        let proof = prove(signer, &self);
        Self { proof, ..self }
    }

    /// Whether the description belongs to the statement.
    pub fn is_complete(&self) -> bool {
        self.described_at == self.incarnation && self.described_as == self.description
    }

    /// Whether the parts fit together as a correct member would send them.
    pub fn is_well_formed(&self) -> bool {
        self.described_at <= self.incarnation && self.incarnation > Incarnation::ZERO
    }

    /// The statement and the verdict, for a message that has no room for the description. The
    /// receiver keeps the description that it has, or asks for the new one.
    #[must_use]
    pub fn without_description(&self) -> Self {
        let nothing = About::default();
        // The hash of nothing, so that a description that turns out to be empty is no change.
        let (described_at, described_as) = (Incarnation::ZERO, nothing.hash());
        let About { tags, services, condition, extensions } = nothing;
        Self { tags, services, condition, extensions, described_at, described_as, ..self.clone() }
    }
}

impl Attested for NodeStatus {
    fn kind(&self) -> Kind {
        Kind::Statement
    }

    fn signer(&self) -> &NodeId {
        &self.id
    }

    fn proof(&self) -> &Proof {
        &self.proof
    }

    fn write_content(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.incarnation.get().to_be_bytes());
        bytes.push(u8::from(self.state == NodeState::Left));
        bytes.extend_from_slice(self.description.as_bytes());
        // Last, because its length differs.
        match self.addr.socket() {
            std::net::SocketAddr::V4(addr) => bytes.extend_from_slice(&addr.ip().octets()),
            std::net::SocketAddr::V6(addr) => {
                bytes.extend_from_slice(&addr.ip().octets());
                bytes.extend_from_slice(&addr.flowinfo().to_be_bytes());
                bytes.extend_from_slice(&addr.scope_id().to_be_bytes());
            }
        }
        bytes.extend_from_slice(&self.addr.socket().port().to_be_bytes());
    }
}

/// What a member says about itself beyond its address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct About {
    /// Its tags.
    pub tags: Tags,
    /// The services that it offers.
    pub services: Services,
    /// How well it is.
    pub condition: Condition,
    /// What was added after the first version: its coordinate, and fields of later versions.
    pub extensions: Extensions,
}

impl About {
    /// The same with this coordinate, or without one.
    #[must_use]
    pub fn with_coordinate(self, coordinate: Option<Coordinate>) -> Self {
        Self { extensions: self.extensions.with_coordinate(coordinate), ..self }
    }

    /// Where the member lies in the network. `None` if it does not say.
    pub fn coordinate(&self) -> Option<Coordinate> {
        self.extensions.coordinate()
    }

    /// Whether both say the same, apart from the coordinate.
    pub fn is_alike(&self, other: &Self) -> bool {
        *self == other.clone().with_coordinate(self.coordinate())
    }

    /// The hash that a statement signs: of the description as it is encoded on the wire.
    pub fn hash(&self) -> ContentHash {
        // Most members of most clusters say nothing of themselves.
        static NOTHING: LazyLock<ContentHash> = LazyLock::new(|| About::default().hash_of_bytes());
        if *self == Self::default() { *NOTHING } else { self.hash_of_bytes() }
    }

    fn hash_of_bytes(&self) -> ContentHash {
        // Writing to memory cannot fail, and each of the types has an encoding.
        ContentHash::of(&postcard::to_stdvec(self).unwrap_or_default())
    }
}

impl From<Tags> for About {
    fn from(tags: Tags) -> Self {
        Self { tags, ..Self::default() }
    }
}

/// A status on the wire. A description that does not belong to the statement is not sent: nobody
/// could verify it.
#[derive(Serialize, Deserialize)]
struct Wire<A> {
    id: NodeId,
    addr: NodeAddr,
    incarnation: Incarnation,
    state: NodeState,
    proof: Proof,
    described: Described<A>,
}

#[derive(Serialize, Deserialize)]
enum Described<A> {
    /// Only the hash.
    Hash(ContentHash),
    /// The whole description.
    Whole(A),
}

/// A borrowed [`About`], with the same encoding.
#[derive(Serialize)]
struct AboutRef<'a> {
    tags: &'a Tags,
    services: &'a Services,
    condition: &'a Condition,
    extensions: &'a Extensions,
}

impl Serialize for NodeStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { tags, services, condition, extensions, .. } = self;
        let wire = Wire {
            id: self.id.clone(),
            addr: self.addr,
            incarnation: self.incarnation,
            state: self.state,
            proof: self.proof.clone(),
            described: if self.is_complete() {
                Described::Whole(AboutRef { tags, services, condition, extensions })
            } else {
                Described::Hash(self.description)
            },
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NodeStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { id, addr, incarnation, state, proof, described } =
            Wire::<About>::deserialize(deserializer)?;
        let status = match described {
            Described::Whole(about) => Self::described(id, addr, incarnation, about),
            Described::Hash(description) => {
                let bare = Self::described(id, addr, incarnation, About::default()).without_description();
                Self { description, ..bare }
            }
        };
        Ok(Self { state, proof, ..status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(incarnation: u64, tag: &str) -> NodeStatus {
        let (id, addr) = (NodeId::new("a").unwrap(), NodeAddr::new(([127, 0, 0, 1], 7_946).into()));
        NodeStatus::alive(id, addr, Incarnation::new(incarnation), Tags::new([("tag", tag)]).unwrap())
    }

    #[test]
    fn statement_alone_has_no_tags_and_is_incomplete() {
        let whole = status(3, "x");
        let alone = whole.without_description();
        assert!(alone.tags.is_empty() && !alone.is_complete() && whole.is_complete());
        assert_eq!(
            (alone.addr, alone.incarnation, alone.state, alone.description),
            (whole.addr, whole.incarnation, whole.state, whole.description)
        );
    }

    #[test]
    fn later_description_or_zero_incarnation_is_malformed() {
        let described_at = |at| NodeStatus { described_at: Incarnation::new(at), ..status(1, "x") };
        assert!(described_at(0).is_well_formed() && described_at(1).is_well_formed());
        assert!(!described_at(2).is_well_formed(), "a description is never younger than the statement");
        assert!(!status(0, "x").is_well_formed(), "no member starts at zero");
    }

    #[test]
    fn status_reads_back_with_or_without_description() {
        for sent in [status(3, "x"), status(3, "x").without_description()] {
            let bytes = postcard::to_stdvec(&sent).unwrap();
            assert_eq!(postcard::from_bytes::<NodeStatus>(&bytes).unwrap(), sent);
        }
    }

    fn moved(incarnation: u64, tag: &str, error: u16) -> NodeStatus {
        let NodeStatus { id, addr, incarnation, .. } = status(incarnation, tag);
        let about = status(1, tag).about().with_coordinate(Coordinate::new([9; 4], 9, error).ok());
        NodeStatus::described(id, addr, incarnation, about)
    }

    #[test]
    fn coordinate_alone_is_another_description_but_alike() {
        for (one, other) in [(status(1, "x"), moved(2, "x", 7)), (moved(1, "x", 7), moved(2, "x", 8))] {
            assert!(!one.is_described_as(&other) && one.is_described_alike(&other));
            assert!(!other.is_described_as(&one) && other.is_described_alike(&one));
        }
        assert!(moved(1, "x", 7).is_described_as(&moved(2, "x", 7)));
        assert!(!moved(1, "x", 7).is_described_alike(&moved(1, "y", 7)));
        let elsewhere = NodeStatus { addr: NodeAddr::new(([127, 0, 0, 1], 1).into()), ..status(1, "x") };
        assert!(!moved(1, "x", 7).is_described_alike(&elsewhere));
    }

    #[test]
    fn coordinate_belongs_to_the_hash_and_reads_back() {
        let sent = moved(3, "x", 120);
        let read: NodeStatus = postcard::from_bytes(&postcard::to_stdvec(&sent).unwrap()).unwrap();
        assert_eq!((read.coordinate(), &read), (sent.coordinate(), &sent));
        assert_ne!(sent.description, moved(3, "x", 121).description);
        assert_eq!(sent.without_description().coordinate(), None);
    }

    #[test]
    fn older_description_is_not_sent() {
        let outdated = NodeStatus { description: status(3, "y").description, ..status(3, "x") };
        let bytes = postcard::to_stdvec(&outdated).unwrap();
        let read: NodeStatus = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(read, outdated.without_description());
    }
}
