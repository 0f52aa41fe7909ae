//! The limits on inbound connections, in total and from one address, and the limits of each
//! connection.
//!
//! A connection counts from its first packet on, so that strangers, which never authenticate, hold
//! no more than these limits allow.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use kinfolk_core::Window;
use parking_lot::Mutex;
use s2n_quic::provider::endpoint_limits::{ConnectionAttempt, Limiter, Outcome};
use s2n_quic::provider::limits::Limits;
use tokio::sync::watch;
use tokio::time::Instant;

use super::context::socket_addr;
use crate::config::{STREAMS_MAX, TransportConfig};
use crate::error::TransportError;
use crate::stats::{Counters, add};

/// Above this share of `inbound_max` in handshakes (an eighth), each dialler gets a Retry.
///
/// A Retry makes the dialler prove that it receives packets at its source address (RFC 9000,
/// section 8.1.2). It costs the dialler one round trip.
const RETRY_SHARE: usize = 8;

/// A packet with only acknowledgements asks the peer to acknowledge it, once in this many packets.
///
/// A node that only answers thereby learns which acknowledgements it may stop repeating. At one
/// probe a second there are none that matter. s2n-quic's default of 4 costs one datagram for each
/// fourth packet.
const ACK_ELICITATION_INTERVAL: u8 = 255;

/// The receive window of a stream, as a multiple of `stream_buffer_bytes`.
///
/// The receiver holds at most this much for a program that does not read. The factor is large
/// enough that a program that reads never makes the sender wait.
const WINDOW_FACTOR: u64 = 4;

/// The smallest receive window of a connection, for all of its streams together: 4 MiB.
const DATA_WINDOW_MIN: u64 = 4 << 20;

/// The number of inbound connections from each source address.
#[derive(Debug)]
pub(super) struct Sources {
    by_ip: Mutex<HashMap<IpAddr, usize>>,
    /// The connections that QUIC has not removed yet, of both endpoints.
    known: watch::Sender<usize>,
}

impl Sources {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { by_ip: Mutex::new(HashMap::new()), known: watch::Sender::new(0) })
    }

    /// Waits until QUIC has removed every connection. Then it has sent its last packets.
    pub(super) async fn none_known(&self) {
        let mut known = self.known.subscribe();
        let none = known.wait_for(|known| *known == 0).await;
        none.expect("the sender is a field of self, which is borrowed");
    }

    fn count_of(&self, ip: IpAddr) -> usize {
        self.by_ip.lock().get(&ip).copied().unwrap_or(0)
    }
}

/// The window of inbound handshakes: this node accepts as many as it completes in time.
///
/// Otherwise a node short of CPU would only complete handshakes whose diallers have given up
/// (`docs/decisions/0014`). Only completed handshakes change the window, so a stranger that never
/// completes one cannot keep others out.
#[derive(Debug)]
pub(super) struct Handshakes(Mutex<Window>);

impl Handshakes {
    /// Accepts at most `max` handshakes at a time.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Window::open(max))))
    }

    fn admit(&self, under_way: usize) -> bool {
        under_way < self.0.lock().size()
    }

    /// Notes that a handshake that began at `begun` is complete.
    pub(super) fn done(&self, begun: Instant) {
        self.0.lock().done(begun.elapsed());
    }
}

/// Counts one connection until it is dropped.
pub(super) struct CountedConnection {
    sources: Arc<Sources>,
    ip: Option<IpAddr>,
}

impl CountedConnection {
    pub(super) fn new(sources: &Arc<Sources>) -> Self {
        sources.known.send_modify(|known| *known += 1);
        Self { sources: Arc::clone(sources), ip: None }
    }

    /// Counts the connection for its source address.
    pub(super) fn count_for(&mut self, ip: IpAddr) {
        self.uncount();
        *self.sources.by_ip.lock().entry(ip).or_default() += 1;
        self.ip = Some(ip);
    }

    /// Stops counting the connection for its source address: it has ended.
    pub(super) fn uncount(&mut self) {
        let Some(ip) = self.ip.take() else { return };
        let mut by_ip = self.sources.by_ip.lock();
        if let Some(count) = by_ip.get_mut(&ip) {
            *count -= 1;
            // Removed, so that the map holds no more addresses than there are connections.
            if *count == 0 {
                by_ip.remove(&ip);
            }
        }
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.uncount();
        self.sources.known.send_modify(|known| *known -= 1);
    }
}

/// Decides on the first packet of each connection, before the handshake costs CPU.
pub(super) struct ConnectionLimiter {
    pub(super) sources: Arc<Sources>,
    pub(super) handshakes: Arc<Handshakes>,
    pub(super) counters: Arc<Counters>,
    pub(super) inbound_max: usize,
    pub(super) inbound_per_ip_max: usize,
}

impl Limiter for ConnectionLimiter {
    fn on_connection_attempt(&mut self, attempt: &ConnectionAttempt<'_>) -> Outcome {
        let ip = socket_addr(&attempt.remote_address).ip();
        if attempt.connection_count >= self.inbound_max
            || self.sources.count_of(ip) >= self.inbound_per_ip_max
        {
            add(&self.counters.refused_limit, 1);
            return Outcome::close();
        }
        if !self.handshakes.admit(attempt.inflight_handshakes) {
            // The dialler sends its packet again by itself. With the default `initial_rtt` it does
            // so after 150 ms at first.
            add(&self.counters.handshakes_deferred, 1);
            return Outcome::drop();
        }
        if attempt.inflight_handshakes > self.inbound_max / RETRY_SHARE {
            return Outcome::retry();
        }
        Outcome::allow()
    }
}

/// The limits of each connection.
pub(super) fn of_connection(config: &TransportConfig) -> Result<Limits, TransportError> {
    let streams = u64::from(STREAMS_MAX);
    let window = u64::from(config.stream_buffer_bytes) * WINDOW_FACTOR;
    let limits = Limits::new()
        .with_max_idle_timeout(config.quic_idle_timeout)
        .and_then(|limits| limits.with_max_handshake_duration(config.handshake_timeout))
        .and_then(|limits| limits.with_initial_round_trip_time(config.initial_rtt))
        .and_then(|limits| limits.with_ack_elicitation_interval(ACK_ELICITATION_INTERVAL))
        .and_then(|limits| limits.with_max_send_buffer_size(config.stream_buffer_bytes))
        .and_then(|limits| limits.with_bidirectional_local_data_window(window))
        .and_then(|limits| limits.with_bidirectional_remote_data_window(window))
        .and_then(|limits| limits.with_data_window(data_window(config.app_streams_max, window)))
        .and_then(|limits| limits.with_max_open_local_bidirectional_streams(streams))
        .and_then(|limits| limits.with_max_open_local_unidirectional_streams(streams))
        .and_then(|limits| limits.with_max_open_remote_bidirectional_streams(streams))
        .and_then(|limits| limits.with_max_open_remote_unidirectional_streams(streams));
    limits.map_err(|fault| TransportError::Config {
        setting: "quic_idle_timeout, handshake_timeout, initial_rtt or stream_buffer_bytes",
        cause: fault.to_string(),
    })
}

/// The receive window of a connection for all of its streams. If the program does not read all
/// allowed streams, the window still has room for one more that it reads.
fn data_window(streams: usize, window: u64) -> u64 {
    ((streams as u64 + 1) * window).clamp(DATA_WINDOW_MIN, u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_window_has_room_for_one_more_stream() {
        let window = DATA_WINDOW_MIN;
        assert_eq!(data_window(7, window), 8 * window);
        assert_eq!(data_window(0, 1), DATA_WINDOW_MIN, "a few small streams get the minimum");
        assert_eq!(data_window(5_000, window), u64::from(u32::MAX), "the maximum of QUIC's setting");
    }
}
