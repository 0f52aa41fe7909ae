//! Series of single members. They exist only if the program asks for them, and only for a bounded
//! number of members.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{NodeId, NodeStatus};
use kinfolk_transport::PoolStats;

use super::page::{Page, count};
use crate::cluster::Cluster;

pub(super) fn write(page: &mut Page<'_>, cluster: &Cluster, pool: &PoolStats, max: usize) -> fmt::Result {
    let snapshot = cluster.members();
    let (shown, omitted) = snapshot.nodes().split_at(max.min(snapshot.nodes().len()));
    page.gauge(
        "member_series_omitted",
        "Nodes without series of their own, because the most that the program asked for have them.",
        count(omitted.len()),
    )?;
    page.gauges(
        "member_state",
        "The state of each known node: 1 for the state that it has.",
        shown.iter().map(|node| ([label(node), ("state", node.state.as_str())], 1)),
    )?;
    let others = || shown.iter().filter(|node| node.id != *cluster.id());
    page.gauges(
        "member_phi",
        "Phi of each member that this one watches: 0 after a message, and growing with its silence.",
        others().filter_map(|node| Some(([label(node)], cluster.phi(&node.id)?))),
    )?;
    page.gauges(
        "member_silence_seconds",
        "Time since the last message of each member that this one watches.",
        others().filter_map(|node| Some(([label(node)], cluster.silence(&node.id)?.as_secs_f64()))),
    )?;
    let trips = round_trips(pool);
    page.gauges(
        "member_round_trip_seconds",
        "Smoothed round trip of QUIC to each member with a connection.",
        others().filter_map(|node| Some(([label(node)], trips.get(&node.id)?.as_secs_f64()))),
    )
}

fn label(node: &Arc<NodeStatus>) -> (&'static str, &str) {
    ("member", node.id.as_str())
}

/// The shortest round trip of each peer: several connections to it may have been measured at
/// different times, and the one in use is at least as good as the others.
fn round_trips(pool: &PoolStats) -> BTreeMap<&NodeId, Duration> {
    let mut trips = BTreeMap::new();
    for connection in &pool.connections {
        if let Some(rtt) = connection.rtt {
            let known = trips.entry(&connection.peer).or_insert(rtt);
            *known = rtt.min(*known);
        }
    }
    trips
}
