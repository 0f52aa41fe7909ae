//! Members of later versions: this version understands what it knows of their messages, and passes
//! on what it does not know of their statements.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::signed::simulated::SimulatedKeys;
use kinfolk_core::signed::{Proof, Unverified, Verified, prove};
use kinfolk_core::{
    About, ClusterId, Coordinate, Extensions, Incarnation, Instant, NodeAddr, NodeId, NodeState, NodeStatus,
    Rng, SharedNodeRegistry, Tags,
};
use kinfolk_swim::{
    CodecError, Input, Machine, Message, Output, ReplyId, SwimConfig, Update, UserMessage, codec,
};

const SECOND: Duration = Duration::from_secs(1);

fn keys() -> SimulatedKeys {
    SimulatedKeys::new(ClusterId::new("versions").expect("a valid name"), 1)
}

fn id(name: &str) -> NodeId {
    NodeId::new(name).expect("a valid name")
}

/// The statement of a member that says this about itself, signed.
fn status(name: &str, about: About) -> NodeStatus {
    let addr = NodeAddr::new(([10, 0, 0, 1], 7_946).into());
    NodeStatus::described(id(name), addr, Incarnation::new(5), about).signed(&keys().key_of(id(name)))
}

fn plain(name: &str) -> NodeStatus {
    status(name, About::default())
}

/// A member of a later version: it has features, and fields that this version does not know.
fn later(unknown: &[u8]) -> NodeStatus {
    let extensions = Extensions::new(0b1001, unknown).expect("few bytes");
    status("later", About { extensions, ..Tags::new([("role", "db")]).expect("a short tag").into() })
}

fn claim(status: NodeStatus) -> Update {
    Update::Node { status: status.into(), accusers: Vec::new() }
}

fn broadcast() -> Update {
    let (origin, instance, payload) = (id("b"), Incarnation::new(5), "hi".into());
    let unsigned = UserMessage { origin, instance, number: 0, payload, proof: Proof::default() };
    Update::User(UserMessage { proof: prove(&keys().key_of(id("b")), &unsigned), ..unsigned })
}

/// Each kind of message with these updates. In all of them the updates are the last field.
fn with_updates(gossip: &[Update]) -> [Message; 4] {
    let (gossip, target) = (|| gossip.to_vec(), id("b"));
    [
        Message::Ping { digest: 7, gossip: gossip() },
        Message::Ack { stranger: false, differs: true, shift_ms: -3, late_ms: 9, gossip: gossip() },
        Message::PingReq { target, within_ms: 500, nack: true, check_port: true, gossip: gossip() },
        Message::Gossip { gossip: gossip() },
    ]
}

fn encoded(update: &Update) -> Vec<u8> {
    postcard::to_stdvec(update).expect("an update has an encoding")
}

fn verified(bytes: &[u8]) -> Verified<Message> {
    codec::decode(bytes).expect("it decodes").verify(&keys()).expect("it verifies")
}

/// The messages of the golden file: each kind.
fn golden() -> Vec<(&'static str, Vec<u8>)> {
    let line = |line: &'static str| {
        let (name, hex) = (line.split(' ').next().expect("a name"), line.rsplit(' ').next().expect("bytes"));
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hexadecimal digits");
        (name, (0..hex.len()).step_by(2).map(byte).collect())
    };
    include_str!("golden/v1.txt").lines().map(line).collect()
}

#[test]
fn fields_after_the_end_of_any_message_are_ignored() {
    let mut kinds: Vec<u32> = Vec::new();
    for (name, bytes) in golden() {
        kinds.push(codec::kind(&bytes).unwrap());
        let message = codec::decode(&bytes).unwrap();
        for fields in [&[0][..], &[0xff; 9], b"new fields of a later version", &[7; 1_000]] {
            let longer = [&bytes, fields].concat();
            assert_eq!(codec::decode(&longer), Ok(message.clone()), "{name} and {} bytes", fields.len());
        }
    }
    kinds.dedup();
    assert_eq!(kinds, (0..codec::KINDS).collect::<Vec<_>>(), "each kind was tried");
}

/// The bounds of a message count its later fields too.
#[test]
fn later_fields_do_not_lift_the_bounds() {
    let bytes = codec::encode(&Message::Gossip { gossip: vec![claim(plain("a"))] }).unwrap();
    let filled_to = |len: usize| codec::decode(&[&bytes[..], &vec![0; len - bytes.len()]].concat());
    assert!(filled_to(codec::GOSSIP_BYTES_MAX).is_ok());
    assert!(matches!(filled_to(codec::GOSSIP_BYTES_MAX + 1), Err(CodecError::Rule(_))));
}

#[test]
fn update_of_unknown_kind_between_known_ones_is_skipped() {
    let (first, last) = (claim(plain("a")), broadcast());
    let known = [encoded(&first), encoded(&last)].concat();
    for message in with_updates(&[first.clone(), last.clone()]) {
        let bytes = codec::encode(&message).unwrap();
        // Before the updates stands their number, in one byte.
        let (head, [2]) = bytes.strip_suffix(&known[..]).unwrap().split_at(bytes.len() - known.len() - 1)
        else {
            panic!("two updates come last")
        };
        for kind in [5, 6, 127, 128, u32::MAX] {
            for content in [&b""[..], b"x", &[0xff; 300]] {
                let unknown = postcard::to_stdvec(&(kind, Bytes::copy_from_slice(content))).unwrap();
                let both = [head, &[3], &encoded(&first), &unknown, &encoded(&last)].concat();
                assert_eq!(codec::decode(&both), Ok(Unverified::new(message.clone())), "kind {kind}");
                let around = [head, &[4], &unknown, &encoded(&first), &encoded(&last), &unknown].concat();
                assert_eq!(codec::decode(&around), Ok(Unverified::new(message.clone())), "kind {kind}");
                let alone = [head, &[1], &unknown].concat();
                let rest = codec::decode(&alone).unwrap().map(|message| message.retain(|_| false));
                assert_eq!(rest, Unverified::new(message.clone().retain(|_| false)), "kind {kind}");
            }
        }
    }
}

#[test]
fn cut_off_update_of_unknown_kind_is_malformed() {
    let unknown = postcard::to_stdvec(&(5_u32, Bytes::from_static(b"content"))).unwrap();
    let gossip = [&[4, 1], &unknown[..]].concat();
    assert_eq!(codec::decode(&gossip), Ok(Unverified::new(Message::Gossip { gossip: Vec::new() })));
    for len in 2..gossip.len() {
        assert!(matches!(codec::decode(&gossip[..len]), Err(CodecError::Malformed(_))), "{len} bytes");
    }
}

#[test]
fn unknown_fields_of_a_description_keep_their_bytes_and_proof() {
    let coordinate = Coordinate::new([1_000, -2_000, 3, 4], 5, 6).unwrap();
    for (unknown, coordinate) in [&b""[..], b"later", &[0xff; Extensions::BYTES_MAX]]
        .into_iter()
        .flat_map(|unknown| [(unknown, None), (unknown, Some(coordinate))])
    {
        let about = later(unknown).about().with_coordinate(coordinate);
        let later = status("later", about);
        let page = Message::Page { nodes: vec![Arc::new(later.clone())], more: false };
        let bytes = codec::encode(&page).unwrap();
        let message = verified(&bytes).into_inner();
        assert_eq!(codec::encode(&message).unwrap(), bytes);
        let Message::Page { nodes, .. } = &message else { panic!("it is a page") };
        assert_eq!((nodes[0].extensions.features(), nodes[0].extensions.unknown()), (0b1001, unknown));
        assert_eq!((nodes[0].coordinate(), &*nodes[0]), (coordinate, &later));
    }
}

/// The hash in the statement covers also the fields that this version does not know.
#[test]
fn changed_unknown_field_is_refused() {
    let bytes = codec::encode(&Message::Gossip { gossip: vec![claim(later(b"later"))] }).unwrap();
    let at = bytes.windows(5).rposition(|window| window == b"later").unwrap();
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    assert!(codec::decode(&changed).unwrap().verify(&keys()).is_err());
}

/// A member, and the bytes of all messages that it sends.
struct Member {
    machine: Machine,
    now: Instant,
    sent: Vec<Bytes>,
}

impl Member {
    /// The member `me`, which knows `a` and `b`.
    fn new(config: SwimConfig) -> Self {
        let registry = SharedNodeRegistry::new();
        for name in ["a", "b"] {
            let _ = registry.apply(plain(name));
        }
        let (signer, rng, now) = (Arc::new(keys().key_of(id("me"))), Rng::from_seed(1), Instant::ORIGIN);
        let machine = Machine::new(config, plain("me"), signer, registry, rng, now);
        Self { machine, now, sent: Vec::new() }
    }

    fn input(&mut self, input: Input) {
        self.machine.handle(self.now, input);
        while let Some(output) = self.machine.poll_output() {
            if let Output::Send { message, .. } | Output::Reply { message, .. } = output {
                self.sent.push(codec::encode(&message).expect("the machine keeps the bounds"));
            }
        }
    }

    fn receives(&mut self, from: &str, bytes: &[u8]) {
        let (from, message) = (id(from), verified(bytes));
        self.input(Input::Message { from, message, reply_to: Some(ReplyId(1)) });
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.machine.next_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    /// Whether a message with these bytes in it was sent.
    fn has_sent(&self, bytes: &[u8]) -> bool {
        self.sent.iter().any(|message| message.windows(bytes.len()).any(|window| window == bytes))
    }
}

fn modes() -> [SwimConfig; 3] {
    [SwimConfig::swim(), SwimConfig::lifeguard(), SwimConfig::verified()]
}

#[test]
fn machine_passes_on_unknown_fields_byte_for_byte() {
    for config in modes() {
        let mut member = Member::new(config);
        let later = later(b"later");
        member
            .receives("a", &codec::encode(&Message::Gossip { gossip: vec![claim(later.clone())] }).unwrap());
        assert!(!member.has_sent(b"later"), "only what is passed on counts");
        member.pass(2 * SECOND);
        let bytes = postcard::to_stdvec(&later).unwrap();
        assert!(member.has_sent(&bytes), "in gossip");

        member.sent.clear();
        member.receives("b", &codec::encode(&Message::Describe { id: id("later") }).unwrap());
        assert!(member.has_sent(&bytes), "in a page");
    }
}

#[test]
fn suspicion_about_a_later_member_keeps_its_proof() {
    let mut member = Member::new(SwimConfig::lifeguard());
    let later = later(b"later");
    member.receives("a", &codec::encode(&Message::Gossip { gossip: vec![claim(later.clone())] }).unwrap());
    let suspect =
        Update::Node { status: later.with_state(NodeState::Suspect).into(), accusers: vec![id("b")] };
    member.receives("b", &codec::encode(&Message::Gossip { gossip: vec![suspect] }).unwrap());
    member.pass(2 * SECOND);
    assert!(member.has_sent(&postcard::to_stdvec(&later.with_state(NodeState::Suspect)).unwrap()));
    // `verified` panics if any of them does not verify.
    member.sent.iter().for_each(|message| drop(verified(message)));
}

/// The rest of such a message is not read, so nothing of it can have an effect.
#[test]
fn message_of_unknown_kind_is_an_error_of_its_own() {
    for kind in [codec::KINDS, codec::KINDS + 1, 127, 128, u32::MAX] {
        for content in [&b""[..], b"\xff", &[0; 5_000]] {
            let bytes = [&postcard::to_stdvec(&kind).unwrap(), content].concat();
            assert_eq!(codec::decode(&bytes), Err(CodecError::UnknownKind { kind }));
            assert_eq!(codec::kind(&bytes), Ok(kind));
        }
    }
    let oversized = vec![u8::try_from(codec::KINDS).unwrap(); codec::MESSAGE_BYTES_MAX + 1];
    assert!(matches!(codec::decode(&oversized), Err(CodecError::Rule(_))), "the largest size holds for all");
}
