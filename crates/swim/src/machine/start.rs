//! Starts a machine. Only this file looks at the mode to choose the owners, so the other files do
//! not depend on it.

use std::sync::Arc;

use kinfolk_core::signed::Sign;
use kinfolk_core::{Change, Instant, NodeState, NodeStatus, RegistryWriter, Rng};

use super::Owners;
use crate::accusations::Accusations;
use crate::context::Context;
use crate::detection::{Detection, Helper};
use crate::dissemination::Dissemination;
use crate::fact::Spread;
use crate::interface::config::{Mode, SwimConfig};
use crate::members::{Admission, Members};
use crate::myself::Myself;
use crate::repair::{Repair, schedule_heal};
use crate::report::Report;
use crate::requests::Requests;
use crate::revocations::Revocations;
use crate::roster::Roster;
use crate::view::View;

/// Makes the context and the owners of a machine, and enters `me` into the registry.
pub(super) fn start(
    config: Arc<SwimConfig>,
    me: NodeStatus,
    signer: Arc<dyn Sign>,
    registry: RegistryWriter,
    rng: Rng,
    now: Instant,
) -> (Context, Owners) {
    assert!(me.state == NodeState::Alive && me.is_complete(), "a member starts with its own Alive statement");
    let me = me.signed(&*signer);
    let mut cx = Context::new(config, me.id.clone(), View::of(&registry), rng, now);
    let started = me.incarnation;
    let (repair, detection, helper, dissemination, myself, accusations) = match cx.config.mode {
        Mode::Swim | Mode::Lifeguard => (
            Repair::by_exchange(&mut cx),
            Detection::in_turn(&mut cx),
            Helper::sparing_local_health(),
            Dissemination::in_rounds(&mut cx),
            Myself::refuting_at_once(started, signer),
            None,
        ),
        Mode::Verified => (
            Repair::by_digest(&mut cx),
            Detection::in_rings(&mut cx),
            Helper::giving_evidence(),
            Dissemination::by_flood(),
            Myself::checking_its_return(started, signer),
            Some(Accusations::new(cx.config.tolerated_pause)),
        ),
    };
    // The registry may already have other members.
    let snapshot = registry.snapshot();
    let others = snapshot.members().filter(|node| node.id != me.id).map(|node| node.id.clone());
    cx.roster = Roster::of(others, &mut cx.rng);
    for node in snapshot.members().filter(|node| node.id != me.id) {
        cx.absences.note(now, node);
    }
    let mut owners = Owners {
        requests: Requests::default(),
        detection,
        dissemination,
        members: Members::new(&mut cx, registry),
        admission: Admission::new(&cx, started),
        helper,
        myself,
        repair,
        report: Report::new(cx.config.flaps),
        revocations: Revocations::default(),
        accusations,
    };
    if let Change::Applied { after, .. } = owners.members.apply(me) {
        owners.dissemination.pass_on(after, &[], Spread::All);
    }
    owners.detection.begin(&mut cx);
    owners.settle(&mut cx);
    // Timers and random numbers are taken in this order. Another order changes every recorded run
    // of the simulator.
    schedule_heal(&mut cx);
    (cx, owners)
}
