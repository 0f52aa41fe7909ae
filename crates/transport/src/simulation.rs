//! The interface through which tests replace UDP with a simulated network, for the whole stack in
//! virtual time.
//!
//! It contains only what a network must provide. The networks themselves belong to the tests. All
//! of it is behind the feature `simulation`, so that a production build contains none of it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

/// A machine of a simulated network, on which one transport runs.
#[derive(Clone)]
pub struct Host {
    /// The network in which the transport binds its sockets.
    pub network: Arc<dyn Network>,
    /// The seed of all randomness in the QUIC endpoints. TLS uses the system's randomness: keys and
    /// signatures differ between runs, but they do not change the time of any packet.
    pub seed: u64,
}

/// Creates sockets.
pub trait Network: Send + Sync {
    /// Binds a socket. Port 0 lets the network choose a port.
    ///
    /// # Errors
    /// As from a system: [`AddrInUse`](io::ErrorKind::AddrInUse), or another error for a wrong
    /// address.
    fn bind(&self, addr: SocketAddr) -> io::Result<Socket>;

    /// Whether the network answers a datagram from `from` to `to` with the report that the port is
    /// closed.
    fn port_is_closed(&self, from: IpAddr, to: SocketAddr) -> bool;
}

/// A bound socket in its two halves. Dropping both halves closes it.
pub struct Socket {
    /// The socket's address, with the chosen port.
    pub addr: SocketAddr,
    /// The half that sends.
    pub sender: Box<dyn Sender>,
    /// The half that receives.
    pub receiver: Box<dyn Receiver>,
}

/// Sends datagrams. It never waits: a datagram that does not fit is dropped.
pub trait Sender: Send {
    /// Sends one datagram.
    fn send(&mut self, to: SocketAddr, payload: &[u8]);
}

/// Receives datagrams.
pub trait Receiver: Send {
    /// Appends all datagrams that have arrived to `into`. Ready if at least one arrived.
    fn poll_receive(&mut self, cx: &mut Context<'_>, into: &mut Vec<Datagram>) -> Poll<()>;
}

/// A datagram that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// The sender's address.
    pub from: SocketAddr,
    /// The payload.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("seed", &self.seed).finish_non_exhaustive()
    }
}
