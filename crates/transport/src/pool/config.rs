//! The limits of the pool.

use std::time::Duration;

/// How many connections the pool keeps, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolConfig {
    /// The most connections in total, in every state. Dials and draining connections count too. 1
    /// or more, default 50.
    ///
    /// What counts: each connection that local callers can get, each dial (also to a seed), and
    /// each connection of a peer that the pool adopts. A *guest* does not count here; it has its
    /// own limit, `guests_max`.
    ///
    /// At the limit, the pool first evicts the connection that was idle for longest. If none is
    /// idle, the caller gets [`PoolFull`](super::PoolError::PoolFull). If a peer connects while no
    /// connection is idle and no more guests are allowed, the pool does not adopt the connection.
    /// The connection still serves the peer's requests, and `inbound_max` limits it: a full pool
    /// must not make this node look failed.
    ///
    /// Connections for application streams hold at most half of the total, from peers too. The pool
    /// refuses more of them, so that transfers never keep this node from probing.
    ///
    /// If the limit is lower than the number of peers that this node talks to within an idle
    /// time-out, connections are made again and again. Each costs about 1 ms of CPU for both ends
    /// together. An idle connection takes about 13 KiB.
    pub max_total: usize,
    /// The most *guests*: connections that peers open while the pool is at `max_total`. Default
    /// 128.
    ///
    /// Guests exist for joins. If many nodes join at once through this node, the pool closes none
    /// of their connections within 5 s of the last use, up to this number. It closes an older guest
    /// at the next `health_interval`, unless the total has room for it then. With 0, each surplus
    /// connection of a peer evicts another connection at once.
    pub guests_max: usize,
    /// The most connections to one peer on one [lane](super::Lane), ready or being dialled. 1 or
    /// more, default 1: all requests share one connection. Application streams share another one.
    pub max_per_peer: usize,
    /// The pool closes a connection after this time without a request in either direction. Any
    /// length, default 60 s.
    ///
    /// It may exceed `quic_idle_timeout`, because the checks at each `health_interval` keep an idle
    /// connection open. Both nodes close idle connections, so the shorter value of the two applies.
    pub idle_timeout: Duration,
    /// The interval at which the pool looks for idle connections, and checks the ready ones with a
    /// packet. More than 0, less than the transport's `quic_idle_timeout` (75 s), default 30 s.
    ///
    /// The pool closes an idle connection between `idle_timeout` and `idle_timeout +
    /// health_interval`.
    pub health_interval: Duration,
    /// How long a dial may take in total, from the first caller's request to a confirmed handshake.
    /// Default 5 s.
    pub connect_timeout: Duration,
    /// The most dials that run at the same time. More of them wait, within their `connect_timeout`.
    /// 1 or more, default 16.
    ///
    /// A dial is *active* in its first second. A [`Window`] limits the active dials further: 4 at
    /// first, more while dials finish within a second, and half as many after a dial that took
    /// longer.
    ///
    /// [`Window`]: kinfolk_core::Window
    pub dials_max: usize,
    /// The most callers that wait for one dial. More of them get
    /// [`QueueFull`](super::PoolError::QueueFull). 1 or more, default 1,024.
    pub waiters_max: usize,
    /// How long a peer may stay *mute*, that is, acknowledge nothing after a request. Then the pool
    /// gives the connection up and replaces it. 0 s to 24 h, default 2 s. 0 gives a connection up
    /// at each time-out.
    ///
    /// The pool adds or subtracts up to a quarter at random. The time doubles with each connection
    /// to this peer that it gave up in the last two minutes. It is longer while this node itself is
    /// late.
    pub unacknowledged_max: Duration,
    /// How long a connection that was given up or replaced may finish its requests. Then the pool
    /// closes it. Default 2 s. Application streams on such a connection have no limit.
    pub drain_timeout: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_total: 50,
            guests_max: 128,
            max_per_peer: 1,
            idle_timeout: Duration::from_mins(1),
            health_interval: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            dials_max: 16,
            waiters_max: 1024,
            unacknowledged_max: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(2),
        }
    }
}
