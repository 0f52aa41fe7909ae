//! SIGUSR1: writes the state of the agent as lines of the log.

use kinfolk::{Cluster, NodeState};

use crate::api::views::SuspicionView;

/// Logs the state of the member and of its group: one line for the agent, and one line for each
/// member that is suspect or silent.
pub(super) async fn log(cluster: &Cluster, event_log_lost: u64) {
    let members = cluster.members();
    let count = |state| members.nodes().iter().filter(|node| node.state == state).count();
    let (stats, status) = (cluster.stats(), cluster.partition_status());
    let swim = &stats.gossip.swim;
    // The answer to SIGUSR1: this member's state and its counters. What to do: nothing.
    tracing::info!(
        node = %cluster.id(),
        addr = %cluster.addr(),
        incarnation = members.get(cluster.id()).map(|mine| mine.incarnation.get()),
        alive = count(NodeState::Alive),
        suspect = count(NodeState::Suspect),
        failed = count(NodeState::Failed),
        left = count(NodeState::Left),
        partitioned = status.partitioned,
        minority = status.minority,
        local_health = swim.local_health,
        queued = swim.queued,
        connections = stats.pool.total,
        revocations = swim.revocations_kept,
        certificate_expires_in_secs = stats.certificate.expires_in_secs,
        probes = swim.probes,
        probes_failed = swim.probes_failed,
        refutations = swim.refutations,
        claims_refused = swim.claims_refused,
        distrusted = swim.distrusted,
        forged = stats.gossip.forged,
        name_conflicts = swim.name_conflicts,
        outbox_full = stats.gossip.outbox_full,
        undecodable = stats.gossip.undecodable,
        state_write_failures = stats.state_write_failures,
        events_dropped = stats.events_dropped,
        event_log_lost,
        "state"
    );
    // A member that has stopped has no suspicions to list.
    for status in cluster.suspicions().await.unwrap_or_default() {
        let node = status.id.clone();
        let SuspicionView { silent_ms, suspect_ms, held } = status.into();
        // One suspect or silent member; `held` says why this agent delays its verdict. What to do:
        // check the load and the network of that member.
        tracing::info!(%node, silent_ms, suspect_ms, held, "state of a suspected member");
    }
}
