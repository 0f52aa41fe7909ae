//! Every event of the group as a line of the log: a warning where a member is missed, information otherwise.

use kinfolk::{ClusterEvent, Subscription};

use super::event_log::EventLog;
use crate::render::printable;

/// Logs events until the member has been shut down and all are told.
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
            node = %node.id, addr = %node.addr, incarnation = node.incarnation.get(), tags = ?node.tags,
            "a member joined"
        ),
        E::NodeUpdated { node } => {
            tracing::info!(node = %node.id, addr = %node.addr, tags = ?node.tags, "a member changed its tags or address");
        }
        E::NodeSuspected { node, cause } => {
            tracing::warn!(node = %node.id, addr = %node.addr, %cause, "a member is suspected");
        }
        E::NodeRecovered { node } => tracing::info!(node = %node.id, "a suspected member refuted"),
        E::NodeFailed { node, cause } => {
            tracing::warn!(node = %node.id, addr = %node.addr, %cause, "a member failed");
        }
        E::NodeLeft { node } => tracing::info!(node = %node.id, "a member left"),
        E::NodeReaped { id } => tracing::info!(node = %id, "a member that had gone was forgotten"),
        E::HealthCheckFailed { id, phi, threshold, silence } => {
            tracing::warn!(node = %id, phi, threshold, ?silence, "a member is silent for too long");
        }
        E::HealthCheckRecovered { id, episode } => {
            tracing::info!(node = %id, ?episode, "a silent member was heard from again");
        }
        E::Broadcast { from, payload } => {
            let text = printable(&String::from_utf8_lossy(payload));
            tracing::info!(node = %from, bytes = payload.len(), text, "a broadcast");
        }
        E::NameConflict { id, addr } => tracing::warn!(
            node = %id, %addr,
            "our own name is alive elsewhere: once is our former life; again and again is another process that uses our \
             certificate, so issue it one of its own"
        ),
        E::PartitionDetected { minority, live, known } => tracing::warn!(
            minority,
            live,
            known,
            "the group may be parted: nearly half or more are silent or gone; verdicts by silence are held for the grace"
        ),
        E::PartitionHealed { live, known, lasted } => {
            tracing::info!(live, known, ?lasted, "enough of the group are back");
        }
        E::NodeFlapping { id, returns, quiet } => tracing::warn!(
            node = %id, returns, ?quiet,
            "a member fails and returns again and again: told of again when it has been the same for so long"
        ),
        E::NodeSettled { node } => {
            tracing::info!(node = %node.id, state = %node.state, "a flapping member has settled");
        }
        E::EventsDropped { count } => tracing::warn!(count, "events were lost: logging them is too slow"),
        other => tracing::info!(event = ?other, "an event"),
    }
}
