//! The reserve of incarnations. A member with a state directory writes some incarnations ahead. It
//! takes none that is not written: otherwise its next instance could start below the current one
//! after a crash (docs/decisions/0009). A statement that needs a higher incarnation waits here.

use kinfolk_core::{Incarnation, Tags};

use crate::context::Context;
use crate::interface::output::Output;
use crate::interface::priority::Priority;

/// The highest incarnation that is written, and the statement that waits for a higher one.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    /// `None` without a bound: the member keeps no state.
    up_to: Option<Incarnation>,
    held: Option<Held>,
}

/// A statement about this member that waits for its incarnation.
#[derive(Debug)]
pub(super) struct Held {
    pub incarnation: Incarnation,
    /// `None` if the tags do not change.
    pub tags: Option<Tags>,
    pub priority: Priority,
}

impl Reserve {
    /// Whether this member may take this incarnation.
    pub(super) fn covers(&self, incarnation: Incarnation) -> bool {
        self.up_to.is_none_or(|up_to| incarnation <= up_to)
    }

    /// Keeps a statement until its incarnation is written, and asks the driver to write it. Two
    /// waiting statements become one, because only the latest tags count.
    pub(super) fn hold(&mut self, cx: &mut Context, mut held: Held) {
        if let Some(before) = self.held.take() {
            held.incarnation = held.incarnation.max(before.incarnation);
            held.tags = held.tags.or(before.tags);
            held.priority = held.priority.min(before.priority);
        }
        cx.output(Output::Reserve { at_least: held.incarnation });
        self.held = Some(held);
    }

    /// Incarnations up to `up_to` are written. Returns the statement that waited.
    pub(super) fn raise(&mut self, up_to: Incarnation) -> Option<Held> {
        self.up_to = self.up_to.max(Some(up_to));
        self.held.take()
    }
}
