//! Checks the settings, and builds the two QUIC endpoints.

use s2n_quic::provider::mtu;
use s2n_quic::provider::tls::s2n_tls::{self, ConnectionContext};
use s2n_quic::{Client, Server};

use super::context::Events;
use super::credentials::Credentials;
use super::io::Io;
use super::limits::{ConnectionLimiter, of_connection};
use super::reset::ResetTokens;
use crate::config::TransportConfig;
use crate::error::TransportError;

/// The upper bound of `streams_max`. It is below the peer's limit of 256, because QUIC returns the
/// credit of an ended stream with a delay.
const STREAMS_CEILING: usize = 200;

/// The upper bound of `app_streams_max`. It is well below the peer's limit of 256, for the same
/// reason.
const APP_STREAMS_CEILING: usize = 128;

/// The range of `stream_buffer_bytes`: 4 KiB to 16 MiB.
const STREAM_BUFFER_BYTES: std::ops::RangeInclusive<u32> = 4096..=16 << 20;

/// The sizes of packets: 1,200 bytes of UDP payload, which each path of QUIC must carry.
///
/// s2n-quic would search for a larger size after each handshake, with 1,472 bytes from either end.
/// That is a third of a handshake's bytes, and a bulk transfer is not faster with larger packets
/// (`docs/decisions/0015`).
const MTU: mtu::Config = mtu::Config::MIN;

/// Checks the settings that neither the pool nor s2n-quic checks.
pub(super) fn check(config: &TransportConfig) -> Result<(), TransportError> {
    let bad = |setting, cause: &str| Err(TransportError::Config { setting, cause: cause.to_owned() });
    if !(1..=STREAMS_CEILING).contains(&config.streams_max) {
        return bad(
            "streams_max",
            &format!("it is {} and must be 1 to {STREAMS_CEILING}", config.streams_max),
        );
    }
    if !(1..=APP_STREAMS_CEILING).contains(&config.app_streams_max) {
        return bad(
            "app_streams_max",
            &format!("it is {} and must be 1 to {APP_STREAMS_CEILING}", config.app_streams_max),
        );
    }
    if !STREAM_BUFFER_BYTES.contains(&config.stream_buffer_bytes) {
        let found = config.stream_buffer_bytes;
        return bad("stream_buffer_bytes", &format!("it is {found} and must be 4,096 to 16,777,216"));
    }
    if config.frame_bytes_max == 0 || u32::try_from(config.frame_bytes_max).is_err() {
        let found = config.frame_bytes_max;
        return bad("frame_bytes_max", &format!("it is {found} and must be 1 to 4,294,967,295"));
    }
    let (interval, quic_idle) = (config.pool.health_interval, config.quic_idle_timeout);
    // A timer with a period of zero panics.
    if interval.is_zero() {
        return bad("pool.health_interval", "it is 0 s; it must be longer");
    }
    // Only the pool's checks keep an idle connection open. If they came later than QUIC's idle
    // time-out, QUIC would end the connection without a close frame.
    if interval >= quic_idle {
        let cause = format!(
            "it is {interval:?} and must be shorter than quic_idle_timeout, which is {quic_idle:?}: shorten the one or \
             lengthen the other"
        );
        return bad("pool.health_interval", &cause);
    }
    Ok(())
}

/// Builds the listening endpoint.
pub(super) fn server(
    config: &TransportConfig,
    credentials: Credentials,
    events: Events,
    limiter: ConnectionLimiter,
    io: Io,
) -> Result<Server, TransportError> {
    // Each handshake takes the credentials of its moment, so that they can be replaced.
    let reset = ResetTokens(credentials.clone());
    let tls = s2n_tls::Server::from_loader(move |_: ConnectionContext<'_>| credentials.server());
    let Ok(builder) = Server::builder().with_tls(tls);
    let Ok(builder) = builder.with_limits(of_connection(config)?);
    let Ok(builder) = builder.with_endpoint_limits(limiter);
    let Ok(builder) = builder.with_stateless_reset_token(reset);
    let Ok(builder) = builder.with_event(events);
    let Ok(builder) = builder.with_mtu(MTU);
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

/// Builds the dialling endpoint.
pub(super) fn client(
    config: &TransportConfig,
    credentials: Credentials,
    events: Events,
    io: Io,
) -> Result<Client, TransportError> {
    let tls = s2n_tls::Client::from_loader(move |_: ConnectionContext<'_>| credentials.client());
    let Ok(builder) = Client::builder().with_tls(tls);
    let Ok(builder) = builder.with_limits(of_connection(config)?);
    let Ok(builder) = builder.with_event(events);
    let Ok(builder) = builder.with_mtu(MTU);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinfolk_core::{ClusterId, NodeId};

    use super::*;
    use crate::identity::ClusterCa;
    use crate::pool::PoolConfig;

    fn checked(change: impl FnOnce(&mut PoolConfig)) -> Result<(), TransportError> {
        let ca = ClusterCa::create(&ClusterId::new("c").unwrap()).unwrap();
        let identity = ca.issue(&NodeId::new("a").unwrap(), Duration::from_hours(1)).unwrap();
        let mut config = TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity);
        change(&mut config.pool);
        check(&config)
    }

    #[test]
    fn any_pool_idle_timeout_is_accepted() {
        for idle_timeout in [Duration::ZERO, Duration::from_secs(75), Duration::MAX] {
            assert_eq!(checked(|pool| pool.idle_timeout = idle_timeout), Ok(()));
        }
    }

    #[test]
    fn health_interval_must_be_below_quic_idle_timeout() {
        assert_eq!(checked(|pool| pool.health_interval = Duration::from_millis(74_999)), Ok(()));
        let error = checked(|pool| pool.health_interval = Duration::from_secs(75)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot use the setting `pool.health_interval`: it is 75s and must be shorter than quic_idle_timeout, \
             which is 75s: shorten the one or lengthen the other; see its range in `TransportConfig`"
        );
        let zero = checked(|pool| pool.health_interval = Duration::ZERO).unwrap_err();
        assert!(zero.to_string().contains("it is 0 s"), "{zero}");
    }
}
