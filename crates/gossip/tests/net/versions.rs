//! A member of a later version among members of this one: it sends fields, messages, and updates
//! that this version does not have.

use bytes::Bytes;
use kinfolk_core::signed::{Unverified, verify_item};
use kinfolk_core::{About, Extensions, Incarnation, NodeStatus, Tags};
use kinfolk_gossip::{Certificates, Clock, Verifier};
use kinfolk_swim::{Message, Reception, Update, codec};
use kinfolk_transport::{Incoming, NodeIdentity, Transport};

use crate::fixture::{DEADLINE, Group, bind, fast, id};

/// A member that claims a later version.
struct Later {
    identity: NodeIdentity,
    transport: Transport,
    _incoming: Incoming,
}

impl Later {
    fn of(group: &Group) -> Self {
        let identity = group.identity("later");
        let (transport, incoming) = bind(&identity);
        Self { identity, transport, _incoming: incoming }
    }

    /// Its statement: with a feature word, and fields that this version does not know.
    fn statement(&self) -> NodeStatus {
        let extensions = Extensions::new(0b101, b"fields of a later version").unwrap();
        let about = About { tags: Tags::new([("k", "v")]).unwrap(), extensions, ..About::default() };
        let (id, addr) = (self.identity.id().clone(), self.transport.advertised_addr());
        NodeStatus::described(id, addr, Incarnation::new(5_000), about).signed(&self.identity.signer())
    }

    async fn request(&self, group: &Group, body: Bytes) -> Option<Unverified<Message>> {
        let answer = self.transport.request(&group.nodes[0].peer(), body, DEADLINE).await;
        answer.ok().map(|body| codec::decode(&body).unwrap())
    }
}

/// The message, with further fields at its end.
fn with_fields(message: &Message) -> Bytes {
    [&codec::encode(message).unwrap()[..], b"further fields"].concat().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn member_of_a_later_version_joins_and_is_passed_on() {
    let group = Group::of(3, fast()).await;
    let later = Later::of(&group);
    let (me, clock) = (later.statement(), Incarnation::at_start(Clock::start().since_epoch(), None));
    let join = with_fields(&Message::Join { clock, me: me.clone().into() });
    let welcome = later.request(&group, join).await.expect("the join is answered");
    assert!(matches!(welcome.peek(), Message::Welcome { reception: Reception::Seen, .. }), "{welcome:?}");
    group.settle(|registry| registry.get(&id("later")).is_some()).await;
    let verifier = Verifier::new(&later.identity, Certificates::of([later.identity.certificate()]));
    for node in &group.nodes {
        let known = node.registry.get(&id("later")).unwrap();
        assert_eq!(known.extensions, me.extensions, "{} keeps what it does not know", node.protocol.id());
        assert_eq!((known.extensions.features(), verify_item(&verifier, &*known)), (0b101, Ok(())));
    }
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_message_is_declined_and_counted() {
    let group = Group::of(2, fast()).await;
    let later = Later::of(&group);
    for kind in [codec::KINDS, 63, 66] {
        let message = [&[u8::try_from(kind).unwrap()][..], b"content of a later version"].concat();
        assert!(later.request(&group, message.into()).await.is_none(), "kind {kind}");
    }
    let stats = group.nodes[0].protocol.stats();
    assert_eq!((stats.unknown_kinds, stats.undecodable, group.nodes[0].registry.len()), (3, 0, 2));
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_update_does_not_hide_the_known_ones() {
    let group = Group::of(2, fast()).await;
    let later = Later::of(&group);
    let known = Update::Node { status: later.statement().into(), accusers: Vec::new() };
    let ping = codec::encode(&Message::Ping { digest: 0, gossip: vec![known] }).unwrap();
    // A ping is its kind, the digest (one byte for 0), the number of updates, and the updates. Kind
    // 9 with a string of 5 bytes goes first.
    assert_eq!(ping[..3], [0, 0, 1]);
    let ping = [&[0, 0, 2, 9, 5][..], b"later", &ping[3..]].concat();
    assert!(later.request(&group, ping.into()).await.is_some(), "the ping is answered");
    group.settle(|registry| registry.get(&id("later")).is_some()).await;
    // A member of this version answers with what it knows, and the later one understands that.
    let sync = Message::Sync { nodes: Vec::new(), after: None, want: true, only: kinfolk_swim::Buckets::ALL };
    let page = later.request(&group, with_fields(&sync)).await.expect("a page");
    let Message::Page { nodes, .. } = page.peek() else { panic!("{page:?}") };
    assert_eq!(nodes.len(), 3);
    group.stop().await;
}
