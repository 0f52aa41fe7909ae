//! The only place where sockets are made: one for listening, one for dialling (QUIC's client and server cannot share
//! one), each run by a task that can be ended. A test of the whole stack may make them on a simulated network instead.

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

/// What waits between the socket and QUIC, for each of the two endpoints. QUIC's default of 8 MiB is touched page by page and never
/// given back; more than this brings no more bytes a second.
const RECEIVE_RING_BYTES: usize = 256 << 10;

/// What may wait in the socket, as far as the system allows (Linux: twice `net.core.rmem_max`, by default 416 KiB). A node that waits for
/// a core while a hundred others dial it loses their packets otherwise, and each comes again only after 150 ms, 450 ms, 1 s, and so on.
/// The system takes memory for what waits alone.
const SOCKET_BYTES: usize = 1 << 20;

/// Where a transport runs, and thus what its sockets are.
#[derive(Debug, Clone)]
pub(super) enum Host {
    /// This machine: UDP.
    System,
    #[cfg(feature = "simulation")]
    Simulated(crate::simulation::Host),
}

/// A bound socket, to be run by a QUIC endpoint.
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

/// The task that runs an endpoint, once it has been started.
#[derive(Debug, Clone, Default)]
pub(super) struct Started(Arc<OnceLock<AbortHandle>>);

/// Ends the task of an endpoint: its socket is closed, and nothing more is sent, not even that connections end.
#[derive(Debug, Clone)]
pub(super) struct IoTask(Started);

impl Host {
    /// Whether the host at `addr` says, within that time, that nobody listens there; asked from `local`.
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

    /// Why no dial from `local` to `addr` can succeed, if the system knows a reason.
    pub(super) fn path_fault(&self, local: IpAddr, addr: SocketAddr) -> Option<DialError> {
        match self {
            Self::System => path::fault(local, addr),
            #[cfg(feature = "simulation")]
            Self::Simulated(_) => None,
        }
    }

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
                // A sequence of its own for each socket.
                let seeded = super::simulated_io::Seeded::new(host.seed ^ u64::from(local.port()));
                Ok((Io::Simulated(SimulatedIo { socket, started }, seeded), task, local))
            }
        }
    }

    /// Whether nobody listens at `addr` any more.
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

/// Has the system not tell which packets are marked for congestion (ECN, RFC 3168). Peers see that we do not count the marks, and
/// stop sending any.
///
/// QUIC has no switch for it, and tests a path that keeps its marks with a false one each 10 to 100 round trips
/// (`CE_SUPPRESSION_TESTING_RTT_MULTIPLIER` in s2n-quic-core's `path/ecn.rs`). A marked packet is acknowledged at once, by a packet
/// of its own. On a path of less than 40 ms that is one more packet for each probe.
fn ignore_ecn(socket: &UdpSocket) {
    // One of these does not fit to the family of the socket. Where both fail, each probe costs one packet more.
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
