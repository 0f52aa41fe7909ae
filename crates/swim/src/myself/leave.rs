//! Our leave: it is told to some members directly and to all by gossip, and ends when those have confirmed it, or will not.

use std::time::Duration;

use kinfolk_core::{NodeState, NodeStatus};

use super::Myself;
use crate::context::Context;
use crate::fact::Riding;
use crate::interface::input::CommandId;
use crate::interface::output::Outcome;
use crate::purpose::{LEAVE_TOLD_MAX, Purpose};
use crate::wire::message::Message;

/// How long a leaving member waits for those whom it told.
const LEAVE_TOLD_WITHIN: Duration = Duration::from_secs(2);

/// How far our leave has got.
#[derive(Debug)]
pub(super) struct Leave {
    command: CommandId,
    told: usize,
    confirmed: usize,
    waiting: usize,
}

impl Myself {
    /// Begins to leave. Returns what we say of ourselves from now on. A second leave is told how far the first has got.
    pub(crate) fn leave(&mut self, cx: &mut Context, command: CommandId) -> Option<NodeStatus> {
        if let Some(Leave { told, confirmed, .. }) = self.leave {
            cx.done(command, Outcome::Left { confirmed, told });
            return None;
        }
        let mine = cx.mine()?;
        self.leave = Some(Leave { command, told: 0, confirmed: 0, waiting: 0 });
        cx.leave();
        Some(mine.with_state(NodeState::Left))
    }

    /// Tells up to [`LEAVE_TOLD_MAX`] members directly. What still waits goes along: nobody will pass it on for us later.
    pub(crate) fn tell_leave(&mut self, cx: &mut Context) {
        let members = cx.random_members(LEAVE_TOLD_MAX, None);
        for member in &members {
            let ping = Message::Ping { digest: 0, gossip: Vec::new() };
            let to = (&member.id, member.addr);
            cx.ask_at(to, (ping, Riding::Ourselves), Purpose::Leave, LEAVE_TOLD_WITHIN);
        }
        if let Some(leave) = &mut self.leave {
            (leave.told, leave.waiting) = (members.len(), members.len());
        }
        self.conclude_leave(cx);
    }

    /// One of those whom we told that we leave has confirmed it, or will not.
    pub(crate) fn leave_told(&mut self, cx: &mut Context, confirmed: bool) {
        if let Some(leave) = &mut self.leave {
            leave.waiting -= 1;
            leave.confirmed += usize::from(confirmed);
        }
        self.conclude_leave(cx);
    }

    fn conclude_leave(&mut self, cx: &mut Context) {
        if let Some(Leave { command, told, confirmed, waiting: 0 }) = self.leave {
            cx.done(command, Outcome::Left { confirmed, told });
        }
    }
}
