//! A member that remembers its incarnation on a disk reserves some ahead: it takes none that is not written down, so that
//! no crash can make its next life begin below this one. What would rise above them waits here until there are more.

use kinfolk_core::{Incarnation, Tags};

use crate::context::Context;
use crate::interface::output::Output;
use crate::interface::priority::Priority;

/// How high our incarnation may rise, and what waits.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    /// `None` without a bound.
    up_to: Option<Incarnation>,
    held: Option<Held>,
}

/// A statement about ourselves that waits for its incarnation.
#[derive(Debug)]
pub(super) struct Held {
    pub incarnation: Incarnation,
    /// `None` if they stay what they are.
    pub tags: Option<Tags>,
    pub priority: Priority,
}

impl Reserve {
    /// Whether our incarnation may rise to this one.
    pub(super) fn covers(&self, incarnation: Incarnation) -> bool {
        self.up_to.is_none_or(|up_to| incarnation <= up_to)
    }

    /// Keeps a statement until its incarnation is reserved. Two that wait become one.
    pub(super) fn hold(&mut self, cx: &mut Context, mut held: Held) {
        if let Some(before) = self.held.take() {
            held.incarnation = held.incarnation.max(before.incarnation);
            held.tags = held.tags.or(before.tags);
            held.priority = held.priority.min(before.priority);
        }
        cx.output(Output::Reserve { at_least: held.incarnation });
        self.held = Some(held);
    }

    /// Our incarnation may rise up to this one. Returns what waited.
    pub(super) fn raise(&mut self, up_to: Incarnation) -> Option<Held> {
        self.up_to = self.up_to.max(Some(up_to));
        self.held.take()
    }
}
