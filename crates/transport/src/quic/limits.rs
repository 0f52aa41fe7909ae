//! What strangers may hold: how many connections they may open to this node, in total and from one address, counted
//! from the first packet on; and the limits of each connection.

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

/// The part of `inbound_max` that may be in the middle of a handshake before a peer has to prove, at the cost of one
/// more round trip, that packets to its address arrive.
const RETRY_SHARE: usize = 8;

/// After so many acknowledgements alone one asks to be acknowledged itself. Whoever only answers then keeps fewer of them in mind;
/// a probe a second has none that matter. QUIC's default is 4, and costs a datagram for each fourth.
const ACK_ELICITATION_INTERVAL: u8 = 255;

/// How much of a stream the receiver may hold for a program that does not read, as a multiple of what the sender may have
/// under way: enough that a program which reads never makes the sender wait.
const WINDOW_FACTOR: u64 = 4;

/// The least that all streams of a connection may hold together.
const DATA_WINDOW_MIN: u64 = 4 << 20;

/// The connections of a node by source address.
#[derive(Debug)]
pub(super) struct Sources {
    by_ip: Mutex<HashMap<IpAddr, usize>>,
    /// Connections that QUIC still knows, from both endpoints.
    known: watch::Sender<usize>,
}

impl Sources {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { by_ip: Mutex::new(HashMap::new()), known: watch::Sender::new(0) })
    }

    /// Waits until QUIC has forgotten every connection: then the last packets have been sent.
    pub(super) async fn none_known(&self) {
        let mut known = self.known.subscribe();
        let none = known.wait_for(|known| *known == 0).await;
        none.expect("the sender is a field of self, which is borrowed");
    }

    fn count_of(&self, ip: IpAddr) -> usize {
        self.by_ip.lock().get(&ip).copied().unwrap_or(0)
    }
}

/// The handshakes that peers began: as many are taken up as are done in time. Only those of members count for that, which came
/// through: whoever does not finish its own cannot keep others out.
#[derive(Debug)]
pub(super) struct Handshakes(Mutex<Window>);

impl Handshakes {
    /// At most `max` at a time.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Window::open(max))))
    }

    fn admit(&self, under_way: usize) -> bool {
        under_way < self.0.lock().size()
    }

    /// One that began then has come through.
    pub(super) fn done(&self, begun: Instant) {
        self.0.lock().done(begun.elapsed());
    }
}

/// One connection's place in the counts.
pub(super) struct Ticket {
    sources: Arc<Sources>,
    ip: Option<IpAddr>,
}

impl Ticket {
    pub(super) fn new(sources: &Arc<Sources>) -> Self {
        sources.known.send_modify(|known| *known += 1);
        Self { sources: Arc::clone(sources), ip: None }
    }

    /// Counts the connection for its source address.
    pub(super) fn count(&mut self, ip: IpAddr) {
        self.closed();
        *self.sources.by_ip.lock().entry(ip).or_default() += 1;
        self.ip = Some(ip);
    }

    /// The connection has ended and counts for its address no more.
    pub(super) fn closed(&mut self) {
        let Some(ip) = self.ip.take() else { return };
        let mut by_ip = self.sources.by_ip.lock();
        if let Some(count) = by_ip.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                by_ip.remove(&ip);
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.closed();
        self.sources.known.send_modify(|known| *known -= 1);
    }
}

/// Decides over each first packet, before a handshake costs anything.
pub(super) struct Door {
    pub(super) sources: Arc<Sources>,
    pub(super) handshakes: Arc<Handshakes>,
    pub(super) counters: Arc<Counters>,
    pub(super) inbound_max: usize,
    pub(super) inbound_per_ip_max: usize,
}

impl Limiter for Door {
    fn on_connection_attempt(&mut self, attempt: &ConnectionAttempt<'_>) -> Outcome {
        let ip = socket_addr(&attempt.remote_address).ip();
        if attempt.connection_count >= self.inbound_max
            || self.sources.count_of(ip) >= self.inbound_per_ip_max
        {
            add(&self.counters.refused_limit, 1);
            return Outcome::close();
        }
        if !self.handshakes.admit(attempt.inflight_handshakes) {
            // The dialler sends its packet again by itself, after 150 ms at first.
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

/// What all streams of a connection may hold together. So many that are not read leave room for one that is.
fn data_window(streams: usize, window: u64) -> u64 {
    ((streams as u64 + 1) * window).clamp(DATA_WINDOW_MIN, u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_holds_one_more_window_than_it_carries_streams() {
        let window = DATA_WINDOW_MIN;
        assert_eq!(data_window(7, window), 8 * window);
        assert_eq!(data_window(0, 1), DATA_WINDOW_MIN, "a few small streams still get enough");
        assert_eq!(data_window(5_000, window), u64::from(u32::MAX), "QUIC takes no more");
    }
}
