//! The liar: a member without the protocol. It speaks the real wire, states itself properly, and
//! answers what it is asked, with lies if it has any.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk::{Incarnation, NodeId, NodeIdentity, NodeState, NodeStatus, Tags};
use kinfolk_scenarios::World;
use kinfolk_swim::{Buckets, Message, Update, codec};
use kinfolk_transport::{Inbound, Incoming, Peer, Transport};
use parking_lot::Mutex;

/// The time limit of a request.
const WITHIN: Duration = Duration::from_secs(2);
/// The kind of a request for certificates (`docs/protocol.md`).
const WANT_CERTIFICATES: u32 = 64;
/// The kind of its answer.
const CERTIFICATES: u32 = 65;

/// A node with a certificate of the cluster that says what it likes. Clones share it.
#[derive(Clone)]
pub(crate) struct Liar {
    transport: Transport,
    mind: Arc<Mind>,
}

/// What its task shares with it.
struct Mind {
    identity: NodeIdentity,
    state: Mutex<State>,
}

struct State {
    me: NodeStatus,
    lies: Lies,
    told: Told,
}

/// What the liar answers.
#[derive(Clone, Default)]
pub(crate) struct Lies {
    /// The gossip in its answers to pings.
    pub gossip: Vec<Update>,
    /// The nodes in its pages.
    pub nodes: Vec<Arc<NodeStatus>>,
    /// What it does when it is asked for certificates.
    pub certificates: Certificates,
}

/// What the liar does when it is asked for certificates.
#[derive(Clone, Default)]
pub(crate) enum Certificates {
    /// It declines at once.
    #[default]
    Decline,
    /// It does not answer.
    Silence,
    /// It gives these, whatever it is asked for.
    Give(Vec<Bytes>),
}

/// How many lies the liar has told in its answers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    pub acks: u64,
    pub described: u64,
    pub exchanged: u64,
    /// Requests for certificates.
    pub certificates: u64,
}

/// An update about a member, without accusers.
pub(crate) fn update(status: NodeStatus) -> Update {
    Update::Node { status: Arc::new(status), accusers: Vec::new() }
}

impl Liar {
    /// Starts on machine `n`, and joins through these peers.
    pub(crate) async fn join(world: &World, n: usize, peers: &[Peer]) -> Self {
        let config = world.config(n, "liar");
        let identity = config.identity.clone();
        let (transport, incoming) = world.bind(n, 0, config).expect("the address is free");
        let clock = Incarnation::at_start(world.since_epoch(), None);
        let me = NodeStatus::alive(identity.id().clone(), transport.advertised_addr(), clock, Tags::empty());
        let me = me.signed(&identity.signer());
        let state = State { me: me.clone(), lies: Lies::default(), told: Told::default() };
        let mind = Arc::new(Mind { identity, state: Mutex::new(state) });
        tokio::spawn(answer_all(Arc::clone(&mind), incoming));
        let liar = Self { transport, mind };
        for peer in peers {
            let join = Message::Join { clock, me: me.clone().into() };
            assert!(matches!(liar.ask(peer, &join).await, Some(Message::Welcome { .. })));
        }
        liar
    }

    pub(crate) fn identity(&self) -> &NodeIdentity {
        &self.mind.identity
    }

    pub(crate) fn id(&self) -> &NodeId {
        self.identity().id()
    }

    /// Its present statement.
    pub(crate) fn me(&self) -> NodeStatus {
        self.mind.state.lock().me.clone()
    }

    /// Changes its statement and signs it, with a higher incarnation. Returns it.
    pub(crate) fn restate(&self, change: impl FnOnce(&mut NodeStatus)) -> NodeStatus {
        let mut state = self.mind.state.lock();
        let at = state.me.incarnation;
        self.mind.restate(&mut state, at, change)
    }

    /// Sets what it answers from now on.
    pub(crate) fn set_lies(&self, lies: Lies) {
        self.mind.state.lock().lies = lies;
    }

    pub(crate) fn told(&self) -> Told {
        self.mind.state.lock().told
    }

    /// Sends a message that is not answered.
    pub(crate) async fn send(&self, to: &Peer, message: &Message) {
        self.send_bytes(to, codec::encode(message).expect("it is within the bounds")).await;
    }

    pub(crate) async fn send_bytes(&self, to: &Peer, body: Bytes) {
        // The peer may be busy. A liar does not care.
        let _sent = self.transport.send(to, body, WITHIN).await;
    }

    /// Sends a request. Returns the answer, if there is one.
    pub(crate) async fn ask(&self, to: &Peer, message: &Message) -> Option<Message> {
        let body = codec::encode(message).expect("it is within the bounds");
        let answer = self.transport.request(to, body, WITHIN).await.ok()?;
        Some(codec::decode(&answer).expect("a member answers correctly").peek().clone())
    }

    /// Makes `peer` ping the liar. The answer has its lies.
    pub(crate) async fn be_pinged(&self, by: &Peer) {
        let target = self.id().clone();
        let ask = Message::PingReq { target, within_ms: 200, nack: true, check_port: false, gossip: vec![] };
        let _answer = self.ask(by, &ask).await;
    }

    /// Makes the peers ask the liar for its description: it states itself again, without one. The
    /// page has its lies.
    pub(crate) async fn be_described(&self, by: &[Peer]) {
        let gossip = vec![update(self.restate(|_| {}).without_description())];
        for peer in by {
            self.send(peer, &Message::Gossip { gossip: gossip.clone() }).await;
        }
    }

    /// Leaves the cluster properly.
    pub(crate) async fn leave(self, peers: &[Peer]) {
        self.set_lies(Lies::default());
        let left = self.restate(|me| me.state = NodeState::Left);
        for peer in peers {
            self.ask(peer, &Message::Ping { digest: 0, gossip: vec![update(left.clone())] }).await;
        }
        self.transport.close(WITHIN).await;
    }

    /// Ends like a crash.
    pub(crate) fn crash(&self) {
        self.transport.abort();
    }
}

impl Mind {
    fn restate(
        &self,
        state: &mut State,
        above: Incarnation,
        change: impl FnOnce(&mut NodeStatus),
    ) -> NodeStatus {
        let NodeStatus { id, addr, .. } = state.me.clone();
        let mut me = NodeStatus::described(id, addr, above.next(), state.me.about());
        change(&mut me);
        state.me = me.signed(&self.identity.signer());
        state.me.clone()
    }

    /// As a correct member, it refutes what is said about it.
    fn hear(&self, gossip: &[Update]) {
        let mut state = self.state.lock();
        for update in gossip {
            let Update::Node { status, .. } = update else { continue };
            let is_lower = state.me.incarnation <= status.incarnation;
            if status.id == state.me.id && status.state != NodeState::Alive && is_lower {
                self.restate(&mut state, status.incarnation, |_| {});
            }
        }
    }

    /// The answer to a request. `None` declines it.
    fn answer(&self, body: &Bytes) -> Option<Answer> {
        let mut guard = self.state.lock();
        let State { me, lies, told } = &mut *guard;
        if codec::kind(body) == Ok(WANT_CERTIFICATES) {
            told.certificates += 1;
            return match &lies.certificates {
                Certificates::Decline => None,
                Certificates::Silence => Some(Answer::Never),
                Certificates::Give(these) => {
                    let answer = postcard::to_stdvec(&(CERTIFICATES, these)).expect("it has an encoding");
                    Some(Answer::Now(answer.into()))
                }
            };
        }
        let honest = |me: &NodeStatus| vec![Arc::new(me.clone())];
        let message = codec::decode(body).ok()?;
        let answer = match message.peek() {
            Message::Ping { digest, .. } => {
                // The members that watch the liar get an honest answer every second time, so that
                // it stays a member. The others ping it because it made them do so.
                let lie = !lies.gossip.is_empty() && (*digest == 0 || told.acks % 2 == 0);
                told.acks += u64::from(!lies.gossip.is_empty());
                let gossip = if lie { lies.gossip.clone() } else { vec![update(me.clone())] };
                let differs = !lies.nodes.is_empty();
                Message::Ack { stranger: false, differs, shift_ms: 0, late_ms: 0, gossip }
            }
            Message::Sync { .. } | Message::Describe { .. } => {
                let lie = !lies.nodes.is_empty();
                let is_exchange = matches!(message.peek(), Message::Sync { .. });
                *(if is_exchange { &mut told.exchanged } else { &mut told.described }) += u64::from(lie);
                Message::Page { nodes: if lie { lies.nodes.clone() } else { honest(me) }, more: false }
            }
            Message::Compare { .. } if lies.nodes.is_empty() => Message::Differ { buckets: Buckets::NONE },
            Message::Compare { .. } => Message::Differ { buckets: Buckets::ALL },
            Message::PingReq { .. } => Message::Nack { closed: false, lossy: false },
            _ => return None,
        };
        codec::encode(&answer).ok().map(Answer::Now)
    }
}

/// How the liar answers a request that it does not decline.
enum Answer {
    Now(Bytes),
    Never,
}

async fn answer_all(mind: Arc<Mind>, mut incoming: Incoming) {
    let mut silent = Vec::new();
    while let Some(Inbound { body, responder, .. }) = incoming.recv().await {
        if let Ok(message) = codec::decode(&body) {
            mind.hear(message.peek().gossip().unwrap_or_default());
        }
        let Some(responder) = responder else { continue };
        // Dropping the responder declines the request.
        match mind.answer(&body) {
            Some(Answer::Now(answer)) => drop(tokio::spawn(responder.respond(answer))),
            Some(Answer::Never) => silent.push(responder),
            None => {}
        }
    }
}
