//! Timers: each due timer goes to the owner that handles it.

use kinfolk_core::Instant;

use super::Owners;
use crate::context::Context;
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
            // The suspicion of the old period changes the view from which the next target comes.
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
        | Timer::CountSilent => owners.detection.due(cx, timer),
        // If the request is not open any more, the target has answered and nothing is to be done.
        Timer::Nack(request) => {
            if let Some(Purpose::Relay(relay)) = owners.requests.take(*request) {
                owners.relay_failed(cx, &relay, false);
            }
        }
        Timer::Gossip => {
            let Owners { dissemination, detection, repair, .. } = owners;
            let now = cx.now;
            dissemination.send(cx, || Recipients::new(detection.neighbours(), repair.guests(now)));
        }
        Timer::Sync if !cx.has_left() => {
            // At most one periodic exchange runs at a time, which bounds the open requests.
            owners.requests.drop_periodic_sync();
            let Owners { repair, detection, .. } = owners;
            repair.sync_due(cx, || detection.answering_subjects());
            owners.spread_revocations(cx);
        }
        Timer::Heal if !cx.has_left() => owners.repair.heal_due(cx),
        // A member that has left starts no exchange of views.
        Timer::Sync | Timer::Heal => {}
        Timer::PendingVerdict(id) => owners.repair.verdict_due(cx, id),
        Timer::FlapQuiet(id) => owners.report.settle_due(cx, id),
        Timer::NameConflict(id) => owners.report.name_conflict_due(cx, id),
        Timer::ReturnCheck => owners.myself.return_check_due(cx),
        Timer::Reap(id, incarnation) => owners.members.reap(cx, id, *incarnation),
    }
}

/// Back-pressure that began at `since` has ended. Handles the timers that waited.
pub(super) fn back_pressure_ended(owners: &mut Owners, cx: &mut Context, since: Instant) {
    // First the time of silence is taken out, so that no late timer judges by it.
    owners.detection.resumed(cx, since);
    timeout(owners, cx);
}
