//! The wire format, byte for byte: one message of each kind. If this test fails, members of the old
//! and the new version cannot decode each other's messages.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use kinfolk_core::{
    About, Condition, Incarnation, NodeAddr, NodeId, NodeState, NodeStatus, Service, ServiceName, Services,
    Tags, Weight,
};
use kinfolk_swim::{Buckets, Message, Reception, Update, UserMessage, codec};

fn id(name: &str) -> NodeId {
    NodeId::new(name).expect("a valid name")
}

fn status() -> Arc<NodeStatus> {
    let addr = NodeAddr::new(([10, 0, 0, 1], 7_946).into());
    let tags = Tags::new([("role", "db")]).expect("a short tag");
    let status = NodeStatus::alive(id("web-1"), addr, Incarnation::new(1_790_000_000_000), tags);
    Arc::new(status.with_state(NodeState::Suspect))
}

/// A member with a service and a planned absence.
fn offering() -> Arc<NodeStatus> {
    let service = Service::new(5_432)
        .with_weight(Weight::new(200).expect("a valid weight"))
        .with_meta(Tags::new([("v", "17")]).expect("a short tag"))
        .with_condition(Condition::warning("slow disk"));
    let services = Services::none().with(ServiceName::new("db").expect("a valid name"), service);
    let about = About {
        services: services.expect("one small service"),
        condition: Condition::maintenance(Duration::from_mins(1), "new kernel"),
        ..About::default()
    };
    let addr = NodeAddr::new(([10, 0, 0, 1], 7_946).into());
    Arc::new(NodeStatus::described(id("web-1"), addr, Incarnation::new(1_790_000_000_000), about))
}

fn gossip() -> Vec<Update> {
    let user =
        UserMessage { origin: id("a"), instance: Incarnation::new(7), number: 3, payload: "hi".into() };
    vec![Update::Node { status: status(), accusers: vec![id("b")] }, Update::User(user)]
}

#[test]
fn each_kind_of_message_has_these_bytes() {
    let clock = Incarnation::new(1_790_000_000_000);
    let messages = [
        Message::Ping { digest: 0xdead_beef, gossip: gossip() },
        Message::Ack { stranger: true, differs: false, shift_ms: -5, late_ms: 0, gossip: Vec::new() },
        Message::PingReq {
            target: id("b"),
            within_ms: 500,
            nack: true,
            check_port: false,
            gossip: Vec::new(),
        },
        Message::Nack { closed: true, lossy: false },
        Message::Gossip { gossip: gossip() },
        Message::Join { clock, me: status() },
        Message::Welcome { clock, reception: Reception::ClocksDiffer },
        Message::Sync { nodes: vec![status()], after: Some(id("a")), want: true, only: Buckets::ALL },
        Message::Compare { buckets: (0..256).collect() },
        Message::Differ { buckets: Buckets::NONE },
        Message::Describe { id: id("web-1") },
        Message::Page { nodes: vec![status()], more: true },
        Message::Page { nodes: vec![offering()], more: false },
        Message::Gossip { gossip: vec![Update::Forget { id: id("web-1"), incarnation: clock }] },
    ];
    let mut text = String::new();
    for message in messages {
        let bytes = codec::encode(&message).unwrap();
        assert_eq!(codec::decode(&bytes).unwrap(), message);
        let hex: String = bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let name = format!("{message:?}");
        let name = name.split(' ').next().unwrap();
        // The first 80 bytes and the length are enough for a long message.
        writeln!(text, "{name} {} {}", bytes.len(), &hex[..hex.len().min(160)]).unwrap();
    }
    expect![["
        Ping 56 00effdb6f50d0200057765622d31000a0000018a3e80d8c1a28c34010104726f6c65026462000080d8c1a28c340101620101610703026869
        Ack 6 010100090000
        PingReq 8 020162f403010000
        Nack 3 030100
        Gossip 51 040200057765622d31000a0000018a3e80d8c1a28c34010104726f6c65026462000080d8c1a28c340101620101610703026869
        Join 44 0580d8c1a28c34057765622d31000a0000018a3e80d8c1a28c34010104726f6c65026462000080d8c1a28c34
        Welcome 8 0680d8c1a28c3401
        Sync 83 0701057765622d31000a0000018a3e80d8c1a28c34010104726f6c65026462000080d8c1a28c3401016101ffffffffffffffffff01ffffffffffffffffff01ffffffffffffffffff01ffffffffffffff
        Compare 387 088002000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c
        Differ 5 0900000000
        Describe 7 0a057765622d31
        Page 40 0b01057765622d31000a0000018a3e80d8c1a28c34010104726f6c65026462000080d8c1a28c3401
        Page 68 0b01057765622d31000a0000018a3e80d8c1a28c34000001026462b82ac8010101760231370109736c6f77206469736b033c0a6e6577206b65726e656c80d8c1a28c3400
        Gossip 15 040102057765622d3180d8c1a28c34
    "]].assert_eq(&text);
}
