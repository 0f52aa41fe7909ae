//! The transport over QUIC. No other folder names types of s2n-quic: the rest of the crate uses its
//! own frames, peers and errors.

mod code;
mod context;
mod credentials;
mod dialer;
mod endpoint;
#[cfg(test)]
mod error_tests;
mod exchange;
mod expiry;
mod hub;
#[cfg(test)]
mod idle_tests;
mod inbound;
mod io;
mod kept;
#[cfg(test)]
mod kept_tests;
mod lanes;
mod limits;
mod listener;
#[cfg(test)]
mod odd_peer_tests;
mod outcome;
mod owner;
mod peer;
mod refusal;
mod renewal;
mod replace;
mod reset;
mod serve;
#[cfg(feature = "simulation")]
mod simulated_io;
mod start;
#[cfg(test)]
mod storm_tests;
mod streams;
#[cfg(test)]
mod tests;
mod tls;
mod trace;
#[cfg(test)]
mod version_tests;
mod versions;

pub use dialer::Dialer;
pub use endpoint::Transport;
pub use inbound::{Inbound, Incoming, Responder};
pub use peer::PeerConnection;
pub use replace::ROTATION_ENDS_WITHIN;
pub use streams::{AppStream, Listener, StreamReader, StreamWriter};
pub(crate) use tls::PROTOCOLS;
