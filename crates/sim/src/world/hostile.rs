//! Lets a node send what no correct member sends, so that tests see what the others do with it.

use std::fmt;

use kinfolk_swim::{Dial, Message};

use super::{Arrival, NodeIndex, Outgoing, World};

/// A node that changes its messages before it sends them.
pub(super) struct Hostile {
    node: NodeIndex,
    change: Box<dyn Fn(Message) -> Message>,
}

impl World {
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
