//! The leave of this member. Some members receive it directly, all others by gossip. It ends when
//! each of the direct receivers has confirmed it or failed to.

use std::time::Duration;

use kinfolk_core::{NodeState, NodeStatus};

use super::Myself;
use crate::context::Context;
use crate::fact::Piggyback;
use crate::interface::input::CommandId;
use crate::interface::output::Outcome;
use crate::purpose::{LEAVE_RECEIVERS_MAX, Purpose};
use crate::wire::message::Message;

/// A leaving member waits this long for the confirmations.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(2);

/// The progress of the leave.
#[derive(Debug)]
pub(super) struct Leave {
    command: CommandId,
    notified: usize,
    confirmed: usize,
    waiting: usize,
}

impl Myself {
    /// Starts to leave. Returns the new status of this member. A second leave returns the result of
    /// the first one so far.
    pub(crate) fn leave(&mut self, cx: &mut Context, command: CommandId) -> Option<NodeStatus> {
        if let Some(Leave { notified, confirmed, .. }) = self.leave {
            cx.done(command, Outcome::Left { confirmed, notified });
            return None;
        }
        let mine = cx.mine()?;
        self.leave = Some(Leave { command, notified: 0, confirmed: 0, waiting: 0 });
        cx.leave();
        Some(mine.with_state(NodeState::Left).signed(&*self.signer))
    }

    /// Sends the leave to up to [`LEAVE_RECEIVERS_MAX`] members. Waiting updates go along,
    /// because this member will not pass them on later.
    pub(crate) fn send_leave(&mut self, cx: &mut Context) {
        let members = cx.random_members(LEAVE_RECEIVERS_MAX, None);
        for member in &members {
            // Digest 0: a leaving member needs no anti-entropy round.
            let ping = Message::Ping { digest: 0, gossip: Vec::new() };
            let to = (&member.id, member.addr);
            cx.ask_at(to, (ping, Piggyback::OwnStatement), Purpose::Leave, CONFIRMED_WITHIN);
        }
        if let Some(leave) = &mut self.leave {
            (leave.notified, leave.waiting) = (members.len(), members.len());
        }
        // Without other members there is no confirmation to wait for.
        self.conclude_leave(cx);
    }

    /// A direct receiver confirmed the leave, or will not.
    pub(crate) fn leave_confirmed(&mut self, cx: &mut Context, confirmed: bool) {
        if let Some(leave) = &mut self.leave {
            leave.waiting -= 1;
            leave.confirmed += usize::from(confirmed);
        }
        self.conclude_leave(cx);
    }

    fn conclude_leave(&mut self, cx: &mut Context) {
        if let Some(Leave { command, notified, confirmed, waiting: 0 }) = self.leave {
            cx.done(command, Outcome::Left { confirmed, notified });
        }
    }
}
