//! A liar: a member without the protocol. It speaks the real wire, states itself properly, and
//! answers what it is asked, with lies if it has any. The tests use it in virtual time, and the
//! case `liar` of the chaos run as a process.

mod mind;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk::{Incarnation, NodeId, NodeIdentity, NodeState, NodeStatus, Tags};
use kinfolk_core::signed::{Accusation, Charge};
use kinfolk_swim::{Buckets, Message, Update, codec};
use kinfolk_transport::{Incoming, Peer, Transport};

use crate::world::World;
use mind::{Mind, answer_all};

/// The time limit of a request.
const WITHIN: Duration = Duration::from_secs(2);

/// A node with a certificate of the cluster that says what it likes. Clones share it.
#[derive(Clone)]
pub struct Liar {
    transport: Transport,
    mind: Arc<Mind>,
}

/// What the liar answers.
#[derive(Clone, Default)]
pub struct Lies {
    /// The gossip in its answers to pings.
    pub gossip: Vec<Update>,
    /// The nodes in its pages.
    pub nodes: Vec<Arc<NodeStatus>>,
    /// What it does when it is asked for certificates.
    pub certificates: Certificates,
    /// What it does when it is asked to probe another member.
    pub testimony: Testimony,
    /// It does not answer probes that a member makes for another one.
    pub hides_from_helpers: bool,
}

/// What the liar does when it is asked for certificates.
#[derive(Clone, Default)]
pub enum Certificates {
    /// It declines at once.
    #[default]
    Decline,
    /// It does not answer.
    Silence,
    /// It gives these, whatever it is asked for.
    Give(Vec<Bytes>),
}

/// What the liar does when it is asked to probe another member. It never probes any.
#[derive(Clone, Copy, Default)]
pub enum Testimony {
    /// It says that the member did not answer it.
    #[default]
    Nack,
    /// It does not answer.
    Silence,
    /// It says that the member's port is closed and that the member is lossy. It accuses it.
    Accuse,
    /// It says that the member answered it.
    Vouch,
}

/// How many lies the liar has told in its answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    /// Answers to pings.
    pub acks: u64,
    /// Answers to requests for a description.
    pub described: u64,
    /// Pages of exchanges of views.
    pub exchanged: u64,
    /// Requests for certificates.
    pub certificates: u64,
    /// Requests to probe another member.
    pub testimonies: u64,
}

/// An update about a member, without accusers.
pub fn update(status: NodeStatus) -> Update {
    Update::Node { status: Arc::new(status), accusers: Vec::new() }
}

impl Liar {
    /// Starts on machine `n`, and joins through these peers.
    ///
    /// # Panics
    /// If the address is not free, or a peer does not take it in.
    pub async fn join(world: &World, n: usize, peers: &[Peer]) -> Self {
        let config = world.config(n, "liar");
        let identity = config.identity.clone();
        let bound = world.bind(n, 0, config).expect("the address is free");
        let liar = Self::start(bound, identity, world.since_epoch());
        for peer in peers {
            assert!(liar.join_through(peer).await, "{} takes the liar in", peer.id);
        }
        liar
    }

    /// Starts with this transport, and answers from now on. `since_epoch` is the time of its wall
    /// clock.
    pub fn start(
        (transport, incoming): (Transport, Incoming),
        identity: NodeIdentity,
        since_epoch: Duration,
    ) -> Self {
        let clock = Incarnation::at_start(since_epoch, None);
        let me = NodeStatus::alive(identity.id().clone(), transport.advertised_addr(), clock, Tags::empty());
        let mind = Arc::new(Mind::new(identity, me));
        tokio::spawn(answer_all(Arc::clone(&mind), incoming));
        Self { transport, mind }
    }

    /// Joins through a peer. Returns whether the peer takes it in.
    pub async fn join_through(&self, peer: &Peer) -> bool {
        let me = self.me();
        let join = Message::Join { clock: me.incarnation, me: me.into() };
        matches!(self.ask(peer, &join).await, Some(Message::Welcome { .. }))
    }

    /// Its identity.
    pub fn identity(&self) -> &NodeIdentity {
        self.mind.identity()
    }

    /// Its name.
    pub fn id(&self) -> &NodeId {
        self.identity().id()
    }

    /// Its present statement.
    pub fn me(&self) -> NodeStatus {
        self.mind.me()
    }

    /// Changes its statement and signs it, with a higher incarnation. Returns it.
    pub fn restate(&self, change: impl FnOnce(&mut NodeStatus)) -> NodeStatus {
        self.mind.restate(change)
    }

    /// Sets what it answers from now on.
    pub fn set_lies(&self, lies: Lies) {
        self.mind.set_lies(lies);
    }

    /// How many lies it has told in its answers.
    pub fn told(&self) -> Told {
        self.mind.told()
    }

    /// The latest statement of another member that the liar has learned from the wire.
    pub fn heard_of(&self, id: &NodeId) -> Option<NodeStatus> {
        self.mind.heard_of(id)
    }

    /// The accusations by others that the liar has learned from the wire.
    pub fn heard_accusations(&self) -> Vec<Accusation> {
        self.mind.heard_accusations()
    }

    /// Accuses a member, with the liar's own signature.
    pub fn accuse(&self, subject: &NodeId, incarnation: Incarnation, charge: Charge) -> Accusation {
        self.mind.accuse(&self.me(), (subject, incarnation), charge)
    }

    /// Sends a message that is not answered.
    ///
    /// # Panics
    /// If the message is larger than the wire allows.
    pub async fn send(&self, to: &Peer, message: &Message) {
        self.send_bytes(to, codec::encode(message).expect("it is within the bounds")).await;
    }

    /// Sends any bytes as a message that is not answered.
    pub async fn send_bytes(&self, to: &Peer, body: Bytes) {
        // The peer may be busy. A liar does not care.
        let _sent = self.transport.send(to, body, WITHIN).await;
    }

    /// Sends a request. Returns the answer, if there is one.
    ///
    /// # Panics
    /// If the message is larger than the wire allows, or the answer is malformed.
    pub async fn ask(&self, to: &Peer, message: &Message) -> Option<Message> {
        let body = codec::encode(message).expect("it is within the bounds");
        let answer = self.transport.request(to, body, WITHIN).await.ok()?;
        let answer = codec::decode(&answer).expect("a member answers correctly").peek().clone();
        self.mind.hear(&answer);
        Some(answer)
    }

    /// Sends a request, and stops waiting after this time, mostly before an answer.
    ///
    /// # Panics
    /// If the message is larger than the wire allows.
    pub async fn ask_and_give_up(&self, to: &Peer, message: &Message, after: Duration) {
        let body = codec::encode(message).expect("it is within the bounds");
        let _answer = self.transport.request(to, body, after).await;
    }

    /// Asks a peer for all statements that it knows.
    pub async fn learn(&self, from: &Peer) {
        let nodes = vec![Arc::new(self.me())];
        self.ask(from, &Message::Sync { nodes, after: None, want: true, only: Buckets::ALL }).await;
    }

    /// Makes `peer` ping the liar. The answer has its lies.
    pub async fn be_pinged(&self, by: &Peer) {
        self.ask(by, &probe(self.id())).await;
    }

    /// Asks a peer to probe another member. Returns the accusation in its answer.
    pub async fn ask_for_testimony(&self, of: &Peer, about: &NodeId) -> Option<Accusation> {
        match self.ask(of, &probe(about)).await {
            Some(Message::Nack { accusation, .. }) => accusation,
            _ => None,
        }
    }

    /// Makes the peers ask the liar for its description: it states itself again, without one. The
    /// page has its lies.
    pub async fn be_described(&self, by: &[Peer]) {
        let gossip = vec![update(self.restate(|_| {}).without_description())];
        for peer in by {
            self.send(peer, &Message::Gossip { gossip: gossip.clone() }).await;
        }
    }

    /// Leaves the cluster properly.
    pub async fn leave(self, peers: &[Peer]) {
        self.set_lies(Lies::default());
        let left = self.restate(|me| me.state = NodeState::Left);
        for peer in peers {
            self.ask(peer, &Message::Ping { digest: 0, gossip: vec![update(left.clone())] }).await;
        }
        self.transport.close(WITHIN).await;
    }

    /// Ends like a crash.
    pub fn crash(&self) {
        self.transport.abort();
    }
}

/// A request to probe a member.
fn probe(target: &NodeId) -> Message {
    let target = target.clone();
    Message::PingReq { target, within_ms: 200, nack: true, check_port: false, gossip: vec![] }
}
