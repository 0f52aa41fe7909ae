//! Joining. The member and the peer that it joins through first compare their wall clocks. Then
//! they exchange views (`exchange.rs`).
//!
//! ```text
//!   member ── Join(clock, own statement) ──> peer
//!     ├─ the peer takes the statement in ──────> Welcome(Seen) ──> exchange of views
//!     └─ clocks differ, registry full, .. ─────> Welcome(reason) ──> the join fails
//! ```
//!
//! An incarnation starts as the time of the wall clock, and a claim too far ahead is refused
//! (`members/wall_clock.rs`). Without this check a member with a wrong clock would be in no other
//! view, or would refuse all others, and no error would say why.

use kinfolk_core::{Incarnation, NodeAddr, NodeId};

use super::exchange;
use crate::context::{Context, DELIVERED_WITHIN};
use crate::interface::input::{CommandId, NoReply};
use crate::interface::output::{JoinFailure, Outcome};
use crate::purpose::{JOINS_MAX, Joining, Purpose, Session};
use crate::wire::message::{Message, Reception};

/// Joins through `peer`, which may be unknown here. `running` is the number of joins that run,
/// `clock` the time of this member's wall clock.
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
    // This member itself counts as one.
    let alone = cx.members.member_count() <= 1;
    let joining = Joining { command, peer: peer.clone(), addr, alone };
    let message = Message::Join { clock, me };
    cx.ask_plainly((&peer, addr), message, Purpose::Join(joining), DELIVERED_WITHIN);
}

/// Goes on with a join after the peer's `Welcome`. `ours` and `theirs` are the times of the two
/// wall clocks.
pub(crate) fn welcomed(
    cx: &mut Context,
    joining: Joining,
    (ours, theirs): (Incarnation, Incarnation),
    reception: Reception,
) {
    let Joining { command, peer, addr, alone } = joining;
    let why = match reception {
        // Checked here too: the peer may have judged by another time, if its clock was set
        // meanwhile.
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

/// Reports that a join failed.
pub(crate) fn failed(cx: &mut Context, command: CommandId, why: JoinFailure) {
    cx.done(command, Outcome::JoinFailed { why });
}

/// Whether two wall clocks differ by more than
/// [`CLOCK_ERROR_MAX`](Incarnation::CLOCK_ERROR_MAX). Then a member with the one clock may refuse
/// claims of a member with the other.
pub(crate) fn clocks_differ(one: Incarnation, other: Incarnation) -> bool {
    !one.is_plausible(other) || !other.is_plausible(one)
}
