//! The wire format, byte for byte: `golden/v1.txt` has the bytes of messages of each kind, with
//! updates of each kind. If this test fails, members of the old and the new version cannot decode
//! each other's messages, or cannot verify each other's signatures.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::simulated::{SimulatedKey, SimulatedKeys};
use kinfolk_core::signed::{Accusation, Charge, Covered, Proof, Revocation, Serial, Sign as _, prove};
use kinfolk_core::{
    About, ClusterId, Condition, Coordinate, Extensions, Incarnation, NodeAddr, NodeId, NodeState,
    NodeStatus, Service, ServiceName, Services, Tags, Weight,
};
use kinfolk_swim::{Buckets, Message, Reception, Update, UserMessage, codec};

/// Set to `1`, it makes the test write the file instead of comparing with it.
const REWRITE: &str = "KINFOLK_REWRITE_GOLDEN";

/// What a difference means. It is the same for bytes that changed and for bytes that do not decode.
const MEANING: &str = "Members of the old and of the new version cannot talk to each other.
If no version with the old bytes was released, or if the break is meant (then it needs a new wire
version and a new file, docs/protocol.md), write the file again with KINFOLK_REWRITE_GOLDEN=1.";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1.txt")
}

fn keys() -> SimulatedKeys {
    SimulatedKeys::new(ClusterId::new("golden").expect("a valid name"), 1)
}

fn key_of(id: &NodeId) -> SimulatedKey {
    keys().key_of(id.clone())
}

fn id(name: &str) -> NodeId {
    NodeId::new(name).expect("a valid name")
}

fn incarnation() -> Incarnation {
    Incarnation::new(1_790_000_000_000)
}

fn tags(key: &str, value: &str) -> Tags {
    Tags::new([(key, value)]).expect("a short tag")
}

fn signed(about: About, state: NodeState) -> Arc<NodeStatus> {
    let addr = NodeAddr::new(([10, 0, 0, 1], 7_946).into());
    let status = NodeStatus::described(id("web-1"), addr, incarnation(), about).with_state(state);
    Arc::new(status.signed(&key_of(&id("web-1"))))
}

fn tagged(state: NodeState) -> Arc<NodeStatus> {
    signed(tags("role", "db").into(), state)
}

fn without_description(state: NodeState) -> Arc<NodeStatus> {
    Arc::new(tagged(state).without_description())
}

/// A member with a service and a planned absence.
fn offering() -> About {
    let service = Service::new(5_432)
        .with_weight(Weight::new(200).expect("a valid weight"))
        .with_meta(tags("v", "17"))
        .with_condition(Condition::warning("slow disk"));
    let services = Services::none().with(ServiceName::new("db").expect("a valid name"), service);
    About {
        services: services.expect("one small service"),
        condition: Condition::maintenance(Duration::from_mins(1), "new kernel"),
        ..About::default()
    }
}

/// A member that says where it lies.
fn located() -> About {
    let coordinate = Coordinate::new([12_000, -34_000, 56, -7], 890, 120).expect("within the bounds");
    About::from(tags("role", "db")).with_coordinate(Some(coordinate))
}

/// A member of a later version, at an IPv6 address.
fn later() -> Arc<NodeStatus> {
    let extensions = Extensions::new(0b101, b"later").expect("few bytes");
    let about =
        About { tags: tags("zone", "a"), extensions, condition: Condition::critical(""), ..About::default() };
    let addr = NodeAddr::new(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 7_946).into());
    Arc::new(
        NodeStatus::described(id("web-2"), addr, Incarnation::new(7), about).signed(&key_of(&id("web-2"))),
    )
}

fn broadcast() -> Update {
    let (origin, instance, payload) = (id("a"), Incarnation::new(7), "hi".into());
    let unsigned = UserMessage { origin, instance, number: 3, payload, proof: Proof::default() };
    Update::User(UserMessage { proof: prove(&key_of(&unsigned.origin), &unsigned), ..unsigned })
}

fn claim(status: Arc<NodeStatus>, accusers: &[&str]) -> Update {
    Update::Node { status, accusers: accusers.iter().map(|name| id(name)).collect() }
}

fn forget(state: NodeState, up_to: Incarnation) -> Update {
    Update::Forget { status: without_description(state), up_to }
}

fn accusation(charge: Charge) -> Accusation {
    let (subject, accuser, proof) = (id("web-1"), id("b"), Proof::default());
    let (incarnation, accuser_incarnation) = (incarnation(), Incarnation::new(9));
    let unsigned = Accusation { subject, incarnation, accuser, accuser_incarnation, charge, proof };
    Accusation { proof: prove(&key_of(&id("b")), &unsigned), ..unsigned }
}

fn accuses(charge: Charge) -> Update {
    Update::Accusation(accusation(charge))
}

fn serial() -> Serial {
    Serial::new(&[0x1f; 20]).expect("few bytes")
}

fn revokes(covered: Covered) -> Update {
    let unsigned = Revocation { node: id("web-1"), covered, until: 1_800_000_000, proof: Proof::default() };
    Update::Revocation(Revocation { proof: prove(&keys().authority(), &unsigned), ..unsigned })
}

/// Messages of each kind, with a name for each.
fn messages() -> Vec<(&'static str, Message)> {
    use NodeState::{Alive, Failed, Left, Suspect};
    let clock = incarnation();
    let gossip = |gossip| Message::Gossip { gossip };
    vec![
        (
            "ping",
            Message::Ping { digest: 0xdead_beef, gossip: vec![claim(tagged(Suspect), &["b"]), broadcast()] },
        ),
        (
            "ack",
            Message::Ack { stranger: true, differs: false, shift_ms: -5, late_ms: 300, gossip: Vec::new() },
        ),
        (
            "ack-with-claim",
            Message::Ack {
                stranger: false,
                differs: true,
                shift_ms: 5,
                late_ms: 0,
                gossip: vec![claim(without_description(Alive), &[])],
            },
        ),
        (
            "ping-req",
            Message::PingReq {
                target: id("b"),
                within_ms: 500,
                nack: true,
                check_port: false,
                gossip: vec![claim(tagged(Alive), &[])],
            },
        ),
        ("nack", Message::Nack { closed: true, lossy: false, accusation: None }),
        (
            "nack-accusation",
            Message::Nack { closed: false, lossy: true, accusation: Some(accusation(Charge::Lossy)) },
        ),
        ("gossip-claim-alive", gossip(vec![claim(tagged(Alive), &[])])),
        ("gossip-claim-suspect", gossip(vec![claim(tagged(Suspect), &["a", "b"])])),
        ("gossip-claim-failed", gossip(vec![claim(tagged(Failed), &["a"])])),
        ("gossip-claim-left", gossip(vec![claim(tagged(Left), &[])])),
        ("gossip-claim-without-description", gossip(vec![claim(without_description(Suspect), &["b"])])),
        ("gossip-claim-empty-description", gossip(vec![claim(signed(About::default(), Alive), &[])])),
        ("gossip-claim-services", gossip(vec![claim(signed(offering(), Alive), &[])])),
        ("gossip-claim-coordinate", gossip(vec![claim(signed(located(), Alive), &[])])),
        ("gossip-claim-extensions", gossip(vec![claim(later(), &[])])),
        ("gossip-claim-extensions-hash", gossip(vec![claim(later().without_description().into(), &[])])),
        ("gossip-broadcast", gossip(vec![broadcast()])),
        ("gossip-accusation-silent", gossip(vec![accuses(Charge::Silent { for_ms: 2_500 })])),
        ("gossip-accusation-port-closed", gossip(vec![accuses(Charge::PortClosed)])),
        ("gossip-forget-failed", gossip(vec![forget(Failed, clock)])),
        ("gossip-forget-left", gossip(vec![forget(Left, Incarnation::new(7))])),
        ("gossip-revocation-time", gossip(vec![revokes(Covered::IssuedUntil(1_790_000_000))])),
        ("gossip-revocation-serial", gossip(vec![revokes(Covered::Serial(serial()))])),
        ("join", Message::Join { clock, me: tagged(Alive) }),
        ("welcome-seen", Message::Welcome { clock, reception: Reception::Seen }),
        ("welcome-clocks-differ", Message::Welcome { clock, reception: Reception::ClocksDiffer }),
        ("welcome-far-ahead", Message::Welcome { clock, reception: Reception::FarAhead }),
        ("welcome-full", Message::Welcome { clock, reception: Reception::Full }),
        ("welcome-leaving", Message::Welcome { clock, reception: Reception::Leaving }),
        (
            "sync",
            Message::Sync {
                nodes: vec![tagged(Alive)],
                after: Some(id("a")),
                want: true,
                only: Buckets::ALL,
            },
        ),
        ("compare", Message::Compare { buckets: (0..256).collect() }),
        ("differ", Message::Differ { buckets: Buckets::NONE }),
        ("describe", Message::Describe { id: id("web-1") }),
        (
            "page",
            Message::Page { nodes: vec![without_description(Failed), tagged(Alive), later()], more: true },
        ),
        ("page-services", Message::Page { nodes: vec![signed(offering(), Alive)], more: false }),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The lines of the file: name, length, bytes.
fn golden() -> Vec<(String, Vec<u8>)> {
    let text = std::fs::read_to_string(path()).expect("the golden file can be read");
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        [name, len, hex] => {
            let bytes = bytes(hex);
            assert_eq!(bytes.len().to_string(), len, "the length of {name} in the golden file is wrong");
            (name.to_owned(), bytes)
        }
        _ => panic!("not a line of the golden file: {line}"),
    };
    text.lines().map(line).collect()
}

#[test]
fn each_kind_of_message_has_these_bytes() {
    let encoded: Vec<_> = messages()
        .iter()
        .map(|(name, message)| (*name, codec::encode(message).expect("the message keeps all bounds")))
        .collect();
    if std::env::var(REWRITE).is_ok_and(|value| value == "1") {
        let line = |(name, bytes): &(&str, bytes::Bytes)| format!("{name} {} {}\n", bytes.len(), hex(bytes));
        std::fs::write(path(), encoded.iter().map(line).collect::<String>())
            .expect("the file can be written");
        return;
    }
    let golden = golden();
    let names = |all: &[(String, Vec<u8>)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let expected: Vec<_> = encoded.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&golden), expected, "the file has other messages than the test; use {REWRITE}=1");
    for ((name, now), (_, before)) in encoded.iter().zip(&golden) {
        let at = now.iter().zip(before).take_while(|(now, before)| now == before).count();
        assert!(
            now[..] == before[..],
            "The bytes of {name} changed, from byte {at} on.\n  before: {}\n  now:    {}\n{MEANING}",
            hex(before),
            hex(now),
        );
    }
}

#[test]
fn golden_bytes_decode_to_the_messages_and_verify() {
    for ((name, message), (_, bytes)) in messages().into_iter().zip(golden()) {
        let read = codec::decode(&bytes);
        let read = read.unwrap_or_else(|why| panic!("{name} does not decode: {why}.\n{MEANING}"));
        assert_eq!(read.peek(), &message, "{name} decodes to another message.\n{MEANING}");
        let verified = read.verify(&keys());
        assert!(verified.is_ok(), "{name} does not verify: {:?}.\n{MEANING}", verified.err());
    }
}

/// The golden signatures are those of simulated keys. They must not change by themselves.
#[test]
fn simulated_keys_sign_as_in_the_golden_file() {
    let signature = hex(key_of(&id("a")).sign_bytes(b"golden").as_bytes());
    assert_eq!(
        signature,
        "78c1d6ba31882548".repeat(8),
        "The simulated keys sign otherwise than before, so every signature in the golden file differs.
The wire format is the same. Correct this test, and write the file again with {REWRITE}=1."
    );
}

#[test]
fn golden_file_has_every_kind_of_message_and_update() {
    let all = messages();
    let mut kinds: Vec<u32> = all.iter().map(|(_, message)| kind(message)).collect();
    kinds.dedup();
    assert_eq!(kinds, (0..codec::KINDS).collect::<Vec<_>>(), "in the order of their numbers");
    let update = |wanted: fn(&Update) -> bool| {
        all.iter().any(|(_, message)| match message {
            Message::Gossip { gossip } => gossip.iter().any(wanted),
            _ => false,
        })
    };
    assert!(update(|update| matches!(update, Update::Node { .. })));
    assert!(update(|update| matches!(update, Update::User(_))));
    assert!(update(|update| matches!(update, Update::Forget { .. })));
    assert!(update(|update| matches!(update, Update::Accusation(_))));
    assert!(update(|update| matches!(update, Update::Revocation(_))));
}

fn kind(message: &Message) -> u32 {
    codec::kind(&codec::encode(message).expect("the message keeps all bounds"))
        .expect("it begins with its kind")
}
