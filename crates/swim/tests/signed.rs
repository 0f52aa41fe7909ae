//! Properties of signed messages: what verifies was signed by its subjects, and a change on the way
//! is refused or changes only what nobody signs.

use std::sync::Arc;

use kinfolk_core::signed::simulated::SimulatedKeys;
use kinfolk_core::signed::{Accusation, Attested, Charge, Claims as _, Kind, Proof, Unverified, prove};
use kinfolk_core::{
    About, ClusterId, Condition, Coordinate, Extensions, Incarnation, NodeAddr, NodeId, NodeState,
    NodeStatus, Tags,
};
use kinfolk_swim::{Buckets, Message, Update, UserMessage, codec};
use proptest::prelude::*;

const NAMES: [&str; 4] = ["a", "b", "c", "db-1"];

fn keys_of(cluster: &str) -> SimulatedKeys {
    SimulatedKeys::new(ClusterId::new(cluster).expect("a valid name"), 1)
}

fn keys() -> SimulatedKeys {
    keys_of("here")
}

fn any_name() -> impl Strategy<Value = NodeId> {
    prop::sample::select(&NAMES[..]).prop_map(|name| NodeId::new(name).expect("a valid name"))
}

/// An item that is signed, or seems to be.
#[derive(Debug, Clone)]
struct Item {
    update: Update,
    /// Whether its subject signed it, as a member of this cluster.
    is_honest: bool,
}

/// Who signs an item: its subject, or somebody.
fn any_signer() -> impl Strategy<Value = (Option<NodeId>, &'static str)> {
    prop_oneof![
        6 => Just((None, "here")),
        1 => any_name().prop_map(|name| (Some(name), "here")),
        1 => Just((None, "elsewhere")),
    ]
}

fn any_status() -> impl Strategy<Value = (NodeStatus, bool)> {
    let later = (any::<u64>(), prop::collection::vec(any::<u8>(), 0..9), prop::option::of(-9..9_i32));
    let about = ("[a-z]{0,9}", 0..9_u32, later).prop_map(|(tag, seconds, (features, unknown, at))| {
        let coordinate = at.map(|at| Coordinate::new([at; 4], 7, 100).expect("within the bounds"));
        About {
            tags: Tags::new([("tag", tag)]).expect("a short tag"),
            condition: Condition::Maintenance { seconds, note: kinfolk_core::Note::default() },
            extensions: Extensions::new(features, &unknown).expect("few bytes").with_coordinate(coordinate),
            ..About::default()
        }
    });
    let about = prop_oneof![Just(About::default()), about];
    let words = (any_name(), any::<[u8; 4]>(), any::<u16>(), 1..u64::MAX, about);
    (words, any_signer(), 0..4_usize, any::<bool>()).prop_map(
        |((id, ip, port, incarnation, about), (signer, cluster), state, whole)| {
            let addr = NodeAddr::new((ip, port).into());
            let status = NodeStatus::described(id.clone(), addr, Incarnation::new(incarnation), about);
            let is_honest = cluster == "here" && signer.as_ref().is_none_or(|signer| *signer == id);
            let key = keys_of(cluster).key_of(signer.unwrap_or(id));
            let status = status.with_state(NodeState::ALL[state]).signed(&key);
            (if whole { status } else { status.without_description() }, is_honest)
        },
    )
}

fn any_item() -> impl Strategy<Value = Item> {
    let node = (any_status(), prop::collection::vec(any_name(), 0..3)).prop_map(
        |((status, is_honest), accusers)| Item {
            update: Update::Node { status: status.into(), accusers },
            is_honest,
        },
    );
    // `Failed` and `Left` are signed differently, so other states become `Failed`.
    let forget = (any_status(), any::<u64>()).prop_map(|((status, is_honest), up_to)| {
        let state = if status.state == NodeState::Left { NodeState::Left } else { NodeState::Failed };
        let status = status.with_state(state).without_description();
        let up_to = Incarnation::new(up_to).min(status.incarnation);
        Item { update: Update::Forget { status: status.into(), up_to }, is_honest }
    });
    let words = (any_name(), any::<u64>(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..20));
    let user = (words, any_signer()).prop_map(|((origin, instance, number, payload), (signer, cluster))| {
        let is_honest = cluster == "here" && signer.as_ref().is_none_or(|signer| *signer == origin);
        let key = keys_of(cluster).key_of(signer.unwrap_or_else(|| origin.clone()));
        let (instance, payload) = (Incarnation::new(instance), payload.into());
        let unsigned = UserMessage { origin, instance, number, payload, proof: Proof::default() };
        Item { update: Update::User(UserMessage { proof: prove(&key, &unsigned), ..unsigned }), is_honest }
    });
    let accusation = any_accusation()
        .prop_map(|(accusation, is_honest)| Item { update: Update::Accusation(accusation), is_honest });
    prop_oneof![node, forget, user, accusation]
}

fn any_accusation() -> impl Strategy<Value = (Accusation, bool)> {
    let charge = prop_oneof![
        any::<u32>().prop_map(|for_ms| Charge::Silent { for_ms }),
        Just(Charge::PortClosed),
        Just(Charge::Lossy),
    ];
    let pair = (any_name(), any_name()).prop_filter("nobody accuses itself", |(one, other)| one != other);
    (pair, any::<[u64; 2]>(), charge, any_signer()).prop_map(
        |((subject, accuser), incarnations, charge, (signer, cluster))| {
            let is_honest = cluster == "here" && signer.as_ref().is_none_or(|signer| *signer == accuser);
            let key = keys_of(cluster).key_of(signer.unwrap_or_else(|| accuser.clone()));
            let [incarnation, accuser_incarnation] = incarnations.map(Incarnation::new);
            let proof = Proof::default();
            let unsigned = Accusation { subject, incarnation, accuser, accuser_incarnation, charge, proof };
            (Accusation { proof: prove(&key, &unsigned), ..unsigned }, is_honest)
        },
    )
}

/// A message, and whether all its items are honest.
fn any_message() -> impl Strategy<Value = (Message, bool)> {
    let gossip = (prop::collection::vec(any_item(), 0..5), 0..4_u8, any::<u32>(), any_name()).prop_map(
        |(items, kind, number, target)| {
            let is_honest = items.iter().all(|item| item.is_honest);
            let gossip = items.into_iter().map(|item| item.update).collect();
            let message = match kind {
                0 => Message::Ping { digest: number, gossip },
                1 => Message::Ack { stranger: false, differs: false, shift_ms: 5, late_ms: 9, gossip },
                2 => Message::PingReq { target, within_ms: number, nack: true, check_port: true, gossip },
                _ => Message::Gossip { gossip },
            };
            (message, is_honest)
        },
    );
    let pages = (prop::collection::vec(any_status(), 0..5), any::<bool>(), any::<bool>()).prop_map(
        |(nodes, more, is_page)| {
            let is_honest = nodes.iter().all(|(_, is_honest)| *is_honest);
            let nodes = nodes.into_iter().map(|(status, _)| Arc::new(status)).collect();
            let page = if is_page {
                Message::Page { nodes, more }
            } else {
                Message::Sync { nodes, after: None, want: more, only: Buckets::ALL }
            };
            (page, is_honest)
        },
    );
    let join = any_status().prop_map(|(status, is_honest)| {
        (Message::Join { clock: Incarnation::new(7), me: status.into() }, is_honest)
    });
    let nack =
        (prop::option::of(any_accusation()), any::<[bool; 2]>()).prop_map(|(accusation, [closed, lossy])| {
            let is_honest = accusation.as_ref().is_none_or(|(_, is_honest)| *is_honest);
            let accusation = accusation.map(|(accusation, _)| accusation);
            (Message::Nack { closed, lossy, accusation }, is_honest)
        });
    prop_oneof![4 => gossip, 2 => pages, 1 => join, 1 => nack]
}

/// A message in which each item is honest.
fn any_honest_message() -> impl Strategy<Value = Message> {
    let honest = any_message().prop_filter("each item is signed by its subject", |(_, is_honest)| *is_honest);
    honest.prop_map(|(message, _)| message)
}

/// What was signed: by whom, as what, the content, and the proof.
type Signed = (Kind, NodeId, Vec<u8>, Proof);

fn signed(item: &dyn Attested) -> Signed {
    let mut content = Vec::new();
    item.write_content(&mut content);
    (item.kind(), item.signer().clone(), content, item.proof().clone())
}

fn all_signed(message: &Message) -> Vec<Signed> {
    message.items().into_iter().map(signed).collect()
}

/// The statuses in a message. Their descriptions are signed by a hash, so they are compared too.
fn statuses(message: &Message) -> Vec<&NodeStatus> {
    match message {
        Message::Ping { gossip, .. }
        | Message::Ack { gossip, .. }
        | Message::PingReq { gossip, .. }
        | Message::Gossip { gossip } => {
            let status = |update| match update {
                &Update::Node { ref status, .. } | &Update::Forget { ref status, .. } => Some(&**status),
                &Update::User(_) | &Update::Accusation(_) | &Update::Revocation(_) => None,
            };
            gossip.iter().filter_map(status).collect()
        }
        Message::Sync { nodes, .. } | Message::Page { nodes, .. } => {
            nodes.iter().map(|node| &**node).collect()
        }
        Message::Join { me, .. } => vec![me],
        _ => Vec::new(),
    }
}

/// Checks that everything which `after` says in the name of a member stands in `before` too.
fn says_nothing_new(before: &Message, after: &Message) -> Result<(), TestCaseError> {
    let originals = all_signed(before);
    for item in all_signed(after) {
        prop_assert!(originals.contains(&item), "{:?} is not in {:?}", item, before);
    }
    for status in statuses(after) {
        let is_original = |original: &&NodeStatus| {
            signed(*original) == signed(status)
                && (!status.is_complete() || original.about() == status.about())
        };
        prop_assert!(statuses(before).iter().any(is_original), "{:?} is not in {:?}", status, before);
    }
    Ok(())
}

proptest! {
    #[test]
    fn message_verifies_exactly_if_each_subject_signed((message, is_honest) in any_message()) {
        let bytes = codec::encode(&message).unwrap();
        let read = codec::decode(&bytes).unwrap();
        prop_assert_eq!(read.peek(), &message);
        match read.verify(&keys()) {
            Ok(verified) => prop_assert!(is_honest && *verified == message),
            Err((_, back)) => prop_assert!(!is_honest && *back.peek() == message),
        }
    }

    #[test]
    fn item_of_another_message_stays_verified(messages in prop::collection::vec(any_honest_message(), 1..4)) {
        let nodes = messages.iter().flat_map(statuses).cloned().map(Arc::new).collect();
        let page = Message::Page { nodes, more: false };
        prop_assert!(Unverified::new(page).verify(&keys()).is_ok(), "a proof belongs to its item alone");
    }

    #[test]
    fn retain_keeps_exactly_the_accepted_items((message, _) in any_message(), salt: u8) {
        let is_accepted = |item: &dyn Attested| {
            let (_, signer, content, _) = signed(item);
            let bytes = content.iter().chain(signer.as_str().as_bytes());
            bytes.fold(salt, |sum, byte| sum.wrapping_add(*byte)) % 2 == 0
        };
        let kept = message.clone().retain(is_accepted);
        if let Message::Join { .. } = message {
            prop_assert_eq!(&kept, &message, "a join is its statement");
            return Ok(());
        }
        let accepted = message.items().into_iter().filter(|item| is_accepted(*item)).map(signed);
        prop_assert_eq!(all_signed(&kept), accepted.collect::<Vec<_>>(), "in their order");
        // What is no item stays as it was.
        let nothing = |_: &dyn Attested| false;
        prop_assert_eq!(kept.clone().retain(nothing), message.clone().retain(nothing));
        prop_assert_eq!(kept.retain(is_accepted), message.clone().retain(is_accepted));
        prop_assert_eq!(message.clone().retain(|_| true), message);
    }
}

proptest! {
    // Each case tries some thousand messages.
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn changed_bit_is_refused_or_changes_nothing_signed(message in any_honest_message()) {
        let bytes = codec::encode(&message).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(read) = codec::decode(&changed) else { continue };
            if let Ok(verified) = read.verify(&keys()) {
                says_nothing_new(&message, &verified)?;
            }
        }
    }

    #[test]
    fn cut_or_mixed_message_says_nothing_new(
        message in any_honest_message(), other in any_honest_message(), at: prop::sample::Index,
    ) {
        let (bytes, rest) = (codec::encode(&message).unwrap(), codec::encode(&other).unwrap());
        let originals = [all_signed(&message), all_signed(&other)].concat();
        let (one, two) = (at.index(bytes.len()), at.index(rest.len()));
        for mixed in [bytes[..one].to_vec(), [&bytes[..one], &rest[two..]].concat()] {
            let Ok(read) = codec::decode(&mixed) else { continue };
            if let Ok(verified) = read.verify(&keys()) {
                for item in all_signed(&verified) {
                    prop_assert!(originals.contains(&item));
                }
            }
        }
    }
}

/// What others may say about a member without its signature, and nothing else.
#[test]
fn only_the_unsigned_parts_can_change() {
    let key = keys().key_of(NodeId::new("a").unwrap());
    let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
    let tags = Tags::new([("role", "db")]).unwrap();
    let alive = NodeStatus::alive(NodeId::new("a").unwrap(), addr, Incarnation::new(5), tags).signed(&key);
    let verifies = |status: NodeStatus| {
        let update = Update::Node { status: status.into(), accusers: vec![NodeId::new("b").unwrap()] };
        Unverified::new(Message::Gossip { gossip: vec![update] }).verify(&keys()).is_ok()
    };
    for state in [NodeState::Alive, NodeState::Suspect, NodeState::Failed] {
        assert!(verifies(alive.with_state(state)) && verifies(alive.with_state(state).without_description()));
    }
    assert!(!verifies(alive.with_state(NodeState::Left)));
    let other = Tags::new([("role", "web")]).unwrap();
    let changed = [
        NodeStatus { id: NodeId::new("b").unwrap(), ..alive.clone() },
        NodeStatus { incarnation: Incarnation::new(6), ..alive.clone() },
        NodeStatus { addr: NodeAddr::new(([10, 0, 0, 1], 2).into()), ..alive.clone() },
        NodeStatus { proof: Proof::default(), ..alive.clone() },
        NodeStatus {
            proof: alive.proof.clone(),
            ..NodeStatus::alive(alive.id.clone(), addr, alive.incarnation, other)
        },
    ];
    for status in changed {
        assert!(!verifies(status.clone()), "{status:?}");
    }
}
