//! The limits of the pool.

use std::time::Duration;

/// How many connections the pool keeps, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolConfig {
    /// Connections in total, in every state (also those being dialled or drained). 1 or more, default 50.
    ///
    /// It counts each connection that callers here may get, and each dial, also one to a seed. What a peer opens is
    /// counted too as soon as the pool takes it up, unless it is a guest (`guests_max`); while every connection is in use and
    /// there are as many guests as may be, there is no room to take it up, and it only serves the peer's requests, counted by
    /// `inbound_max`: a full pool must not make this node look dead.
    /// Connections for the streams of applications hold at most half of the total, from peers too; further ones are
    /// refused.
    ///
    /// One that is over the limit evicts the connection idle for longest, or fails with
    /// [`PoolFull`](super::PoolError::PoolFull) if none is idle. Below the number of peers that a node talks to in an
    /// idle time-out, connections are made over and over (about 1 ms of CPU on both sides together each); one idle connection takes about 13 KiB.
    pub max_total: usize,
    /// Connections that peers open beyond `max_total`. Default 128. Where many nodes join at once through this one, none of their
    /// connections is closed within 5 s of its last use, up to this number. Those that are idle for longer are closed at the next
    /// `health_interval`, unless there is room for them then. 0 has each further connection close another one at once.
    pub guests_max: usize,
    /// Connections on one lane ([`Lane`](super::Lane)) to one peer that are ready or being dialled. 1 or more, default 1: all requests share it. Streams of applications share another.
    pub max_per_peer: usize,
    /// After this time without a request in either direction the pool closes a connection. Any
    /// length, default 60 s. It may exceed `quic_idle_timeout`: the checks at each
    /// `health_interval` keep an idle connection open. Both nodes close idle connections, so the
    /// shorter one of their values holds.
    pub idle_timeout: Duration,
    /// How often the pool looks for idle connections, and checks the ready ones with a packet. More
    /// than 0, less than the transport's `quic_idle_timeout` (75 s), default 30 s. The pool closes
    /// an idle connection between `idle_timeout` and `idle_timeout + health_interval`.
    pub health_interval: Duration,
    /// How long a dial may take in all, from the first caller's request to a confirmed handshake. Default 5 s.
    pub connect_timeout: Duration,
    /// Dials that run at the same time; further ones wait, within their `connect_timeout`. 1 or more,
    /// default 16. Of these, fewer are at work in their first second: 4 at first, more while they are
    /// done within a second, and half as many with each that takes longer ([`Window`]).
    ///
    /// [`Window`]: kinfolk_core::Window
    pub dials_max: usize,
    /// Callers that wait for one dial; further ones get [`QueueFull`](super::PoolError::QueueFull). 1 or more,
    /// default 1,024.
    pub waiters_max: usize,
    /// For how long the peer may acknowledge nothing after a request. Then another connection takes
    /// the place of this one. The pool takes a quarter more or less by chance. The time doubles with
    /// each connection to this peer that was given up in the last two minutes. It is longer while
    /// this node is late itself. 0 gives a connection up at each time-out. Up to 24 h, default 2 s.
    pub mute_max: Duration,
    /// How long a connection that was replaced, or that was mute for too long, may finish the requests that it
    /// carries. Default 2 s.
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
            mute_max: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(2),
        }
    }
}
