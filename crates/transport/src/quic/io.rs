//! The host of a transport. All access to the network goes through [`Host`]: the sockets of the
//! QUIC endpoints, port checks and path checks. So a test of the whole stack can put a simulated
//! network here.
//!
//! A transport has one socket for listening and one for dialling: s2n-quic's client and server
//! cannot share one. A task runs each socket, and can be aborted.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use s2n_quic::provider::io as quic_io;
use s2n_quic_core::endpoint::Endpoint;
use s2n_quic_core::inet::SocketAddress;
use tokio::task::AbortHandle;

#[cfg(feature = "simulation")]
use super::simulated_io::SimulatedIo;
use crate::error::TransportError;
use crate::path;
use crate::pool::DialError;
use crate::port_check;
use crate::traffic::Counts;

/// The buffer for received packets between the socket and QUIC, for each of the two endpoints.
///
/// s2n-quic's default is 8 MiB. It uses that memory page by page and never returns it. A buffer
/// larger than 256 KiB gives no more throughput.
const RECEIVE_RING_BYTES: usize = 256 << 10;

/// The receive buffer to request from the system. Linux grants at most twice `net.core.rmem_max`,
/// 416 KiB by default.
///
/// A seed that waits for a core while a hundred members dial it fills the buffer. Then it drops
/// their packets, and each dialler sends again only after 150 ms, 450 ms, 1 s, and so on. The
/// system uses memory only for packets that wait.
const SOCKET_BYTES: usize = 1 << 20;

/// The host that a transport runs on. It decides the kind of its sockets.
#[derive(Debug, Clone)]
pub(super) enum Host {
    /// This machine, with UDP sockets.
    System,
    #[cfg(feature = "simulation")]
    Simulated(crate::simulation::Host),
}

/// A bound socket for a QUIC endpoint.
pub(super) enum Io {
    System(SystemIo),
    #[cfg(feature = "simulation")]
    Simulated(SimulatedIo, super::simulated_io::Seeded),
}

/// A UDP socket of the system.
pub(super) struct SystemIo {
    socket: UdpSocket,
    started: Started,
}

/// The task that runs an endpoint. Empty until the endpoint starts.
#[derive(Debug, Clone, Default)]
pub(super) struct Started(Arc<OnceLock<AbortHandle>>);

/// Aborts the task of an endpoint. That closes its socket; no close frames are sent.
#[derive(Debug, Clone)]
pub(super) struct IoTask(Started);

impl Host {
    /// Whether the host at `addr` reports, within that time, that no process listens there. The
    /// check is sent from `local`.
    pub(super) async fn port_is_closed(
        &self,
        local: SocketAddr,
        addr: SocketAddr,
        within: Duration,
        counts: &Counts,
    ) -> bool {
        match self {
            Self::System => port_check::is_closed(local.ip(), addr, within, &counts.port_checks).await,
            #[cfg(feature = "simulation")]
            Self::Simulated(host) => host.network.port_is_closed(local.ip(), addr),
        }
    }

    /// Why no dial from `local` to `addr` can succeed. `None` if the system knows no reason.
    pub(super) fn path_fault(&self, local: IpAddr, addr: SocketAddr) -> Option<DialError> {
        match self {
            Self::System => path::fault(local, addr),
            #[cfg(feature = "simulation")]
            Self::Simulated(_) => None,
        }
    }

    /// Binds a UDP socket. Returns it with its task and its real address.
    pub(super) fn bind(&self, addr: SocketAddr) -> Result<(Io, IoTask, SocketAddr), TransportError> {
        let failed = |cause: io::Error| match cause.kind() {
            ErrorKind::AddrInUse => TransportError::PortInUse { addr },
            _ => TransportError::Bind { addr, cause: cause.to_string() },
        };
        let started = Started::default();
        let task = IoTask(started.clone());
        match self {
            Self::System => {
                let socket = UdpSocket::bind(addr).map_err(failed)?;
                let local = socket.local_addr().map_err(failed)?;
                Ok((Io::System(SystemIo { socket, started }), task, local))
            }
            #[cfg(feature = "simulation")]
            Self::Simulated(host) => {
                let socket = host.network.bind(addr).map_err(failed)?;
                let local = socket.addr;
                // Each socket gets its own random sequence.
                let seeded = super::simulated_io::Seeded::new(host.seed ^ u64::from(local.port()));
                Ok((Io::Simulated(SimulatedIo { socket, started }, seeded), task, local))
            }
        }
    }

    /// Whether a new socket can bind to `addr`.
    pub(super) fn is_free(&self, addr: SocketAddr) -> bool {
        match self {
            Self::System => UdpSocket::bind(addr).is_ok(),
            #[cfg(feature = "simulation")]
            Self::Simulated(host) => host.network.bind(addr).is_ok(),
        }
    }
}

impl quic_io::Provider for SystemIo {
    type PathHandle = <quic_io::tokio::Provider as quic_io::Provider>::PathHandle;
    type Error = io::Error;

    fn start<E: Endpoint<PathHandle = Self::PathHandle>>(self, endpoint: E) -> io::Result<SocketAddress> {
        // A second handle, because the builder takes the socket, and the ECN options must be set
        // after it has turned them on.
        let same_socket = self.socket.try_clone()?;
        let builder = quic_io::tokio::Builder::default().with_rx_socket(self.socket)?;
        let builder = builder.with_internal_recv_buffer_size(RECEIVE_RING_BYTES)?;
        let io = builder.with_recv_buffer_size(SOCKET_BYTES)?.build()?;
        let (task, addr) = io.start(endpoint)?;
        ignore_ecn(&same_socket);
        self.started.set(task.abort_handle());
        Ok(addr)
    }
}

/// Turns off the system's report of ECN marks on received packets (RFC 3168). Peers then see no
/// counts of their marks, and stop sending marks.
///
/// s2n-quic has no switch for ECN. It tests each path that keeps the marks with a false mark, once
/// in 10 to 100 round trips (`CE_SUPPRESSION_TESTING_RTT_MULTIPLIER` in s2n-quic-core's
/// `path/ecn.rs`). The peer acknowledges a marked packet at once, with a separate packet. If the
/// round trip is below 40 ms, that costs one more packet for each probe.
fn ignore_ecn(socket: &UdpSocket) {
    // One of the two calls fails, because it is for the other address family. If both fail, each
    // probe costs one packet more.
    let _unfit = rustix::net::sockopt::set_ip_recvtos(socket, false);
    let _unfit = rustix::net::sockopt::set_ipv6_recvtclass(socket, false);
}

impl Started {
    pub(super) fn set(&self, task: AbortHandle) {
        self.0.set(task).expect("an endpoint is started once");
    }
}

impl IoTask {
    pub(super) fn abort(&self) {
        if let Some(task) = self.0.0.get() {
            task.abort();
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.0.0.get().is_none_or(AbortHandle::is_finished)
    }
}
