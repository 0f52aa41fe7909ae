//! What can run out: queues, certificates, and the places where this member keeps what it knows.

use std::fmt;

use kinfolk_core::{EventBus, Fill};

use super::page::{Page, count};
use crate::cluster::Cluster;
use crate::stats::ClusterStats;

pub(super) fn write(page: &mut Page<'_>, cluster: &Cluster, stats: &ClusterStats) -> fmt::Result {
    queues(page, cluster, stats)?;
    certificates(page, cluster)?;
    state(page, stats)
}

fn queues(page: &mut Page<'_>, cluster: &Cluster, stats: &ClusterStats) -> fmt::Result {
    let (gossip, events) = (&stats.gossip, &cluster.inner.events);
    let events = Fill { used: events.longest_queue(), max: EventBus::CAPACITY.get() };
    let bounded = [
        ("outbox", gossip.queues.outbox),
        ("answers", gossip.queues.answers),
        ("calls", gossip.queues.calls),
        ("inbox", stats.transport.inbox),
        ("events", events),
    ];
    // The updates are bounded by what they are about, and the dials by the requests that wait.
    let unbounded = [("updates", gossip.swim.queued), ("dials", stats.pool.dials_waiting)];
    let lengths = bounded.map(|(queue, fill)| (queue, fill.used)).into_iter().chain(unbounded);
    page.gauges(
        "queue_length",
        "Entries of each queue. For events: of the subscriber that has the most.",
        lengths.map(|(queue, used)| ([("queue", queue)], count(used))),
    )?;
    page.gauges(
        "queue_limit",
        "The most entries of each queue that has a fixed bound.",
        bounded.map(|(queue, fill)| ([("queue", queue)], count(fill.max))),
    )?;
    page.counters(
        "queue_dropped",
        "Entries that a full queue did not take, or dropped.",
        "queue",
        [
            ("outbox", gossip.outbox_full),
            ("answers", gossip.answers_full),
            ("inbox", stats.transport.inbox_full),
            ("events", stats.events_dropped),
            ("updates", gossip.swim.broadcasts_dropped),
            ("dials", stats.pool.refused_queue),
        ],
    )?;
    page.counter(
        "back_pressures",
        "Times that the outbox was full, so that due probes and rounds waited.",
        gossip.swim.back_pressures,
    )
}

fn certificates(page: &mut Page<'_>, cluster: &Cluster) -> fmt::Result {
    let identity = cluster.identity();
    page.gauges(
        "certificate_expiry_timestamp_seconds",
        "Last second of the validity of a certificate, as Unix time.",
        [
            ([("certificate", "member")], identity.expires_unix_secs()),
            ([("certificate", "authority")], identity.authority_expires_unix_secs()),
        ],
    )
}

fn state(page: &mut Page<'_>, stats: &ClusterStats) -> fmt::Result {
    let swim = &stats.gossip.swim;
    page.counter(
        "registry_full",
        "Claims about unknown members that were refused because the view was full.",
        swim.registry_full,
    )?;
    page.gauge(
        "forgotten_names",
        "Names that this member remembers as forgotten.",
        count(swim.forgotten_names),
    )?;
    page.gauge(
        "revocations",
        "Revocations of certificates that this member keeps.",
        count(swim.revocations_kept),
    )?;
    page.counter(
        "members_evicted",
        "Members that were removed from the view because their certificate is revoked.",
        swim.evicted,
    )?;
    page.counter(
        "identity_rotations",
        "Times that the certificate or the authorities of this member were replaced.",
        stats.transport.rotations,
    )?;
    page.gauge(
        "remembered_members",
        "Members whose address this member remembers, those in its view included.",
        count(stats.remembered),
    )?;
    page.counter(
        "contacts",
        "Attempts to contact a seed or a former member to find the group again.",
        stats.contacts,
    )?;
    page.counter(
        "contacts_succeeded",
        "Of these, the ones that reached a member.",
        stats.contacts_succeeded,
    )?;
    page.counter("state_writes", "Successful writes to the state directory.", stats.state_writes)?;
    page.counter("state_write_failures", "Failed writes to the state directory.", stats.state_write_failures)
}
