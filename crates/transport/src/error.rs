//! Why a transport does not start. Nothing is left open when one is returned.

use std::net::SocketAddr;

use thiserror::Error;

/// Why a transport does not start.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Another process listens there.
    #[error("UDP port {addr} is in use: stop the other process, or listen on another port")]
    PortInUse {
        /// The address.
        addr: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error(
        "cannot listen on UDP {addr} ({cause}): give an address of this machine and a port that you may use"
    )]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        cause: String,
    },
    /// The certificate, key or CA is not taken by the TLS library.
    #[error("the TLS library does not take this identity ({cause}): issue the certificate again")]
    Tls {
        /// What the library says.
        cause: String,
    },
    /// A setting is out of its range.
    #[error("the setting `{setting}` cannot be used ({cause}): see its range in TransportConfig")]
    Config {
        /// Which.
        setting: &'static str,
        /// Why not.
        cause: String,
    },
    /// There is no tokio runtime to run in.
    #[error("no tokio runtime: call Transport::bind from inside one, with its I/O and time drivers enabled")]
    NoRuntime,
}
