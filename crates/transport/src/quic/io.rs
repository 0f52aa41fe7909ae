//! The only place where sockets are made: one for listening, one for dialling (QUIC's client and server cannot share
//! one), each run by a task that can be ended. A simulated network would take this file's place.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};

use s2n_quic::provider::io;
use s2n_quic_core::endpoint::Endpoint;
use s2n_quic_core::inet::SocketAddress;
use tokio::task::AbortHandle;

use crate::error::TransportError;

/// A bound socket, to be run by a QUIC endpoint.
pub(super) struct Io {
    socket: UdpSocket,
    task: Arc<OnceLock<AbortHandle>>,
}

/// Ends the task of an endpoint: its socket is closed, and nothing more is sent, not even that connections end.
#[derive(Debug, Clone)]
pub(super) struct IoTask(Arc<OnceLock<AbortHandle>>);

impl Io {
    pub(super) fn bind(addr: SocketAddr) -> Result<(Self, IoTask, SocketAddr), TransportError> {
        let failed = |cause: std::io::Error| match cause.kind() {
            ErrorKind::AddrInUse => TransportError::PortInUse { addr },
            _ => TransportError::Bind { addr, cause: cause.to_string() },
        };
        let socket = UdpSocket::bind(addr).map_err(failed)?;
        let local = socket.local_addr().map_err(failed)?;
        let task = Arc::new(OnceLock::new());
        Ok((Self { socket, task: Arc::clone(&task) }, IoTask(task), local))
    }
}

impl io::Provider for Io {
    type PathHandle = <io::tokio::Provider as io::Provider>::PathHandle;
    type Error = std::io::Error;

    fn start<E: Endpoint<PathHandle = Self::PathHandle>>(
        self,
        endpoint: E,
    ) -> std::io::Result<SocketAddress> {
        let io = io::tokio::Builder::default().with_rx_socket(self.socket)?.build()?;
        let (task, addr) = io.start(endpoint)?;
        self.task.set(task.abort_handle()).expect("an endpoint is started once");
        Ok(addr)
    }
}

impl IoTask {
    pub(super) fn abort(&self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.0.get().is_none_or(AbortHandle::is_finished)
    }
}

/// Whether nobody listens at `addr` any more.
pub(super) fn is_free(addr: SocketAddr) -> bool {
    UdpSocket::bind(addr).is_ok()
}
