//! Lets a node send what no correct member sends, so that tests see what the others do with it. A
//! hostile node can also keep the accusations that it hears, and answer requests falsely.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use kinfolk_core::SharedNodeRegistry;
use kinfolk_core::signed::Accusation;
use kinfolk_swim::{Dial, Message, ReplyId, RequestId, Update};

use super::{Arrival, NodeIndex, Outgoing, World};
use crate::node::Requester;

/// How a hostile node answers a request, from its view; `None` leaves the answer to its machine.
pub(crate) type FalseAnswer = Box<dyn Fn(&SharedNodeRegistry, &Message) -> Option<Message>>;

/// The requests of a hostile node beside those of its machine have numbers from here on, which no
/// machine reaches.
const FIRST_REQUEST: u64 = 1 << 35;

/// A node that changes its messages before it sends them.
pub(super) struct Hostile {
    node: NodeIndex,
    change: Box<dyn Fn(Message) -> Message>,
}

/// What a hostile node does with the messages that it receives.
pub(super) struct Spy {
    heard: Vec<Accusation>,
    answer: FalseAnswer,
}

impl World {
    /// From now on, this node keeps the accusations that it hears, and answers requests as `answer`
    /// says. It runs the protocol, too.
    pub(crate) fn corrupt(&mut self, node: NodeIndex, answer: FalseAnswer) {
        self.spies.insert(node, Spy { heard: Vec::new(), answer });
    }

    /// The silence from which on an accusation may prove a failure.
    pub(crate) fn grave_silence(&self) -> Duration {
        self.config.tolerated_pause / 2
    }

    /// The accusations that a hostile node has heard since the last call.
    pub(crate) fn take_heard(&mut self, node: NodeIndex) -> Vec<Accusation> {
        self.spies.get_mut(&node).map(|spy| std::mem::take(&mut spy.heard)).unwrap_or_default()
    }

    /// Sends a request of a hostile node, beside those of its machine. The node hears the answer.
    pub(crate) fn inject_request(&mut self, from: NodeIndex, to: NodeIndex, message: Message) {
        let (instance, request) = (self.instance(from), RequestId(FIRST_REQUEST));
        let reply_to = Some(Requester { node: from, instance, request }.name());
        if let Some(body) = self.pack(from, to, message) {
            let arrival = Arrival::Message { from, body, reply_to };
            self.deliver(from, Outgoing { to, arrival, doubles: false, dial: Dial::Never });
        }
    }

    /// Whether a reply is for a hostile node itself and not for its machine. If so, the node hears
    /// it.
    pub(super) fn is_for_spy(&mut self, node: NodeIndex, request: RequestId, message: &Message) -> bool {
        let is_so = request.0 >= FIRST_REQUEST;
        if is_so {
            self.overhear(node, message);
        }
        is_so
    }

    /// A message arrives at a node. If the node is hostile, it keeps the accusations in it, and may
    /// answer before its machine does. The machine's answer then comes too late.
    pub(super) fn spied(&mut self, node: NodeIndex, message: &Message, reply_to: Option<ReplyId>) {
        if !self.spies.contains_key(&node) {
            return;
        }
        self.overhear(node, message);
        let Some(reply_to) = reply_to else { return };
        let registry = self.nodes[node.0].process.as_ref().map(|process| &process.registry);
        let spy = self.spies.get(&node);
        let answer = registry.zip(spy).and_then(|(registry, spy)| (spy.answer)(registry, message));
        if let Some(answer) = answer {
            self.reply(node, reply_to, answer);
        }
    }

    /// A hostile node keeps the accusations in this message.
    pub(super) fn overhear(&mut self, node: NodeIndex, message: &Message) {
        let Some(spy) = self.spies.get_mut(&node) else { return };
        let accusation = |update: &Update| match update {
            Update::Accusation(accusation) => Some(accusation.clone()),
            _ => None,
        };
        spy.heard.extend(message.gossip().unwrap_or_default().iter().filter_map(accusation));
        if let Message::Nack { accusation, .. } = message {
            spy.heard.extend(accusation.clone());
        }
    }

    /// Sends a message from one node to another, beside those of its machine. The sender wants no
    /// answer.
    pub fn inject(&mut self, from: NodeIndex, to: NodeIndex, message: Message) {
        if let Some(body) = self.pack(from, to, message) {
            let arrival = Arrival::Message { from, body, reply_to: None };
            self.deliver(from, Outgoing { to, arrival, doubles: false, dial: Dial::Never });
        }
    }

    /// From now on, this node sends each message of its machine as `change` makes it. Only one node
    /// of a world can do so.
    pub fn tamper(&mut self, node: NodeIndex, change: impl Fn(Message) -> Message + 'static) {
        self.hostile = Some(Hostile { node, change: Box::new(change) });
    }

    /// The message as the node sends it.
    pub(super) fn tampered(&self, from: NodeIndex, message: Message) -> Message {
        match &self.hostile {
            Some(hostile) if hostile.node == from => (hostile.change)(message),
            _ => message,
        }
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hostile").field("node", &self.node).finish_non_exhaustive()
    }
}

impl fmt::Debug for Spy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spy").field("heard", &self.heard.len()).finish_non_exhaustive()
    }
}

/// The hostile nodes that keep what they hear.
pub(super) type Spies = BTreeMap<NodeIndex, Spy>;
