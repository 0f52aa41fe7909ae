//! The counters of all layers, as `/v1/stats` shows them.

use kinfolk::{ClusterStats, CoordinateStats, GossipStats, PoolStats, SwimStats, TransportStats};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares a view with the named counters of a struct, and how it is made. With one list no
/// counter can be forgotten in one of the two.
macro_rules! counters {
    ($(#[$doc:meta])* $view:ident of $stats:ty { $($name:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        pub(crate) struct $view {
            $(pub(crate) $name: u64,)*
        }

        impl From<&$stats> for $view {
            fn from(stats: &$stats) -> Self {
                Self { $($name: count(stats.$name),)* }
            }
        }
    };
}

fn count(value: impl TryInto<u64>) -> u64 {
    value.try_into().unwrap_or(u64::MAX)
}

/// The counters of all layers since the start of the agent, and present values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatsView {
    /// The protocol.
    pub(crate) swim: SwimView,
    /// The driver of the protocol, and its messages.
    pub(crate) gossip: GossipView,
    /// Frames, bytes, and refusals of the transport.
    pub(crate) transport: TransportView,
    /// The connections.
    pub(crate) pool: PoolView,
    /// What the member measures for its coordinate.
    pub(crate) coordinates: CoordinatesStatsView,
    /// The state directory, and the contacts with former members.
    pub(crate) state: StateView,
    /// The API itself.
    pub(crate) api: ApiView,
}

counters! {
    /// The protocol: probes, suspicions, refutations.
    SwimView of SwimStats {
        probes, acks, indirect_acks, probes_failed, probes_void, probes_late, late_replies, relays,
        relays_refused, port_checks, port_checks_refused, isolated, accusations, accusations_refuted,
        claims_unproved, unproved_unanswered, distrusted, pauses, times_late, anti_entropy_postponed,
        anti_entropy_random, back_pressures, suspicions, verdicts_held, flapping, failures, lossy,
        return_checks_failed, probations, refutations, claims_refused, name_conflicts, registry_full,
        broadcasts_dropped, unexpected, syncs, old_verdicts, old_verdicts_dropped, forgotten,
        forgets_ignored, forgets_repeated, forgets_dropped, revocations, revocations_kept,
        revocations_full, evicted, introductions_failed, introductions_full, heals, local_health, forgotten_names, queued,
    }
}

counters! {
    /// The driver of the protocol, and its messages.
    GossipView of GossipStats {
        sent, received, outbox_full, undelivered, undecodable, unknown_kinds, signatures, forged,
        unverifiable, unverified_dropped, certificates_fetched, answers_full, unanswered,
    }
}

counters! {
    /// Frames, bytes, and refusals of the transport.
    TransportView of TransportStats {
        frames_sent, frames_received, body_bytes_sent, body_bytes_received, datagrams_sent,
        datagrams_received, udp_bytes_sent, udp_bytes_received, requests, requests_failed,
        requests_timed_out, requests_repeated, handshakes, handshakes_deferred, refused_untrusted,
        refused_name, refused_expired, refused_other, refused_by_peer, refused_limit, unpooled,
        inbox_full, streams_opened, streams_accepted, streams_refused, bad_streams, rotations,
        rotated_connections,
    }
}

counters! {
    /// The connections.
    PoolView of PoolStats {
        total, guests, connecting, in_use, idle, draining, reused, dials, dials_failed, adopted,
        refused_full, refused_unconnected, dials_dropped, refused_queue, evicted, idle_closed,
        timed_out, unresponsive, superseded, overdue, dead,
    }
}

counters! {
    /// What the member measures for its coordinate.
    CoordinatesStatsView of CoordinateStats { samples, refused, peers, statements }
}

counters! {
    /// The state directory, and the contacts with former members.
    StateView of ClusterStats {
        remembered, contacts, contacts_succeeded, state_writes, state_write_failures, events_dropped,
    }
}

/// The API itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ApiView {
    /// Requests that were answered.
    pub(crate) requests: u64,
    /// Requests that were refused: a foreign host or origin, no token, or a role that does not
    /// suffice.
    pub(crate) refused: u64,
    /// Requests that did not end in time.
    pub(crate) timed_out: u64,
    /// Clients that read events now.
    pub(crate) event_clients: u64,
    /// Clients that were refused because as many as the limit allows read events already.
    pub(crate) event_clients_refused: u64,
    /// Events that clients lost because they read too slowly or came too late.
    pub(crate) events_lost: u64,
}

impl StatsView {
    /// The view of these counters.
    pub(crate) fn of(stats: &ClusterStats, api: ApiView) -> Self {
        Self {
            swim: (&stats.gossip.swim).into(),
            gossip: (&stats.gossip).into(),
            transport: (&stats.transport).into(),
            pool: (&stats.pool).into(),
            coordinates: (&stats.coordinates).into(),
            state: stats.into(),
            api,
        }
    }
}
