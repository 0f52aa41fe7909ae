//! The group as this member sees it: sizes, changes, partitions; and what this member is.

use std::fmt;

use kinfolk_core::{NodeState, Reason};

use super::page::{Page, count};
use crate::cluster::Cluster;
use crate::stats::ClusterStats;

pub(super) fn write(page: &mut Page<'_>, cluster: &Cluster, stats: &ClusterStats) -> fmt::Result {
    let identity = cluster.identity();
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.info("build", "The version of Kinfolk. The value is always 1.", version)?;
    let names = [("node", identity.id().as_str()), ("cluster", identity.cluster().as_str())];
    page.info("node", "The name of this member and of its cluster. The value is always 1.", names)?;
    members(page, cluster)?;
    partition(page, cluster)?;
    changes(page, stats)
}

fn members(page: &mut Page<'_>, cluster: &Cluster) -> fmt::Result {
    let mut by_state = [0; NodeState::ALL.len()];
    for node in cluster.members().nodes() {
        by_state[node.state as usize] += 1;
    }
    let states = NodeState::ALL.map(|state| ([("state", state.as_str())], by_state[state as usize]));
    page.gauges(
        "members",
        "Known nodes by state, this member included. Failed and left ones are kept as tombstones.",
        states,
    )
}

fn partition(page: &mut Page<'_>, cluster: &Cluster) -> fmt::Result {
    let status = cluster.partition_status();
    page.gauge("live_members", "Members that are alive, this one included.", count(status.live))?;
    page.gauge(
        "group_size",
        "The highest known size of the group. A leave or a reaped tombstone lowers it.",
        count(status.known),
    )?;
    page.gauge(
        "partitioned",
        "1 while a partition is reported and has not healed, otherwise 0.",
        i64::from(status.partitioned),
    )?;
    page.gauge(
        "minority",
        "1 while fewer members are alive than the quorum of the group, otherwise 0.",
        i64::from(status.minority),
    )?;
    page.gauge(
        "read_only",
        "1 while this member has been in a minority for longer than the grace, otherwise 0.",
        i64::from(status.read_only),
    )
}

fn changes(page: &mut Page<'_>, stats: &ClusterStats) -> fmt::Result {
    let swim = &stats.gossip.swim;
    let changes = &swim.changes;
    let failed = changes.failed.iter().sum();
    page.counters(
        "member_changes",
        "Changes of other members in the view of this one.",
        "change",
        [
            ("joined", changes.joined),
            ("suspected", changes.suspected),
            ("recovered", changes.recovered),
            ("failed", failed),
            ("left", changes.left),
        ],
    )?;
    page.counters(
        "member_failures",
        "Members that failed in the view of this one, by the reason that it knows.",
        "reason",
        Reason::NAMES.into_iter().zip(changes.failed),
    )?;
    page.counter("flapping_members", "Times that a member was reported as flapping.", swim.flapping)?;
    page.gauge(
        "distrusted_members",
        "Members whose accusations do not count now, because other members refuted too many.",
        count(swim.distrusted),
    )?;
    page.gauge(
        "declared_failed",
        "1 while other members hold this one for failed, as far as it knows, otherwise 0.",
        i64::from(swim.declared_failed),
    )?;
    page.counter(
        "name_conflicts",
        "Times that another process claimed the name of this member.",
        swim.name_conflicts,
    )
}
