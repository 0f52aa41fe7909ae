//! Joining: the member and the one it joins through compare their wall clocks first. Then they
//! exchange views (`exchange.rs`).
//!
//! ```text
//!   joining ── Join(clock, own statement) ──> peer ──┬─ takes the statement in ──> Welcome(Seen) ──> exchange of views
//!                                                    └─ clocks differ, registry full, ... ──> Welcome(why not) ──> it fails
//! ```
//!
//! An incarnation starts as the time of the wall clock, and a claim from the future is refused
//! (`members/wall_clock.rs`). So a member whose clock is wrong would be in nobody's view, or would have
//! nobody in its own, and nobody would say why.

use kinfolk_core::{Incarnation, NodeAddr, NodeId};

use super::exchange;
use crate::context::{Context, DELIVERED_WITHIN};
use crate::interface::input::{CommandId, NoReply};
use crate::interface::output::{JoinFailure, Outcome};
use crate::purpose::{JOINS_MAX, Joining, Purpose, Session};
use crate::wire::message::{Message, Reception};

/// Joins through a member, which we may not know yet. `running` is how many joins are under way, `clock` what our wall
/// clock says.
pub(crate) fn begin(
    cx: &mut Context,
    command: CommandId,
    (peer, addr): (NodeId, NodeAddr),
    (running, clock): (usize, Incarnation),
) {
    let mine = cx.mine().filter(|_| running < JOINS_MAX && !cx.has_left());
    let Some(me) = mine else {
        return failed(cx, command, JoinFailure::NoAnswer(NoReply::Local));
    };
    let alone = cx.members.member_count() <= 1;
    let joining = Joining { command, peer: peer.clone(), addr, alone };
    let message = Message::Join { clock, me };
    cx.ask_plainly((&peer, addr), message, Purpose::Join(joining), DELIVERED_WITHIN);
}

/// The peer through which we join has answered; `ours` is what our wall clock says.
pub(crate) fn welcomed(
    cx: &mut Context,
    joining: Joining,
    (ours, theirs): (Incarnation, Incarnation),
    reception: Reception,
) {
    let Joining { command, peer, addr, alone } = joining;
    let why = match reception {
        // The peer may be of another mind, if its clock was set meanwhile.
        _ if clocks_differ(ours, theirs) => JoinFailure::ClocksDiffer { ours, theirs },
        Reception::Seen => {
            let session = Session::joining(command, alone, peer, addr);
            return exchange::next_page(cx, session);
        }
        Reception::ClocksDiffer => JoinFailure::ClocksDiffer { ours, theirs },
        Reception::FarAhead => JoinFailure::FarAhead,
        Reception::Full => JoinFailure::Full,
        Reception::Leaving => JoinFailure::Leaving,
    };
    failed(cx, command, why);
}

/// A join has come to nothing.
pub(crate) fn failed(cx: &mut Context, command: CommandId, why: JoinFailure) {
    cx.done(command, Outcome::JoinFailed { why });
}

/// Whether these two clocks differ so much that claims of the one may look as if they came from the
/// future to the other.
pub(crate) fn clocks_differ(one: Incarnation, other: Incarnation) -> bool {
    !one.is_plausible(other) || !other.is_plausible(one)
}
