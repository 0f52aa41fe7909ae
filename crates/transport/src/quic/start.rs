//! Putting the two QUIC endpoints together from their parts.

use s2n_quic::{Client, Server};

use super::context::Events;
use super::io::Io;
use super::limits::{Door, of_connection};
use super::reset::ResetTokens;
use super::tls;
use crate::config::TransportConfig;
use crate::error::TransportError;

/// The most streams that may be open at a time on one connection: below the peer's limit by more than what QUIC may owe
/// us in credit for streams that have ended.
const STREAMS_CEILING: usize = 200;

/// The most streams of applications that may be open to one peer: well below the peer's limit too.
const APP_STREAMS_CEILING: usize = 128;

/// What a stream may have under way, in bytes.
const STREAM_BUFFER_BYTES: std::ops::RangeInclusive<u32> = 4096..=16 << 20;

/// Checks the settings that nothing below checks.
pub(super) fn check(config: &TransportConfig) -> Result<(), TransportError> {
    let bad = |setting, cause: &str| Err(TransportError::Config { setting, cause: cause.to_owned() });
    if !(1..=STREAMS_CEILING).contains(&config.streams_max) {
        return bad("streams_max", &format!("{} is not in 1..={STREAMS_CEILING}", config.streams_max));
    }
    if !(1..=APP_STREAMS_CEILING).contains(&config.app_streams_max) {
        return bad(
            "app_streams_max",
            &format!("{} is not in 1..={APP_STREAMS_CEILING}", config.app_streams_max),
        );
    }
    if !STREAM_BUFFER_BYTES.contains(&config.stream_buffer_bytes) {
        return bad("stream_buffer_bytes", "it must be 4,096 to 16,777,216");
    }
    if config.frame_bytes_max == 0 || u32::try_from(config.frame_bytes_max).is_err() {
        return bad("frame_bytes_max", "it must be 1 to 4,294,967,295");
    }
    if config.quic_idle_timeout <= config.pool.idle_timeout.max(config.pool.health_interval) {
        let (quic, pool) = (config.quic_idle_timeout, &config.pool);
        return bad(
            "quic_idle_timeout",
            &format!(
                "it is {quic:?} and must be longer than the pool's idle_timeout, which is {:?}, and its health_interval, which \
                 is {:?}",
                pool.idle_timeout, pool.health_interval
            ),
        );
    }
    Ok(())
}

/// The listening endpoint.
pub(super) fn server(
    config: &TransportConfig,
    events: Events,
    door: Door,
    io: Io,
) -> Result<Server, TransportError> {
    let Ok(builder) = Server::builder().with_tls(tls::server(&config.identity)?);
    let Ok(builder) = builder.with_limits(of_connection(config)?);
    let Ok(builder) = builder.with_endpoint_limits(door);
    let Ok(builder) = builder.with_stateless_reset_token(ResetTokens::of(&config.identity));
    let Ok(builder) = builder.with_event(events);
    let started = match io {
        Io::System(io) => {
            let Ok(builder) = builder.with_io(io);
            builder.start()
        }
        #[cfg(feature = "simulation")]
        Io::Simulated(io, random) => {
            let Ok(builder) = builder.with_io(io);
            let Ok(builder) = builder.with_random(random);
            builder.start()
        }
    };
    started.map_err(|fault| not_started(config, &fault))
}

/// The dialling endpoint.
pub(super) fn client(config: &TransportConfig, events: Events, io: Io) -> Result<Client, TransportError> {
    let Ok(builder) = Client::builder().with_tls(tls::client(&config.identity)?);
    let Ok(builder) = builder.with_limits(of_connection(config)?);
    let Ok(builder) = builder.with_event(events);
    let started = match io {
        Io::System(io) => {
            let Ok(builder) = builder.with_io(io);
            builder.start()
        }
        #[cfg(feature = "simulation")]
        Io::Simulated(io, random) => {
            let Ok(builder) = builder.with_io(io);
            let Ok(builder) = builder.with_random(random);
            builder.start()
        }
    };
    started.map_err(|fault| not_started(config, &fault))
}

fn not_started(config: &TransportConfig, fault: &dyn std::fmt::Display) -> TransportError {
    TransportError::Bind { addr: config.listen, cause: fault.to_string() }
}
