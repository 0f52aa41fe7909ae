//! What a member remembers of one life for the next, and its bytes: a mark, a version, a checksum, then the record in
//! postcard. Reading refuses whatever is not exactly that.

use kinfolk_core::{ClusterId, Incarnation, NodeAddr, NodeId, NodeState};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the file begins with.
const MARK: &[u8; 7] = b"kinfolk";
/// The version of the format. A higher one is of a newer Kinfolk, and left alone.
const VERSION: u8 = 1;
/// The mark, the version, and the CRC-32 of what follows, the highest byte first.
const HEADER: usize = MARK.len() + 1 + 4;
/// How large a file is read at the most: several times what the bounds of a record allow.
pub(crate) const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a member remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Whose record it is.
    pub cluster: ClusterId,
    /// Whose record it is.
    pub node: NodeId,
    /// No incarnation above this one was ever taken.
    pub ceiling: Incarnation,
    /// Whether the member left on purpose, and was not given a seed since.
    pub left: bool,
    /// The seeds that it was given, as they were given.
    pub seeds: Vec<String>,
    /// Those that it knew, the dead too.
    pub members: Vec<Known>,
}

/// Somebody who was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub id: NodeId,
    pub addr: NodeAddr,
    pub incarnation: Incarnation,
    pub state: NodeState,
}

/// Why bytes are no record of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Unreadable {
    #[error("it is not a state file of Kinfolk")]
    Mark,
    #[error("it has format version {0}, and this Kinfolk reads version {VERSION}")]
    Version(u8),
    #[error("its checksum is wrong: it was damaged or cut off")]
    Checksum,
    #[error("its contents make no sense ({0})")]
    Contents(postcard::Error),
    #[error("it belongs to node {node} of cluster {cluster}")]
    Foreign { node: NodeId, cluster: ClusterId },
}

impl Record {
    /// The record as bytes.
    ///
    /// # Panics
    /// Never: all its types can be encoded.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let body = postcard::to_stdvec(self).expect("names, numbers and lists can all be encoded");
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(MARK);
        bytes.push(VERSION);
        bytes.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// The record in `bytes`, if it is one of this member's. Leaves out what lies too far ahead of
    /// `clock`: no member believes it. A ceiling up there was made by a clock that was wrong, or
    /// the clock is wrong now; then no member lets us join.
    pub(crate) fn from_bytes(
        bytes: &[u8],
        (cluster, node): (&ClusterId, &NodeId),
        clock: Incarnation,
    ) -> Result<Self, Unreadable> {
        let (version, rest) = match bytes.strip_prefix(MARK) {
            Some([version, rest @ ..]) => (*version, rest),
            _ => return Err(Unreadable::Mark),
        };
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let Some((checksum, body)) = rest.split_first_chunk() else { return Err(Unreadable::Checksum) };
        if u32::from_be_bytes(*checksum) != crc32fast::hash(body) {
            return Err(Unreadable::Checksum);
        }
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
            tracing::warn!(
                ceiling_ms,
                clock_ms,
                "the incarnation in the state directory lies more than 24 h ahead of the clock: starting at the clock; if the \
                 clock is wrong, set it right"
            );
            record.ceiling = clock;
        }
        record.members.retain(|known| known.incarnation.is_plausible(clock));
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Some day in 2026.
    const CLOCK: Incarnation = Incarnation::new(1_790_000_000_000);

    fn cluster() -> ClusterId {
        ClusterId::new("town").unwrap()
    }

    fn me() -> NodeId {
        NodeId::new("me").unwrap()
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let known = ("[a-z]{1,9}", any::<[u8; 4]>(), any::<u16>(), ..CLOCK.get(), 0..4_usize).prop_map(
            |(id, ip, port, incarnation, state)| Known {
                id: NodeId::new(&id).unwrap(),
                addr: NodeAddr::new((ip, port).into()),
                incarnation: Incarnation::new(incarnation),
                state: NodeState::ALL[state],
            },
        );
        let seeds = prop::collection::vec(".{0,20}", 0..4);
        let members = prop::collection::vec(known, 0..20);
        (..CLOCK.get(), any::<bool>(), seeds, members).prop_map(|(ceiling, left, seeds, members)| Record {
            cluster: cluster(),
            node: me(),
            ceiling: Incarnation::new(ceiling),
            left,
            seeds,
            members,
        })
    }

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was(record in any_record()) {
            prop_assert_eq!(Record::from_bytes(&record.to_bytes(), (&cluster(), &me()), CLOCK), Ok(record));
        }

        #[test]
        fn a_record_that_was_cut_off_or_has_a_changed_bit_is_refused(
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
        fn no_bytes_break_the_reader(bytes: Vec<u8>, body: Vec<u8>) {
            let _ = Record::from_bytes(&bytes, (&cluster(), &me()), CLOCK);
            // Behind a header that is right, too.
            let mut bytes = b"kinfolk\x01".to_vec();
            bytes.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
            bytes.extend_from_slice(&body);
            let _ = Record::from_bytes(&bytes, (&cluster(), &me()), CLOCK);
        }
    }

    #[test]
    fn far_ahead_incarnations_in_a_file_are_refused() {
        let known = |name: &str, incarnation| Known {
            id: NodeId::new(name).unwrap(),
            addr: NodeAddr::new(([127, 0, 0, 1], 1).into()),
            incarnation,
            state: NodeState::Failed,
        };
        let day = Incarnation::CLOCK_ERROR_MAX;
        let members = vec![known("a", CLOCK.later_by(day)), known("b", CLOCK.later_by(day).next())];
        let record = |ceiling| {
            let (seeds, members) = (Vec::new(), members.clone());
            Record { cluster: cluster(), node: me(), ceiling, left: false, seeds, members }
        };
        let read = |ceiling| Record::from_bytes(&record(ceiling).to_bytes(), (&cluster(), &me()), CLOCK);
        assert_eq!(read(CLOCK).unwrap().members, members[..1]);
        let highest = CLOCK.later_by(day);
        assert_eq!(read(highest).unwrap().ceiling, highest);
        for ceiling in [highest.next(), Incarnation::new(u64::MAX)] {
            assert_eq!(read(ceiling).unwrap().ceiling, CLOCK, "it is left out, and the rest is kept");
        }
    }

    #[test]
    fn a_record_of_another_node_cluster_or_version_is_told_apart_from_a_damaged_one() {
        let record = Record {
            cluster: cluster(),
            node: me(),
            ceiling: Incarnation::new(7),
            left: false,
            seeds: Vec::new(),
            members: Vec::new(),
        };
        let mut bytes = record.to_bytes();
        let foreign = Unreadable::Foreign { node: me(), cluster: cluster() };
        let other = NodeId::new("you").unwrap();
        assert_eq!(Record::from_bytes(&bytes, (&cluster(), &other), CLOCK), Err(foreign.clone()));
        assert_eq!(
            Record::from_bytes(&bytes, (&ClusterId::new("city").unwrap(), &me()), CLOCK),
            Err(foreign)
        );
        bytes[MARK.len()] = VERSION + 1;
        assert_eq!(
            Record::from_bytes(&bytes, (&cluster(), &me()), CLOCK),
            Err(Unreadable::Version(VERSION + 1))
        );
        assert_eq!(Record::from_bytes(b"", (&cluster(), &me()), CLOCK), Err(Unreadable::Mark));
    }
}
