//! A member that remembers its incarnation on a disk reserves some ahead: it takes none that is not written down, so that
//! no crash can make its next life begin below this one. What would rise above them waits here until there are more.

use kinfolk_core::{Incarnation, Instant, Tags};

use crate::machine::Machine;
use crate::output::Output;
use crate::queue::Priority;

/// How high our incarnation may rise, and what waits.
#[derive(Debug, Default)]
pub(crate) struct Reserve {
    /// `None` without a bound.
    up_to: Option<Incarnation>,
    held: Option<Held>,
}

/// A statement about ourselves that waits for its incarnation.
#[derive(Debug)]
pub(crate) struct Held {
    pub incarnation: Incarnation,
    /// `None` if they stay what they are.
    pub tags: Option<Tags>,
    pub priority: Priority,
}

impl Machine {
    pub(crate) fn is_reserved(&self, incarnation: Incarnation) -> bool {
        self.me.reserve.up_to.is_none_or(|up_to| incarnation <= up_to)
    }

    /// Keeps a statement until its incarnation is reserved. Two that wait become one.
    pub(crate) fn hold(&mut self, mut held: Held) {
        if let Some(before) = self.me.reserve.held.take() {
            held.incarnation = held.incarnation.max(before.incarnation);
            held.tags = held.tags.or(before.tags);
            held.priority = held.priority.min(before.priority);
        }
        self.output(Output::Reserve { at_least: held.incarnation });
        self.me.reserve.held = Some(held);
    }

    pub(crate) fn on_reserved(&mut self, now: Instant, up_to: Incarnation) {
        self.me.reserve.up_to = self.me.reserve.up_to.max(Some(up_to));
        let Some(held) = self.me.reserve.held.take() else { return };
        if !self.has_left() {
            self.state_anew(now, held.incarnation, held.tags, held.priority);
        }
    }
}
