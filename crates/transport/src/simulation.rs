//! The seam where a simulated network takes the place of UDP, for tests of the whole stack in virtual time. Only what a
//! network has to offer; the networks themselves belong to the tests. Behind the feature `simulation`, so that a product
//! holds none of it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

/// A machine of a simulated network, on which a transport runs.
#[derive(Clone)]
pub struct Host {
    /// Where its sockets are bound.
    pub network: Arc<dyn Network>,
    /// Where all randomness of its QUIC endpoints comes from. TLS keeps the system's: keys and signatures differ from run
    /// to run, and change no packet's time.
    pub seed: u64,
}

/// What makes sockets.
pub trait Network: Send + Sync {
    /// Binds a socket; port 0 lets the network choose one.
    ///
    /// # Errors
    /// As from a system: [`AddrInUse`](io::ErrorKind::AddrInUse), or whatever else is wrong with the address.
    fn bind(&self, addr: SocketAddr) -> io::Result<Socket>;

    /// Whether a datagram from `from` to `to` is answered with the word that nobody listens there.
    fn port_is_closed(&self, from: IpAddr, to: SocketAddr) -> bool;
}

/// A bound socket in its two halves. It is closed when both are dropped.
pub struct Socket {
    /// Its address, with the real port.
    pub addr: SocketAddr,
    /// The half that sends.
    pub sender: Box<dyn Sender>,
    /// The half that receives.
    pub receiver: Box<dyn Receiver>,
}

/// Sends datagrams. Never waits: what does not fit is lost.
pub trait Sender: Send {
    /// Sends one datagram.
    fn send(&mut self, to: SocketAddr, payload: &[u8]);
}

/// Receives datagrams.
pub trait Receiver: Send {
    /// Puts all datagrams that have arrived into `into`. Ready if there is at least one.
    fn poll_receive(&mut self, cx: &mut Context<'_>, into: &mut Vec<Datagram>) -> Poll<()>;
}

/// A datagram that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Where it comes from.
    pub from: SocketAddr,
    /// Its content.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("seed", &self.seed).finish_non_exhaustive()
    }
}
