//! Descriptions that were too large to ride on gossip: who lacks one asks for it.
//!
//! First whoever told the news, who is near and mostly has it; if that leaves us without, the member itself, which has
//! it for certain. If even that fails, the next mention of the member or the next exchange of views begins anew.

use kinfolk_core::{NodeId, NodeStatus};

use crate::input::ReplyId;
use crate::machine::Machine;
use crate::message::Message;
use crate::output::Output;
use crate::requests::{DESCRIBES_MAX, Describe, Purpose};

impl Machine {
    /// `from` has just spoken of `id`: if we lack its description, ask for it.
    pub(crate) fn complete(&mut self, from: &NodeId, id: &NodeId) {
        if self.lacks_description(id)
            && let Some(teller) = self.registry.get(from)
        {
            self.ask_for_description(&teller, id);
        }
    }

    /// Whoever we asked for a description has answered, or will not.
    pub(crate) fn on_described(&mut self, asked: &Describe) {
        let Some(subject) = self.registry.get(&asked.id).filter(|_| !asked.itself) else { return };
        if self.lacks_description(&asked.id) {
            self.ask_for_description(&subject, &asked.id);
        }
    }

    pub(crate) fn on_describe(&mut self, id: &NodeId, to: ReplyId) {
        let nodes = self.registry.get(id).into_iter().collect();
        self.output(Output::Reply { to, message: Message::Page { nodes, more: false } });
    }

    fn lacks_description(&self, id: &NodeId) -> bool {
        *id != self.me.id && self.registry.get(id).is_some_and(|node| !node.is_complete())
    }

    fn ask_for_description(&mut self, whom: &NodeStatus, id: &NodeId) {
        let asked = |purpose: &Purpose| matches!(purpose, Purpose::Describe(asked) if asked.id == *id);
        let full = self.requests.count(|purpose| matches!(purpose, Purpose::Describe(_))) >= DESCRIBES_MAX;
        if full || self.requests.count(asked) > 0 {
            return;
        }
        let purpose = Purpose::Describe(Describe { id: id.clone(), itself: whom.id == *id });
        self.request(whom, Message::Describe { id: id.clone() }, purpose, Self::DELIVERED_WITHIN);
    }
}
