//! What the liar knows, and what it answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kinfolk::{Incarnation, NodeId, NodeIdentity, NodeState, NodeStatus};
use kinfolk_core::signed::{Accusation, Charge, Proof, prove};
use kinfolk_swim::{Buckets, Message, Update, codec};
use kinfolk_transport::{Inbound, Incoming};
use parking_lot::Mutex;

use super::{Certificates, Lies, Testimony, Told, update};

/// The kind of a request for certificates (`docs/protocol.md`).
const WANT_CERTIFICATES: u32 = 64;
/// The kind of its answer.
const CERTIFICATES: u32 = 65;
/// How many accusations by others the liar keeps.
const ACCUSATIONS_MAX: usize = 1_024;

/// What the liar and its task share.
pub(super) struct Mind {
    identity: NodeIdentity,
    state: Mutex<State>,
}

struct State {
    me: NodeStatus,
    lies: Lies,
    told: Told,
    /// The latest statement of each other member.
    heard: BTreeMap<NodeId, NodeStatus>,
    accusations: Vec<Accusation>,
}

impl Mind {
    pub(super) fn new(identity: NodeIdentity, me: NodeStatus) -> Self {
        let me = me.signed(&identity.signer());
        let (lies, told) = (Lies::default(), Told::default());
        let state = State { me, lies, told, heard: BTreeMap::new(), accusations: Vec::new() };
        Self { identity, state: Mutex::new(state) }
    }

    pub(super) fn identity(&self) -> &NodeIdentity {
        &self.identity
    }

    pub(super) fn me(&self) -> NodeStatus {
        self.state.lock().me.clone()
    }

    pub(super) fn set_lies(&self, lies: Lies) {
        self.state.lock().lies = lies;
    }

    pub(super) fn told(&self) -> Told {
        self.state.lock().told
    }

    pub(super) fn heard_of(&self, id: &NodeId) -> Option<NodeStatus> {
        self.state.lock().heard.get(id).cloned()
    }

    pub(super) fn heard_accusations(&self) -> Vec<Accusation> {
        self.state.lock().accusations.clone()
    }

    pub(super) fn restate(&self, change: impl FnOnce(&mut NodeStatus)) -> NodeStatus {
        let mut state = self.state.lock();
        let at = state.me.incarnation;
        self.restate_above(&mut state, at, change)
    }

    fn restate_above(
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

    /// An accusation that `me`, the liar, signs.
    pub(super) fn accuse(
        &self,
        me: &NodeStatus,
        (subject, incarnation): (&NodeId, Incarnation),
        charge: Charge,
    ) -> Accusation {
        let (accuser, accuser_incarnation) = (me.id.clone(), me.incarnation);
        let (subject, proof) = (subject.clone(), Proof::default());
        let unsigned = Accusation { subject, incarnation, accuser, accuser_incarnation, charge, proof };
        Accusation { proof: prove(&self.identity.signer(), &unsigned), ..unsigned }
    }

    /// Learns what is new in a message. As a correct member, it refutes what is said about it.
    pub(super) fn hear(&self, message: &Message) {
        let mut state = self.state.lock();
        for update in message.gossip().unwrap_or_default() {
            match update {
                Update::Node { status, .. } => self.hear_of(&mut state, status),
                Update::Accusation(accusation) => state.keep(accusation),
                Update::User(_) | Update::Forget { .. } | Update::Revocation(_) => {}
            }
        }
        match message {
            Message::Page { nodes, .. } | Message::Sync { nodes, .. } => {
                for status in nodes {
                    self.hear_of(&mut state, status);
                }
            }
            Message::Nack { accusation: Some(accusation), .. } => state.keep(accusation),
            _ => {}
        }
    }

    fn hear_of(&self, state: &mut State, status: &NodeStatus) {
        if status.id == state.me.id {
            if status.state != NodeState::Alive && state.me.incarnation <= status.incarnation {
                self.restate_above(state, status.incarnation, |_| {});
            }
        } else if state.heard.get(&status.id).is_none_or(|known| known.incarnation < status.incarnation) {
            state.heard.insert(status.id.clone(), status.clone());
        }
    }

    /// The answer to a request. `None` declines it.
    fn answer(&self, body: &Bytes) -> Option<Answer> {
        let mut guard = self.state.lock();
        let State { me, lies, told, heard, .. } = &mut *guard;
        if codec::kind(body) == Ok(WANT_CERTIFICATES) {
            told.certificates += 1;
            return match &lies.certificates {
                Certificates::Decline => None,
                Certificates::Silence => Some(Answer::Never),
                Certificates::Give(these) => {
                    let answer = postcard::to_stdvec(&(CERTIFICATES, these)).ok()?;
                    Some(Answer::Now(answer.into()))
                }
            };
        }
        let honest = |me: &NodeStatus| vec![Arc::new(me.clone())];
        let message = codec::decode(body).ok()?;
        let answer = match message.peek() {
            // A probe for another member has the digest 0.
            Message::Ping { digest: 0, .. } if lies.hides_from_helpers => return Some(Answer::Never),
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
            Message::PingReq { target, .. } => {
                told.testimonies += 1;
                match lies.testimony {
                    Testimony::Nack => Message::Nack { closed: false, lossy: false, accusation: None },
                    Testimony::Silence => return Some(Answer::Never),
                    Testimony::Vouch => Message::Ack {
                        stranger: false,
                        differs: false,
                        shift_ms: 0,
                        late_ms: 0,
                        gossip: Vec::new(),
                    },
                    Testimony::Accuse => {
                        let accused = heard
                            .get(target)
                            .map(|status| self.accuse(me, (target, status.incarnation), Charge::PortClosed));
                        Message::Nack { closed: true, lossy: true, accusation: accused }
                    }
                }
            }
            _ => return None,
        };
        codec::encode(&answer).ok().map(Answer::Now)
    }
}

impl State {
    fn keep(&mut self, accusation: &Accusation) {
        let is_others = accusation.accuser != self.me.id;
        if is_others && self.accusations.len() < ACCUSATIONS_MAX && !self.accusations.contains(accusation) {
            self.accusations.push(accusation.clone());
        }
    }
}

/// How the liar answers a request that it does not decline.
enum Answer {
    Now(Bytes),
    Never,
}

pub(super) async fn answer_all(mind: Arc<Mind>, mut incoming: Incoming) {
    let mut silent = Vec::new();
    while let Some(Inbound { body, responder, .. }) = incoming.recv().await {
        if let Ok(message) = codec::decode(&body) {
            mind.hear(message.peek());
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
