//! Messages: from a machine's output through the codec and the network to another machine's input. A request comes back
//! exactly once, as its answer or as silence at the deadline, as the real driver sees to it.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_swim::{Message, codec};

use super::{
    Arrival, Asker, CHECK_INTERVAL, Happening, Input, NoReply, NodeId, NodeIndex, Observed, ReplyId,
    RequestId, World,
};
use crate::network::Fate;
use crate::node::Flight;
use crate::trace::Told;

/// When a request without an answer is given up.
const REQUEST_DEADLINE: Duration = Duration::from_secs(2);

/// How many messages wait for a node that pauses; one more is lost, as in a full socket buffer.
const WAITING_MAX: usize = 10_000;

impl World {
    pub(super) fn send(
        &mut self,
        from: NodeIndex,
        to: &NodeId,
        message: &Message,
        request: Option<RequestId>,
    ) {
        let to = self.find(to);
        let Some(bytes) = self.encode(from, to, message) else { return };
        let reply_to = request.map(|request| self.open(from, request));
        let fate = self.network.fate(from, to, request.is_none());
        for delay in self.delays(from, to, fate) {
            let arrival = Arrival::Message { from, bytes: bytes.clone(), reply_to };
            self.schedule(self.now + delay, Happening::Arrives(to, arrival));
        }
    }

    pub(super) fn reply(&mut self, from: NodeIndex, to: ReplyId, message: &Message) {
        // The asker may have given up, or be gone.
        let Some(Asker { node, life, request }) = self.asked.get(&to).copied() else { return };
        let Some(bytes) = self.encode(from, node, message) else { return };
        let fate = self.network.fate(from, node, false);
        for delay in self.delays(from, node, fate) {
            let arrival = Arrival::Reply { life, request, from, bytes: bytes.clone() };
            self.schedule(self.now + delay, Happening::Arrives(node, arrival));
        }
    }

    /// Something comes to a node that may be gone, another life of itself, or pausing.
    pub(super) fn arrives(&mut self, node: NodeIndex, arrival: Arrival) {
        let over = match &arrival {
            Arrival::Message { .. } => self.nodes[node.0].process.is_none(),
            Arrival::Reply { life, .. }
            | Arrival::Deadline { life, .. }
            | Arrival::Check { life }
            | Arrival::JoinAgain { life, .. }
            | Arrival::Stop { life } => !self.lives(node, *life),
        };
        if over {
            return;
        }
        if self.truth.node(node).paused {
            let waiting = &mut self.nodes[node.0].waiting;
            if matches!(arrival, Arrival::Message { .. }) && waiting.len() >= WAITING_MAX {
                return self.trace.line(self.now, Some(node), "lost", "too many messages wait already");
            }
            return waiting.push_back(arrival);
        }
        match arrival {
            Arrival::Message { from, bytes, reply_to } => self.message(node, from, &bytes, reply_to),
            Arrival::Reply { request, from, bytes, .. } => self.answer(node, request, from, &bytes),
            Arrival::Deadline { request, .. } => self.deadline(node, request),
            Arrival::Check { life } => self.check(node, life),
            Arrival::JoinAgain { via, attempt, .. } => self.join(node, via, attempt),
            Arrival::Stop { .. } => {
                self.trace.line(self.now, Some(node), "stops", "it has left");
                self.stop(node);
            }
        }
    }

    fn message(&mut self, node: NodeIndex, from: NodeIndex, bytes: &Bytes, reply_to: Option<ReplyId>) {
        let Some(message) = self.decode(from, node, bytes) else { return };
        self.heartbeat(node, from);
        self.feed(node, Input::Message { from: self.id(from), message, reply_to });
    }

    fn answer(&mut self, node: NodeIndex, request: RequestId, from: NodeIndex, bytes: &Bytes) {
        if !self.close(node, request) {
            return;
        }
        let Some(message) = self.decode(from, node, bytes) else { return };
        self.heartbeat(node, from);
        self.feed(node, Input::Reply { request, from: self.id(from), message });
    }

    fn deadline(&mut self, node: NodeIndex, request: RequestId) {
        if self.close(node, request) {
            self.trace.line(self.now, Some(node), "silent", format_args!("request {}", request.0));
            self.feed(node, Input::NoReply { request, why: NoReply::Silent });
        }
    }

    /// The health checker looks, and the machine hears what it found.
    fn check(&mut self, node: NodeIndex, life: u32) {
        let now = self.now;
        let Some(process) = self.process(node) else { return };
        for verdict in process.health.check(now) {
            self.event(node, &verdict.event);
            self.feed(node, Input::Health { change: verdict.change, cause: verdict.cause });
        }
        self.schedule(now + CHECK_INTERVAL, Happening::Arrives(node, Arrival::Check { life }));
    }

    fn heartbeat(&mut self, node: NodeIndex, from: NodeIndex) {
        let (now, from) = (self.now, self.id(from));
        if let Some(event) = self.process(node).and_then(|process| process.health.heartbeat(&from, now)) {
            self.event(node, &event);
        }
    }

    /// Notes that a request is on its way, and when it is given up.
    fn open(&mut self, node: NodeIndex, request: RequestId) -> ReplyId {
        let (life, reply) = (self.life(node), ReplyId(self.requests_made));
        self.requests_made += 1;
        self.asked.insert(reply, Asker { node, life, request });
        let given_up = Happening::Arrives(node, Arrival::Deadline { life, request });
        let deadline = self.schedule(self.now + REQUEST_DEADLINE, given_up);
        let flight = Flight { reply, deadline };
        let double = self.process(node).and_then(|process| process.requests.insert(request, flight));
        assert!(double.is_none(), "a machine never gives one number to two requests");
        reply
    }

    /// Whether this is the one end of the request; from now on it has ended.
    fn close(&mut self, node: NodeIndex, request: RequestId) -> bool {
        let Some(flight) = self.process(node).and_then(|process| process.requests.remove(&request)) else {
            return false;
        };
        self.queue.remove(&flight.deadline);
        self.asked.remove(&flight.reply);
        true
    }

    /// To bytes. What breaks a bound of the codec is a bug of the machine.
    fn encode(&mut self, from: NodeIndex, to: NodeIndex, message: &Message) -> Option<Bytes> {
        self.trace.line(self.now, Some(from), "send", format_args!("to {to}  {}", Told(message)));
        match codec::encode(message) {
            Ok(bytes) => {
                self.observe(Observed::Sent { bytes: bytes.len() });
                Some(bytes)
            }
            Err(error) => {
                let how = format!("{from} to {to}, {}: {error}", Told(message));
                self.checks.violate("every message can be encoded", self.now, how);
                None
            }
        }
    }

    fn decode(&mut self, from: NodeIndex, to: NodeIndex, bytes: &Bytes) -> Option<Message> {
        match codec::decode(bytes) {
            Ok(message) => {
                self.trace.line(self.now, Some(to), "recv", format_args!("of {from}  {}", Told(&message)));
                Some(message)
            }
            Err(error) => {
                let how = format!("{from} to {to}, {} bytes: {error}", bytes.len());
                self.checks.violate("every message can be decoded", self.now, how);
                None
            }
        }
    }

    fn delays(
        &mut self,
        from: NodeIndex,
        to: NodeIndex,
        fate: Fate,
    ) -> impl Iterator<Item = Duration> + use<> {
        let (first, second) = match fate {
            Fate::Arrives(delay) => (Some(delay), None),
            Fate::Twice(first, second) => (Some(first), Some(second)),
            Fate::Lost | Fate::Cut => (None, None),
        };
        if first.is_none() {
            self.trace.line(self.now, Some(from), "lost", format_args!("to {to}  {fate:?}"));
        }
        first.into_iter().chain(second)
    }
}
