//! Every event of the group as a line of the log: a warning where a member is missed, information
//! otherwise. Durations are numbers with their unit in the name, so that both formats can be read
//! by programs.

use std::time::Duration;

use kinfolk::{ClusterEvent, Subscription};

use super::event_log::EventLog;
use crate::render::{printable, tags};

/// Logs events until the member has been shut down and the last one is logged.
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
        E::NodeJoined { node } => tracing::info!(
            node = %node.id, addr = %node.addr, incarnation = node.incarnation.get(), tags = tags(&node.tags),
            "a member joined"
        ),
        E::NodeUpdated { node } => {
            let tags = tags(&node.tags);
            tracing::info!(node = %node.id, addr = %node.addr, tags, "a member changed its address or tags");
        }
        E::NodeSuspected { node, cause } => {
            tracing::warn!(node = %node.id, addr = %node.addr, %cause, "a member is suspected");
        }
        E::NodeRecovered { node } => tracing::info!(node = %node.id, "a suspected member refuted"),
        E::NodeFailed { node, cause } => {
            tracing::warn!(node = %node.id, addr = %node.addr, %cause, "a member failed");
        }
        E::NodeLeft { node } => tracing::info!(node = %node.id, "a member left"),
        E::NodeReaped { id } => tracing::info!(node = %id, "removed the tombstone of a member"),
        E::HealthCheckFailed { id, phi, threshold, silence } => {
            let (phi, silence_ms) = (tenths(*phi), millis(*silence));
            tracing::warn!(node = %id, phi, threshold, silence_ms, "phi threshold crossed");
        }
        E::HealthCheckRecovered { id, episode } => {
            tracing::info!(node = %id, episode_ms = millis(*episode), "a silent member was heard from again");
        }
        E::Broadcast { from, payload } => {
            let text = printable(&String::from_utf8_lossy(payload));
            tracing::info!(node = %from, bytes = payload.len(), text, "received a broadcast");
        }
        E::NameConflict { id, addr, count } => tracing::warn!(
            node = %id, %addr, count,
            "another process claims this name: once is a former instance of it; repeatedly is a second process with the same \
             certificate, so issue it a certificate of its own"
        ),
        other => log_of_group(other),
    }
}

/// Events about several members, or about the subscription.
fn log_of_group(event: &ClusterEvent) {
    use ClusterEvent as E;
    match event {
        E::PartitionDetected { minority, live, known } => tracing::warn!(
            minority,
            live,
            known,
            "partition suspected: two fifths of the group or more are silent or failed; verdicts by silence wait for the \
             partition grace"
        ),
        E::PartitionHealed { live, known, lasted } => {
            let lasted_ms = millis(*lasted);
            tracing::info!(live, known, lasted_ms, "partition healed: enough members are reachable");
        }
        E::NodeFlapping { id, returns, quiet } => tracing::warn!(
            node = %id, returns, quiet_ms = millis(*quiet),
            "a member fails and returns repeatedly: its events are withheld until it has not changed for quiet_ms"
        ),
        E::NodeSettled { node } => {
            tracing::info!(node = %node.id, state = %node.state, "a flapping member is stable again");
        }
        E::EventsDropped { count } => tracing::warn!(count, "events were lost: logging them is too slow"),
        other => {
            let event = serde_json::to_string(other).unwrap_or_default();
            tracing::info!(event, "an event of the cluster");
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// With one digit behind the point, as people read it.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
