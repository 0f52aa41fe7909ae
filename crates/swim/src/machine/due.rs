//! Time has passed: every timer that is due goes to its owner.

use kinfolk_core::Instant;

use super::Owners;
use crate::context::Context;
use crate::detection::relay_failed;
use crate::dissemination::Recipients;
use crate::purpose::Purpose;
use crate::timer::Timer;

/// Handles every timer that is due.
pub(super) fn timeout(owners: &mut Owners, cx: &mut Context) {
    while let Some(timer) = cx.timers.pop_due(cx.now) {
        due(owners, cx, &timer);
        owners.settle(cx);
    }
}

fn due(owners: &mut Owners, cx: &mut Context, timer: &Timer) {
    match timer {
        Timer::Probe => {
            owners.detection.end_period(cx);
            owners.settle(cx);
            if let Some(round_robin) = owners.detection.round_robin().filter(|_| !cx.has_left()) {
                round_robin.begin_period(cx);
            }
        }
        Timer::ProbeTimeout(_)
        | Timer::PortCheck(_)
        | Timer::Watch(_)
        | Timer::Round(..)
        | Timer::Verdict(_)
        | Timer::Suspicion(_)
        | Timer::Look => owners.detection.due(cx, timer),
        Timer::Nack(request) => {
            if let Some(Purpose::Relay(relay)) = owners.requests.take(*request) {
                relay_failed(cx, &relay, false);
            }
        }
        Timer::Gossip => {
            let Owners { dissemination, detection, repair, .. } = owners;
            let now = cx.now;
            dissemination.send(cx, || Recipients::new(detection.neighbours(), repair.guests(now)));
        }
        Timer::Sync if !cx.has_left() => {
            owners.requests.drop_periodic_sync();
            let Owners { repair, detection, .. } = owners;
            repair.sync_due(cx, || detection.near());
        }
        Timer::Heal if !cx.has_left() => owners.repair.heal_due(cx),
        Timer::Sync | Timer::Heal => {}
        Timer::PendingVerdict(id) => owners.repair.verdict_due(cx, id),
        Timer::Settle(id) => owners.report.settle_due(cx, id),
        Timer::NameConflict(id) => owners.report.name_conflict_due(cx, id),
        Timer::ReturnCheck => owners.myself.return_check_due(cx),
        Timer::Reap(id, incarnation) => owners.members.reap(cx, id, *incarnation),
    }
}

/// The driver takes messages again; since `since` it did not.
pub(super) fn hear_again(owners: &mut Owners, cx: &mut Context, since: Instant) {
    owners.detection.hear_again(cx, since);
    timeout(owners, cx);
}
