//! Writes every event of the group as a line of the log.
//!
//! Suspicions, failures, partitions and conflicts are warnings; the rest is information. Durations
//! are numbers whose names end in their unit, so that programs can read both log formats.

use std::time::Duration;

use kinfolk::{ClusterEvent, Subscription};

use super::event_log::EventLog;
use crate::api::views::OfferView;
use crate::render::{printable, services, tags};

/// Logs events until the member has been shut down and the last event is logged.
pub(super) async fn log_all(mut events: Subscription, event_log: Option<EventLog>) {
    while let Some(event) = events.next().await {
        if let Some(event_log) = &event_log {
            event_log.write(&event);
        }
        log(&event);
    }
}

fn log(event: &ClusterEvent) {
    use ClusterEvent as E;
    match event {
        // A new member, or one that is back after a failure or a leave. What to do: nothing.
        E::NodeJoined { node } => tracing::info!(
            node = %node.id, addr = %node.addr, incarnation = node.incarnation.get(), tags = tags(&node.tags),
            "a member joined"
        ),
        E::NodeUpdated { node } => {
            let services = services(&OfferView::of(&node.services));
            let (health, note) = (node.condition.health(), printable(node.condition.note()));
            // A member has moved, has set new tags, or says something new about its health or its
            // services. What to do: nothing; if `health` or a service is critical, check that
            // member.
            tracing::info!(
                node = %node.id, addr = %node.addr, %health, note, services, tags = tags(&node.tags),
                "a member changed its address, health, services or tags"
            );
        }
        // A member does not answer. Most suspicions end in a refutation. What to do: nothing; if
        // the same member is suspected often, check its load and its network.
        E::NodeSuspected { node, cause } => {
            tracing::warn!(node = %node.id, addr = %node.addr, %cause, "a member is suspected");
        }
        // The suspicion has ended: the member is alive. What to do: nothing.
        E::NodeRecovered { node } => tracing::info!(node = %node.id, "a suspected member refuted"),
        // The group declared a member failed; `cause` says why. What to do: check the host and the
        // process of that member.
        E::NodeFailed { node, cause } => {
            tracing::warn!(node = %node.id, addr = %node.addr, %cause, "a member failed");
        }
        // The member left on purpose, or was stopped by a signal. What to do: nothing.
        E::NodeLeft { node } => tracing::info!(node = %node.id, "a member left"),
        // The tombstone of a failed or left member reached its age limit (24 h by default), or an
        // operator ran `kinfolk forget`. What to do: nothing.
        E::NodeReaped { id } => tracing::info!(node = %id, "removed the tombstone of a member"),
        // This member has not heard a peer for unusually long (phi accrual, Hayashibara et al.
        // 2004). It is an early sign, not a verdict. What to do: nothing; if it repeats, check the
        // peer's load and network.
        E::HealthCheckFailed { id, phi, threshold, silence } => {
            let (phi, silence_ms) = (tenths(*phi), millis(*silence));
            tracing::warn!(node = %id, phi, threshold, silence_ms, "phi threshold crossed");
        }
        // The peer whose silence crossed the threshold answers again. What to do: nothing.
        E::HealthCheckRecovered { id, episode } => {
            tracing::info!(node = %id, episode_ms = millis(*episode), "a silent member was heard from again");
        }
        // A member sent a message to all members. What to do: nothing.
        E::Broadcast { from, payload } => {
            let text = printable(&String::from_utf8_lossy(payload));
            // A payload is any bytes. Escape what a terminal could take for a command.
            tracing::info!(node = %from, bytes = payload.len(), text, "received a broadcast");
        }
        // A second process uses the certificate of `node`. Once after a restart it can be the
        // former instance. What to do: if it repeats, issue a certificate of its own to the second
        // process.
        E::NameConflict { id, addr, count } => tracing::warn!(
            node = %id, %addr, count,
            "another process claims this name; once after a restart this is the former instance; if it repeats, two \
             processes share one certificate: issue one of them its own"
        ),
        other => log_of_group(other),
    }
}

/// Logs events about several members, or about the subscription.
fn log_of_group(event: &ClusterEvent) {
    use ClusterEvent as E;
    match event {
        // More than two fifths of the group (at least two members) are silent or failed, or fewer
        // live than the quorum. What to do: check the network between the sites; where two sides
        // must not both write, stop writing in the minority.
        E::PartitionDetected { minority, live, known } => tracing::warn!(
            minority,
            live,
            known,
            "partition suspected: more than two fifths of the group are silent or failed, or fewer live than the \
             quorum; verdicts by silence wait for the partition grace"
        ),
        // Enough members are reachable again. What to do: nothing.
        E::PartitionHealed { live, known, lasted } => {
            let lasted_ms = millis(*lasted);
            tracing::info!(live, known, lasted_ms, "partition healed: enough members are reachable");
        }
        // The member failed and returned several times in a short time. What to do: check its link,
        // its memory and its clock.
        E::NodeFlapping { id, returns, quiet } => tracing::warn!(
            node = %id, returns, quiet_ms = millis(*quiet),
            "a member fails and returns repeatedly; its events are withheld until its state has been the same for \
             quiet_ms"
        ),
        // The member accused others that answered. It is sick, or its program is not a correct
        // member. Its accusations do not count for some minutes. What to do: check its load, its
        // clock, and its network link. If they are well, check which program it runs, and take its
        // certificate away.
        E::MemberDistrusted { id, refuted, confirmed } => tracing::warn!(
            node = %id, refuted, confirmed,
            "a member accuses others falsely, again and again; its accusations do not count for some minutes"
        ),
        // The flapping member has kept one state for `quiet_ms`. What to do: nothing.
        E::NodeSettled { node } => {
            tracing::info!(node = %node.id, state = %node.state, "a flapping member is stable again");
        }
        // An authority has revoked certificates of a member. This member closes its connections to
        // it, and removes it from its view. What to do: nothing. If the member is to come back,
        // issue a new certificate to it.
        E::MemberRevoked { id } => {
            tracing::warn!(node = %id, "certificates of a member are revoked; it is shut out");
        }
        // The library has logged these already, with what to do.
        E::CertificateExpires { .. } | E::CertificateExpired { .. } => {}
        // Events arrived faster than this log could be written. What to do: use a higher log level,
        // or read the log faster; `kinfolk members` shows the current state.
        E::EventsDropped { count } => {
            tracing::warn!(count, "lost events: they came faster than the log was written");
        }
        // A kind of event that this version of the agent does not format. What to do: nothing.
        other => {
            let event = serde_json::to_string(other).unwrap_or_default();
            tracing::info!(event, "received a cluster event of another kind");
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Rounds to one decimal place: more digits of phi mean nothing to a reader.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
