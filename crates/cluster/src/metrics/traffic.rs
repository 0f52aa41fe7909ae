//! What this member sends and receives: gossip, frames, packets, streams, and connections.

use std::fmt;

use kinfolk_gossip::GossipStats;
use kinfolk_transport::{PoolStats, TransportStats};

use super::page::{Page, count};
use crate::stats::ClusterStats;

pub(super) fn write(page: &mut Page<'_>, stats: &ClusterStats) -> fmt::Result {
    gossip(page, &stats.gossip)?;
    packets(page, &stats.transport)?;
    requests(page, &stats.transport)?;
    connections(page, &stats.transport)?;
    pool(page, &stats.pool)
}

fn gossip(page: &mut Page<'_>, gossip: &GossipStats) -> fmt::Result {
    page.counter("messages_sent", "Messages of the protocol that this member sent.", gossip.sent)?;
    page.counter(
        "messages_received",
        "Messages of the protocol that this member received.",
        gossip.received,
    )?;
    page.counter(
        "messages_undelivered",
        "One-way messages that the transport could not deliver.",
        gossip.undelivered,
    )?;
    page.counters(
        "messages_refused",
        "Received messages that this member did not use.",
        "reason",
        [
            ("undecodable", gossip.undecodable),
            ("unknown_kind", gossip.unknown_kinds),
            ("forged", gossip.forged),
            ("share_used_up", gossip.unverified_dropped),
            ("unexpected", gossip.swim.unexpected),
        ],
    )?;
    page.counter(
        "signatures_verified",
        "Signatures that this member checked, and that matched.",
        gossip.signatures,
    )?;
    page.counter(
        "statements_unverifiable",
        "Statements left out of a message: their certificate was missing, or is not valid now.",
        gossip.unverifiable,
    )?;
    page.counter(
        "requests_unanswered",
        "Requests of peers that this member never answered.",
        gossip.unanswered,
    )?;
    page.counter("syncs", "Exchanges of views that this member started and completed.", gossip.swim.syncs)?;
    page.counter(
        "syncs_postponed",
        "Anti-entropy rounds that this member skipped because it was late.",
        gossip.swim.anti_entropy_postponed,
    )
}

fn packets(page: &mut Page<'_>, transport: &TransportStats) -> fmt::Result {
    let sent = &transport.sent_for;
    let classes = [
        ("probe", sent.probe),
        ("gossip", sent.gossip),
        ("anti_entropy", sent.anti_entropy),
        ("port_check", sent.port_check),
        ("application", sent.application),
        ("handshake", sent.handshake),
        ("other", sent.other),
    ];
    page.counters(
        "udp_sent_bytes",
        "UDP payload sent, by the purpose of the traffic.",
        "class",
        classes.map(|(class, sent)| (class, sent.bytes)),
    )?;
    page.counters(
        "udp_sent_datagrams",
        "UDP datagrams sent, by the purpose of the traffic.",
        "class",
        classes.map(|(class, sent)| (class, sent.datagrams)),
    )?;
    let received = &transport.received_for;
    let classes = [
        ("probe", received.probe),
        ("gossip", received.gossip),
        ("anti_entropy", received.anti_entropy),
        ("application", received.application),
        ("handshake", received.handshake),
        ("other", received.other),
    ];
    page.counters(
        "udp_received_bytes",
        "UDP payload received on connections, by the purpose of the traffic.",
        "class",
        classes.map(|(class, received)| (class, received.bytes)),
    )?;
    page.counters(
        "udp_received_datagrams",
        "UDP datagrams received on connections, by the purpose of the traffic.",
        "class",
        classes.map(|(class, received)| (class, received.datagrams)),
    )?;
    page.counter("frames_sent", "Frames sent: requests, answers, and messages.", transport.frames_sent)?;
    page.counter("frames_received", "Frames received.", transport.frames_received)?;
    page.counter("frame_body_sent_bytes", "Bytes in the bodies of sent frames.", transport.body_bytes_sent)?;
    page.counter(
        "frame_body_received_bytes",
        "Bytes in the bodies of received frames.",
        transport.body_bytes_received,
    )
}

fn requests(page: &mut Page<'_>, transport: &TransportStats) -> fmt::Result {
    page.counter("requests", "Requests and messages that this member started.", transport.requests)?;
    page.counter("requests_failed", "Of these, the failed ones, for any reason.", transport.requests_failed)?;
    page.counter(
        "requests_timed_out",
        "Of the failed ones, those whose deadline passed.",
        transport.requests_timed_out,
    )?;
    page.counter(
        "requests_repeated",
        "Requests sent once more because the peer had just closed the idle connection.",
        transport.requests_repeated,
    )
}

fn connections(page: &mut Page<'_>, transport: &TransportStats) -> fmt::Result {
    page.counters(
        "handshakes",
        "Handshakes in both directions, by outcome.",
        "outcome",
        [
            ("ok", transport.handshakes),
            ("untrusted", transport.refused_untrusted),
            ("wrong_name", transport.refused_name),
            ("not_valid_now", transport.refused_expired),
            ("refused_by_peer", transport.refused_by_peer),
            ("limit", transport.refused_limit),
            ("other", transport.refused_other),
        ],
    )?;
    page.counter(
        "handshakes_deferred",
        "First handshake packets that this member dropped because it was short of CPU.",
        transport.handshakes_deferred,
    )?;
    page.counters(
        "streams",
        "Application streams, by what happened to them.",
        "outcome",
        [
            ("opened", transport.streams_opened),
            ("accepted", transport.streams_accepted),
            ("refused", transport.streams_refused),
        ],
    )?;
    page.counter(
        "streams_rejected",
        "Streams of peers that broke a rule of the transport.",
        transport.bad_streams,
    )
}

fn pool(page: &mut Page<'_>, pool: &PoolStats) -> fmt::Result {
    let states = [
        ("connecting", pool.connecting),
        ("in_use", pool.in_use),
        ("idle", pool.idle),
        ("draining", pool.draining),
    ];
    page.gauges(
        "pool_connections",
        "Connections of the pool by state, guests included.",
        states.map(|(state, connections)| ([("state", state)], count(connections))),
    )?;
    page.gauge(
        "pool_guests",
        "Connections that peers opened beyond the limit of the pool.",
        count(pool.guests),
    )?;
    page.gauge(
        "pool_limit",
        "The most connections that the pool holds without guests.",
        count(pool.max_total),
    )?;
    page.counters(
        "pool_requests",
        "Requests for a connection, by what the pool did.",
        "outcome",
        [
            ("reused", pool.reused),
            ("dialled", pool.dials),
            ("pool_full", pool.refused_full),
            ("queue_full", pool.refused_queue),
            ("not_connected", pool.refused_unconnected),
        ],
    )?;
    page.counter("pool_dials_failed", "Dials that failed.", pool.dials_failed)?;
    page.histogram(
        "pool_dial_seconds",
        "Time of successful dials, from the first request to the confirmed handshake.",
        pool.dial_time,
        pool.dial_times.buckets(),
    )?;
    page.counter("pool_adopted", "Connections that peers opened and the pool took in.", pool.adopted)?;
    page.counters(
        "pool_closed",
        "Connections that the pool closed, by reason.",
        "reason",
        [
            ("idle", pool.idle_closed),
            ("evicted", pool.evicted),
            ("superseded", pool.superseded),
            ("unresponsive", pool.unresponsive),
            ("overdue", pool.overdue),
            ("dead", pool.dead),
        ],
    )
}
