//! The record that one instance of a member leaves for the next, and its encoding: magic bytes, a
//! version, a checksum, then the record in postcard. The decoder refuses all other bytes.

use std::sync::Arc;

use bytes::Bytes;
use kinfolk_core::signed::{Attested, Claims, Unverified};
use kinfolk_core::{ClusterId, Incarnation, NodeId, NodeStatus};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The magic bytes at the start of the file.
const MAGIC: &[u8; 7] = b"kinfolk";
/// The version of the format. A file with a higher version comes from a newer Kinfolk. It is set
/// aside and not changed. Version 2 has signed statements.
const VERSION: u8 = 2;
/// The length of the header: the magic bytes, the version, and the CRC-32 of the body in big-endian
/// order.
const HEADER: usize = MAGIC.len() + 1 + 4;
/// At most this many bytes of a file are read, so that a wrong file cannot fill the memory. A
/// record within its bounds (1,024 members with certificates, 64 seeds) takes about 0.7 MiB.
pub(crate) const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What one instance of a member leaves for the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The cluster of the member that owns the record.
    pub cluster: ClusterId,
    /// The name of the member that owns the record.
    pub node: NodeId,
    /// The highest reserved incarnation. No instance took a higher one.
    pub ceiling: Incarnation,
    /// Whether the member left on purpose, and was not given a seed since then.
    pub left: bool,
    /// The seeds of the member, as the application wrote them.
    pub seeds: Vec<String>,
    /// The members that it knew, failed and left ones included: their last statements, without
    /// description.
    pub members: Vec<Arc<NodeStatus>>,
    /// The certificates of these members in DER. Without them the statements could not be verified.
    pub certificates: Vec<Bytes>,
}

impl Claims for Record {
    fn items(&self) -> Vec<&dyn Attested> {
        self.members.iter().map(|member| &**member as &dyn Attested).collect()
    }
}

/// Why a state file cannot be used. The member sets the file aside and starts without it. In the
/// messages, "it" is the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Unreadable {
    /// The file does not start with the magic bytes: another program wrote it, or it was
    /// overwritten.
    ///
    /// What to do: check that no other program writes to the state directory.
    #[error("it is not a state file of Kinfolk; check that no other program writes to this directory")]
    Magic,
    /// Another version of Kinfolk wrote the file.
    ///
    /// What to do: start the version that wrote the file, after moving the file back. Or continue
    /// without it, and give the member a seed.
    #[error(
        "it has format version {0}, and this Kinfolk reads version {VERSION}; use the version that wrote it"
    )]
    Version(u8),
    /// The contents do not match the checksum: the file was damaged or truncated.
    ///
    /// What to do: check the disk. Give the member a seed if it does not find its group.
    #[error("its checksum is wrong, because it was damaged or truncated; check the disk")]
    Checksum,
    /// The checksum matches, but the contents are not a record. A faulty program wrote the file.
    ///
    /// What to do: give the member a seed if it does not find its group. Report the message.
    #[error("its contents are not valid: {0}; please report this")]
    Contents(postcard::Error),
    /// The file has a statement that its member did not sign. A faulty program wrote the file, or
    /// somebody changed it.
    ///
    /// What to do: check who may write to the state directory. Give the member a seed if it does
    /// not find its group.
    #[error("it has a forged statement: {0}; check who may write to this directory")]
    Forged(kinfolk_core::signed::Refusal),
    /// The file belongs to another member or another cluster.
    ///
    /// What to do: give each member a state directory of its own.
    #[error("it belongs to node {node} of cluster {cluster}; give each member its own state directory")]
    Foreign { node: NodeId, cluster: ClusterId },
}

impl Record {
    /// Encodes the record.
    ///
    /// # Panics
    /// Never: postcard can encode all types of the record.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let body = postcard::to_stdvec(self).expect("postcard can encode names, numbers, and lists");
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Decodes a record of this member. Drops incarnations that are too far ahead of `clock`,
    /// because no member accepts them. Either the clock was wrong when such a ceiling was written,
    /// or it is wrong now. In the second case no member lets this one join.
    pub(crate) fn from_bytes(
        bytes: &[u8],
        (cluster, node): (&ClusterId, &NodeId),
        clock: Incarnation,
    ) -> Result<Unverified<Self>, Unreadable> {
        let (version, rest) = match bytes.strip_prefix(MAGIC) {
            Some([version, rest @ ..]) => (*version, rest),
            _ => return Err(Unreadable::Magic),
        };
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let Some((checksum, body)) = rest.split_first_chunk() else { return Err(Unreadable::Checksum) };
        if u32::from_be_bytes(*checksum) != crc32fast::hash(body) {
            return Err(Unreadable::Checksum);
        }
        // Bytes after the record mean that it is not a record of this version.
        let mut record: Self = match postcard::take_from_bytes(body) {
            Ok((record, [])) => record,
            Ok(_) => return Err(Unreadable::Contents(postcard::Error::DeserializeBadEncoding)),
            Err(error) => return Err(Unreadable::Contents(error)),
        };
        if (&record.cluster, &record.node) != (cluster, node) {
            return Err(Unreadable::Foreign { node: record.node, cluster: record.cluster });
        }
        if !record.ceiling.is_plausible(clock) {
            let (ceiling_ms, clock_ms) = (record.ceiling.get(), clock.get());
            // The clock of this host is wrong now, or was wrong in an earlier instance. The member
            // starts with the incarnation of its clock. What to do: check the clock of this host,
            // and correct it if it is wrong.
            tracing::warn!(
                ceiling_ms,
                clock_ms,
                "ignored the incarnation in the state directory: it is more than 24 h ahead of the \
                 clock; if the clock is wrong, correct it"
            );
            record.ceiling = clock;
        }
        record.members.retain(|known| known.incarnation.is_plausible(clock));
        Ok(Unverified::new(record))
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{NodeAddr, NodeState, Tags};
    use proptest::prelude::*;

    use super::*;

    /// A day in 2026.
    const CLOCK: Incarnation = Incarnation::new(1_790_000_000_000);

    fn cluster() -> ClusterId {
        ClusterId::new("test").unwrap()
    }

    fn me() -> NodeId {
        NodeId::new("me").unwrap()
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let known = ("[a-z]{1,9}", any::<[u8; 4]>(), any::<u16>(), ..CLOCK.get(), 0..4_usize).prop_map(
            |(id, ip, port, incarnation, state)| {
                let (id, addr) = (NodeId::new(&id).unwrap(), NodeAddr::new((ip, port).into()));
                let alive = NodeStatus::alive(id, addr, Incarnation::new(incarnation), Tags::empty());
                Arc::new(alive.with_state(NodeState::ALL[state]).without_description())
            },
        );
        let certificates = prop::collection::vec(any::<[u8; 9]>(), 0..3);
        let seeds = prop::collection::vec(".{0,20}", 0..4);
        let members = prop::collection::vec(known, 0..20);
        (..CLOCK.get(), any::<bool>(), seeds, members, certificates).prop_map(
            |(ceiling, left, seeds, members, certificates)| Record {
                cluster: cluster(),
                node: me(),
                ceiling: Incarnation::new(ceiling),
                left,
                seeds,
                members,
                certificates: certificates.into_iter().map(|der| Bytes::copy_from_slice(&der)).collect(),
            },
        )
    }

    proptest! {
        #[test]
        fn record_decodes_to_the_same_record(record in any_record()) {
            prop_assert_eq!(Record::from_bytes(&record.to_bytes(), (&cluster(), &me()), CLOCK), Ok(Unverified::new(record)));
        }

        #[test]
        fn truncated_or_changed_record_is_refused(
            record in any_record(),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let whole = record.to_bytes();
            let at = at.index(whole.len());
            prop_assert!(Record::from_bytes(&whole[..at], (&cluster(), &me()), CLOCK).is_err());
            let mut flipped = whole;
            flipped[at] ^= 1 << bit;
            prop_assert!(Record::from_bytes(&flipped, (&cluster(), &me()), CLOCK).is_err());
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>, body: Vec<u8>) {
            let _ = Record::from_bytes(&bytes, (&cluster(), &me()), CLOCK);
            // Also after a valid header.
            let mut bytes = b"kinfolk\x02".to_vec();
            bytes.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
            bytes.extend_from_slice(&body);
            let _ = Record::from_bytes(&bytes, (&cluster(), &me()), CLOCK);
        }
    }

    #[test]
    fn incarnations_too_far_ahead_are_dropped() {
        let known = |name: &str, incarnation| {
            let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
            let alive = NodeStatus::alive(NodeId::new(name).unwrap(), addr, incarnation, Tags::empty());
            Arc::new(alive.with_state(NodeState::Failed).without_description())
        };
        let day = Incarnation::CLOCK_ERROR_MAX;
        let members = vec![known("a", CLOCK.later_by(day)), known("b", CLOCK.later_by(day).next())];
        let record = |ceiling| {
            let (seeds, members, certificates) = (Vec::new(), members.clone(), Vec::new());
            Record { cluster: cluster(), node: me(), ceiling, left: false, seeds, members, certificates }
        };
        let read = |ceiling| Record::from_bytes(&record(ceiling).to_bytes(), (&cluster(), &me()), CLOCK);
        assert_eq!(read(CLOCK).unwrap().peek().members, members[..1]);
        let highest = CLOCK.later_by(day);
        assert_eq!(read(highest).unwrap().peek().ceiling, highest);
        for ceiling in [highest.next(), Incarnation::new(u64::MAX)] {
            assert_eq!(
                read(ceiling).unwrap().peek().ceiling,
                CLOCK,
                "the ceiling is replaced, and the rest is kept"
            );
        }
    }

    #[test]
    fn foreign_record_is_distinct_from_a_damaged_one() {
        let record = Record {
            cluster: cluster(),
            node: me(),
            ceiling: Incarnation::new(7),
            left: false,
            seeds: Vec::new(),
            members: Vec::new(),
            certificates: Vec::new(),
        };
        let mut bytes = record.to_bytes();
        let foreign = Unreadable::Foreign { node: me(), cluster: cluster() };
        let other = NodeId::new("you").unwrap();
        assert_eq!(Record::from_bytes(&bytes, (&cluster(), &other), CLOCK), Err(foreign.clone()));
        assert_eq!(
            Record::from_bytes(&bytes, (&ClusterId::new("other").unwrap(), &me()), CLOCK),
            Err(foreign)
        );
        bytes[MAGIC.len()] = VERSION + 1;
        assert_eq!(
            Record::from_bytes(&bytes, (&cluster(), &me()), CLOCK),
            Err(Unreadable::Version(VERSION + 1))
        );
        assert_eq!(Record::from_bytes(b"", (&cluster(), &me()), CLOCK), Err(Unreadable::Magic));
    }
}
