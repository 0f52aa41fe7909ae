//! Encodes messages to bytes and decodes them. Decoding checks every bound before a message reaches
//! the machine. It cannot check signatures: a decoded message is [`Unverified`].

use kinfolk_core::signed::{Accusation, Unverified};
use kinfolk_core::{Cause, NodeStatus};
use serde::Serialize;

use bytes::Bytes;

use super::error::CodecError;
use super::message::{Message, Update};

/// The highest number of updates in one message.
pub const UPDATES_MAX: usize = 20;
/// The largest message with gossip, in bytes, with its envelope.
pub const GOSSIP_BYTES_MAX: usize = 4_096;
/// The most bytes of nodes in a page, unless its last node exceeds it.
pub const PAGE_BYTES_MAX: usize = 24 * 1024;
/// The number of kinds of messages. A message of a higher kind comes from a later version.
pub const KINDS: u32 = 12;
/// The number of buckets in which two views are compared.
pub const BUCKETS: usize = 256;
/// The largest payload of a broadcast, in bytes.
pub const USER_PAYLOAD_MAX: usize = 1_024;
/// The largest message of any kind, in bytes: a full page, and as its last node a node with the
/// largest tags (16 KiB), services (4 KiB), a coordinate (23 bytes), and fields of a later version
/// (2 KiB), fit into it.
pub const MESSAGE_BYTES_MAX: usize = 48 * 1024;
/// A claim of more bytes than this, its proof of about 96 bytes included, is sent without its
/// description, so that large tags leave room for other updates. The receiver asks for the
/// description (`Message::Describe`).
pub(crate) const INLINE_CLAIM_MAX: usize = 1_120;

/// Encodes a message.
///
/// # Errors
/// [`CodecError::Encode`] if the message has no encoding. [`CodecError::Rule`] if it breaks a
/// bound, which the receiver would refuse: it is better to see such a bug at the sender.
pub fn encode(message: &Message) -> Result<Bytes, CodecError> {
    let bytes = to_bytes(message)?;
    check(message, bytes.len())?;
    Ok(bytes)
}

/// Decodes a message and checks every rule that the types cannot hold. Bytes after the message are
/// fields of a later version, and are ignored. So are updates of unknown kinds.
///
/// # Errors
/// [`CodecError`], which says what is wrong. The caller must not use any part of the message then.
pub fn decode(bytes: &[u8]) -> Result<Unverified<Message>, CodecError> {
    // Checked before decoding, so that a large input costs no memory.
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(CodecError::Rule("it is larger than 48 KiB"));
    }
    let kind = kind(bytes)?;
    if kind >= KINDS {
        return Err(CodecError::UnknownKind { kind });
    }
    let (message, _later): (Message, _) = postcard::take_from_bytes(bytes).map_err(CodecError::Malformed)?;
    check(&message, bytes.len())?;
    Ok(Unverified::new(message))
}

/// The kind of an encoded message: the number with which it begins.
///
/// # Errors
/// [`CodecError::Malformed`] if the bytes do not begin with a number.
pub fn kind(bytes: &[u8]) -> Result<u32, CodecError> {
    postcard::take_from_bytes(bytes).map(|(kind, _)| kind).map_err(CodecError::Malformed)
}

/// The number of bytes of `value` in a message, or as a message.
///
/// # Panics
/// If `value` cannot be encoded. All types of the protocol can be encoded.
pub fn encoded_len<T: Serialize + ?Sized>(value: &T) -> usize {
    postcard::experimental::serialized_size(value).expect("the protocol's types can all be encoded")
}

fn to_bytes<T: Serialize>(value: &T) -> Result<Bytes, CodecError> {
    postcard::to_stdvec(value).map(Bytes::from).map_err(CodecError::Encode)
}

fn check(message: &Message, len: usize) -> Result<(), CodecError> {
    match message {
        Message::Ping { gossip, .. }
        | Message::Ack { gossip, .. }
        | Message::PingReq { gossip, .. }
        | Message::Gossip { gossip } => check_gossip(gossip, len),
        Message::Sync { nodes, .. } | Message::Page { nodes, .. } => {
            rule(len <= MESSAGE_BYTES_MAX, "it is larger than 48 KiB")?;
            nodes.iter().try_for_each(|node| check_status(node))
        }
        Message::Compare { buckets } => rule(buckets.len() == BUCKETS, "it does not have 256 bucket digests"),
        Message::Join { me, .. } => check_status(me),
        Message::Nack { accusation, .. } => accusation.iter().try_for_each(check_accusation),
        Message::Welcome { .. } | Message::Describe { .. } | Message::Differ { .. } => Ok(()),
    }
}

fn check_gossip(gossip: &[Update], len: usize) -> Result<(), CodecError> {
    rule(len <= GOSSIP_BYTES_MAX, "it carries gossip and is larger than 4,096 bytes")?;
    rule(gossip.len() <= UPDATES_MAX, "it carries more than 20 updates")?;
    gossip.iter().try_for_each(|update| match update {
        Update::Node { status, accusers } => {
            rule(accusers.len() <= Cause::ACCUSERS_MAX, "a claim in it has more than 8 accusers")?;
            check_status(status)
        }
        Update::User(user) => {
            rule(user.payload.len() <= USER_PAYLOAD_MAX, "a broadcast in it is larger than 1,024 bytes")
        }
        Update::Accusation(accusation) => check_accusation(accusation),
        // Its types hold all rules.
        Update::Revocation(_) => Ok(()),
        Update::Forget { status, up_to } => {
            rule(
                *up_to <= status.incarnation && !status.state.is_member(),
                "a forget update in it is about a member, or beyond its statement",
            )?;
            check_status(status)
        }
    })
}

fn check_accusation(accusation: &Accusation) -> Result<(), CodecError> {
    rule(accusation.subject != accusation.accuser, "a member accuses itself in it")
}

fn check_status(status: &NodeStatus) -> Result<(), CodecError> {
    rule(status.is_well_formed(), "a claim in it has no incarnation")
}

fn rule(holds: bool, broken: &'static str) -> Result<(), CodecError> {
    if holds { Ok(()) } else { Err(CodecError::Rule(broken)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kinfolk_core::signed::{Charge, Covered, Fingerprint, Proof, Revocation, Serial, Signature};
    use kinfolk_core::{
        About, Condition, Coordinate, Extensions, Incarnation, NodeAddr, NodeId, NodeState, Note, Service,
        ServiceName, Services, Tags, Weight,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::wire::message::{Reception, UserMessage};

    fn any_condition() -> impl Strategy<Value = Condition> {
        prop_oneof![
            Just(Condition::Passing),
            "[a-z ]{0,130}".prop_map(|note| Condition::warning(&note)),
            "[a-z ]{0,130}".prop_map(|note| Condition::critical(&note)),
            (any::<u32>(), "[a-z]{0,9}")
                .prop_map(|(seconds, note)| { Condition::Maintenance { seconds, note: Note::new(&note) } }),
        ]
    }

    fn any_about() -> impl Strategy<Value = About> {
        let service = (any::<u16>(), 1..=1_000_u16, "[a-z]{0,9}", any_condition());
        let services = prop::collection::btree_map("[a-z]{1,8}", service, 0..4);
        let at = prop::option::of((-9..=9_i32, 0..=1_500_u16));
        ("[a-z]{0,20}", services, any_condition(), any::<u32>(), at).prop_map(
            |(tag, offered, condition, seconds, at)| {
                let tags = Tags::new([("tag", tag.clone())]).unwrap();
                let service = |(port, weight, meta, condition)| {
                    let meta = Tags::new([("meta", meta)]).unwrap();
                    let service = Service::new(port).with_weight(Weight::new(weight).unwrap());
                    service.with_meta(meta).with_condition(condition)
                };
                let services = offered.into_iter().fold(Services::none(), |services, (name, of)| {
                    services.with(ServiceName::new(&name).unwrap(), service(of)).unwrap()
                });
                let coordinate =
                    at.map(|(at, error)| Coordinate::new([at; 4], seconds / 1_000, error).unwrap());
                let extensions = Extensions::new(u64::from(seconds), tag.as_bytes()).unwrap();
                let extensions = extensions.with_coordinate(coordinate);
                About { tags, services, condition, extensions }
            },
        )
    }

    fn any_status() -> impl Strategy<Value = NodeStatus> {
        ("[a-z]{1,8}", 1..1_000_u64, 0..4_usize, any::<u16>(), any_about()).prop_map(
            |(id, inc, state, port, about)| {
                let addr = NodeAddr::new(([10, 0, 0, 1], port).into());
                let id = NodeId::new(&id).unwrap();
                let alive = NodeStatus::described(id, addr, Incarnation::new(inc), about);
                alive.with_state(NodeState::ALL[state])
            },
        )
    }

    fn any_update() -> impl Strategy<Value = Update> {
        let node = any_status()
            .prop_map(|status| Update::Node { accusers: vec![status.id.clone()], status: Arc::new(status) });
        let user = ("[a-z]{1,8}", any::<u64>(), prop::collection::vec(any::<u8>(), 0..64)).prop_map(
            |(id, number, payload)| {
                let origin = NodeId::new(&id).unwrap();
                Update::User(UserMessage {
                    origin,
                    instance: Incarnation::new(number),
                    number,
                    payload: payload.into(),
                    proof: Proof::default(),
                })
            },
        );
        let forget = any_status().prop_map(|status| {
            let status = status.with_state(NodeState::Failed).without_description();
            Update::Forget { up_to: status.incarnation, status: Arc::new(status) }
        });
        let accusation = any_accusation().prop_map(Update::Accusation);
        prop_oneof![node, user, forget, accusation, any_revocation().prop_map(Update::Revocation)]
    }

    fn any_revocation() -> impl Strategy<Value = Revocation> {
        let serial = prop::collection::vec(any::<u8>(), 1..=32);
        let covered = prop_oneof![
            any::<u64>().prop_map(Covered::IssuedUntil),
            serial.prop_map(|bytes| Covered::Serial(Serial::new(&bytes).unwrap())),
        ];
        ("[a-z]{1,8}", covered, any::<u64>()).prop_map(|(node, covered, until)| Revocation {
            node: NodeId::new(&node).unwrap(),
            covered,
            until,
            proof: Proof::default(),
        })
    }

    fn any_accusation() -> impl Strategy<Value = Accusation> {
        let charge = prop_oneof![
            any::<u32>().prop_map(|for_ms| Charge::Silent { for_ms }),
            Just(Charge::PortClosed),
            Just(Charge::Lossy),
        ];
        let name = |name: &str| NodeId::new(name).unwrap();
        ("[a-m]{1,8}", "[n-z]{1,8}", any::<[u64; 2]>(), charge).prop_map(
            move |(subject, accuser, incarnations, charge)| {
                let [incarnation, accuser_incarnation] = incarnations.map(Incarnation::new);
                let (subject, accuser, proof) = (name(&subject), name(&accuser), Proof::default());
                Accusation { subject, incarnation, accuser, accuser_incarnation, charge, proof }
            },
        )
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let gossip = || prop::collection::vec(any_update(), 0..8);
        let nodes = || prop::collection::vec(any_status().prop_map(Arc::new), 0..8);
        let id = || "[a-z]{1,8}".prop_map(|id| NodeId::new(&id).unwrap());
        prop_oneof![
            (any::<u32>(), gossip()).prop_map(|(digest, gossip)| Message::Ping { digest, gossip }),
            (any::<bool>(), any::<bool>(), any::<i16>(), any::<u16>(), gossip()).prop_map(
                |(stranger, differs, shift_ms, late_ms, gossip)| Message::Ack {
                    stranger,
                    differs,
                    shift_ms,
                    late_ms,
                    gossip
                }
            ),
            gossip().prop_map(|gossip| Message::Gossip { gossip }),
            (id(), any::<u32>(), any::<bool>(), any::<bool>(), gossip()).prop_map(
                |(target, within_ms, nack, check_port, gossip)| {
                    Message::PingReq { target, within_ms, nack, check_port, gossip }
                }
            ),
            (any::<[bool; 2]>(), prop::option::of(any_accusation()))
                .prop_map(|([closed, lossy], accusation)| Message::Nack { closed, lossy, accusation }),
            (any::<u64>(), any_status())
                .prop_map(|(clock, me)| Message::Join { clock: Incarnation::new(clock), me: Arc::new(me) }),
            any::<u64>().prop_map(|clock| Message::Welcome {
                clock: Incarnation::new(clock),
                reception: Reception::ClocksDiffer,
            }),
            id().prop_map(|id| Message::Describe { id }),
            (nodes(), prop::option::of(id()), any::<bool>()).prop_map(|(nodes, after, want)| Message::Sync {
                nodes,
                after,
                want,
                only: crate::wire::buckets::Buckets::ALL
            }),
            (nodes(), any::<bool>()).prop_map(|(nodes, more)| Message::Page { nodes, more }),
        ]
    }

    proptest! {
        #[test]
        fn encoded_message_decodes_to_the_same(message in any_message()) {
            let bytes = encode(&message).unwrap();
            prop_assert_eq!(bytes.len(), encoded_len(&message));
            prop_assert_eq!(decode(&bytes), Ok(Unverified::new(message)));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn damaged_message_never_panics(message in any_message(), at: prop::sample::Index, byte: u8) {
            let mut bytes = encode(&message).unwrap().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = decode(&bytes);
            let _ = decode(&bytes[..at]);
        }
    }

    fn user(len: usize) -> Update {
        let origin = NodeId::new("a").unwrap();
        let payload = vec![0; len].into();
        let proof = Proof::default();
        Update::User(UserMessage { origin, instance: Incarnation::new(1), number: 0, payload, proof })
    }

    #[test]
    fn message_above_the_largest_size_is_refused() {
        let too_large = CodecError::Rule("it is larger than 48 KiB");
        let junk = |len| decode(&vec![0xff; len]).unwrap_err();
        assert_ne!(junk(MESSAGE_BYTES_MAX), too_large);
        assert_eq!(junk(MESSAGE_BYTES_MAX + 1), too_large);
    }

    #[test]
    fn compare_without_256_buckets_is_refused() {
        let compare = |count| encode(&Message::Compare { buckets: vec![0; count] });
        assert!(compare(BUCKETS).is_ok());
        for count in [0, BUCKETS - 1, BUCKETS + 1] {
            assert_eq!(
                compare(count),
                Err(CodecError::Rule("it does not have 256 bucket digests")),
                "{count}"
            );
        }
    }

    #[test]
    fn value_at_a_bound_is_encoded_and_above_it_refused() {
        let message = |gossip| Message::Gossip { gossip };
        assert!(encode(&message(vec![user(0); UPDATES_MAX])).is_ok());
        assert!(matches!(encode(&message(vec![user(0); UPDATES_MAX + 1])), Err(CodecError::Rule(_))));
        assert!(encode(&message(vec![user(USER_PAYLOAD_MAX)])).is_ok());
        assert!(matches!(encode(&message(vec![user(USER_PAYLOAD_MAX + 1)])), Err(CodecError::Rule(_))));
        // 40: what a broadcast has beside its payload, without a signature.
        let largest = (GOSSIP_BYTES_MAX - 2) / 4 - 40;
        assert!(encode(&message(vec![user(largest); 4])).is_ok());
        assert!(matches!(encode(&message(vec![user(largest + 1); 4])), Err(CodecError::Rule(_))));
    }

    #[test]
    fn serialization_failure_is_an_error() {
        assert_eq!(decode(&[12]), Err(CodecError::UnknownKind { kind: 12 }));
        assert!(matches!(decode(&[200]), Err(CodecError::Malformed(_))), "half a number");
        assert!(matches!(decode(&[]), Err(CodecError::Malformed(_))));
    }

    #[test]
    fn statement_at_incarnation_zero_is_refused() {
        let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
        let status = NodeStatus::alive(NodeId::new("a").unwrap(), addr, Incarnation::ZERO, Tags::empty());
        let bytes = to_bytes(&Message::Page { nodes: vec![Arc::new(status)], more: false }).unwrap();
        assert!(matches!(decode(&bytes), Err(CodecError::Rule(_))));
    }

    #[test]
    fn accusation_of_oneself_is_refused() {
        let accusation = |accuser: &str| Accusation {
            subject: NodeId::new("a").unwrap(),
            incarnation: Incarnation::new(1),
            accuser: NodeId::new(accuser).unwrap(),
            accuser_incarnation: Incarnation::new(1),
            charge: Charge::Lossy,
            proof: Proof::default(),
        };
        for (accuser, is_refused) in [("a", true), ("b", false)] {
            let accusation = Some(accusation(accuser));
            let gossip = accusation.clone().into_iter().map(Update::Accusation).collect();
            let nack = Message::Nack { closed: true, lossy: false, accusation };
            for message in [Message::Gossip { gossip }, nack] {
                let bytes = to_bytes(&message).unwrap();
                assert_eq!(matches!(decode(&bytes), Err(CodecError::Rule(_))), is_refused, "{message:?}");
            }
        }
    }

    #[test]
    fn forget_update_beyond_its_statement_is_refused() {
        let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
        let alive = NodeStatus::alive(NodeId::new("a").unwrap(), addr, Incarnation::new(5), Tags::empty());
        let forget = |state, up_to| {
            let status = alive.with_state(state).without_description().into();
            let update = Update::Forget { status, up_to: Incarnation::new(up_to) };
            encode(&Message::Gossip { gossip: vec![update] })
        };
        assert!(forget(NodeState::Failed, 5).is_ok() && forget(NodeState::Left, 4).is_ok());
        for (state, up_to) in [(NodeState::Failed, 6), (NodeState::Alive, 5), (NodeState::Suspect, 5)] {
            assert!(matches!(forget(state, up_to), Err(CodecError::Rule(_))), "{state} {up_to}");
        }
    }

    #[test]
    fn page_with_the_largest_node_fits_into_a_message() {
        let largest = |bytes| Tags::new([("k", "v".repeat(bytes - 1))]).unwrap();
        // 20: what a service and its one entry of meta data count beside their texts.
        let meta = largest(Services::BYTES_MAX - "db".len() - 20);
        let service = Service::new(u16::MAX).with_meta(meta);
        let services = Services::none().with(ServiceName::new("db").unwrap(), service).unwrap();
        let condition = Condition::critical(&"n".repeat(Note::BYTES_MAX));
        let far = Coordinate::new([10_000_000; 4], 10_000_000, Coordinate::ERROR_MAX).unwrap();
        let extensions = Extensions::new(u64::MAX, &[7; Extensions::BYTES_MAX]).unwrap();
        let extensions = extensions.with_coordinate(Some(far));
        let about = About { tags: largest(Tags::BYTES_MAX), services, condition, extensions };
        let addr = NodeAddr::new(([u16::MAX; 8], u16::MAX).into());
        let id = NodeId::new(&"n".repeat(63)).unwrap();
        let signature = Signature::new(&[7; Signature::BYTES_MAX]).unwrap();
        let proof = Proof { certificate: Fingerprint::default(), signature };
        let status = NodeStatus::described(id, addr, Incarnation::new(u64::MAX), about);
        let largest = PAGE_BYTES_MAX + encoded_len(&NodeStatus { proof, ..status });
        assert!(largest + 256 < MESSAGE_BYTES_MAX);
    }

    /// They are part of the protocol: a member of another release refuses more.
    #[test]
    fn largest_page_and_message_have_fixed_sizes() {
        assert_eq!((PAGE_BYTES_MAX, MESSAGE_BYTES_MAX), (24_576, 49_152));
    }

    #[test]
    fn claim_with_more_than_8_accusers_is_refused() {
        let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
        let id = NodeId::new("a").unwrap();
        let status = Arc::new(NodeStatus::alive(id.clone(), addr, Incarnation::new(1), Tags::empty()));
        let claim = |accusers| {
            let accusers = vec![id.clone(); accusers];
            encode(&Message::Gossip { gossip: vec![Update::Node { status: status.clone(), accusers }] })
        };
        assert!(claim(Cause::ACCUSERS_MAX).is_ok());
        assert!(matches!(claim(Cause::ACCUSERS_MAX + 1), Err(CodecError::Rule(_))));
    }
}
