//! The parts that all clones of a transport own together, and the three ways to end it:
//! gracefully, as a crash, and by dropping the last clone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::code::CloseCode;
use super::dialer::Dialer;
use super::hub::{Hub, Stage};
use super::io::{Host, IoTask};
use super::limits::Sources;
use crate::pool::ConnectionPool;

/// Requests in flight get half of the limit to end. The rest is for the close frames and for the
/// system to free the port.
const DRAIN_SHARE: u32 = 2;

/// The interval of the checks whether the system has freed the port. There is no event for it.
const PORT_POLL: Duration = Duration::from_millis(1);

/// The time for the endpoints' tasks to send their close frames. QUIC keeps a closed connection for
/// a few round trips, and a shutdown does not wait longer for that.
const CLOSE_FRAMES_TIMEOUT: Duration = Duration::from_millis(200);

/// A running transport.
pub(super) struct Owner {
    pub(super) hub: Arc<Hub>,
    pub(super) pool: ConnectionPool<Dialer>,
    pub(super) ports: Ports,
    sources: Arc<Sources>,
    runtime: Handle,
}

/// The two ports: for listening and for dialling.
pub(super) struct Ports {
    pub(super) host: Host,
    /// The address that the transport listens on.
    pub(super) local: SocketAddr,
    pub(super) tasks: [IoTask; 2],
}

impl Owner {
    pub(super) fn new(
        hub: Arc<Hub>,
        pool: ConnectionPool<Dialer>,
        sources: Arc<Sources>,
        ports: Ports,
        runtime: Handle,
    ) -> Arc<Self> {
        Arc::new(Self { hub, pool, ports, sources, runtime })
    }

    /// Ends the transport gracefully. Each step may be repeated.
    pub(super) async fn close(&self, limit: Duration, until: Instant) {
        self.hub.advance(Stage::Draining);
        // A request that does not end in time fails when its connection closes.
        let _in_time = timeout(limit / DRAIN_SHARE, self.pool.unused()).await;
        self.stop(CloseCode::Leave);
        // The endpoints' tasks send the close frames at once, so they must run for a moment longer.
        let _in_time =
            timeout_at(until.min(Instant::now() + CLOSE_FRAMES_TIMEOUT), self.sources.none_known()).await;
        // After the close frames: an aborted task sends nothing.
        abort_io(&self.ports.tasks);
        let _in_time = timeout_at(until, self.port_freed()).await;
    }

    /// Ends the transport as a crash would.
    pub(super) fn abort(&self) {
        abort_io(&self.ports.tasks);
        let (hub, pool, io) = (Arc::clone(&self.hub), self.pool.clone(), self.ports.tasks.clone());
        self.runtime.spawn(async move {
            // `stop` closes the connections. If the endpoints' tasks still ran, they would send
            // close frames.
            while !io.iter().all(IoTask::is_finished) {
                tokio::task::yield_now().await;
            }
            stop(&hub, &pool, CloseCode::Stopped);
        });
    }

    fn stop(&self, code: CloseCode) {
        stop(&self.hub, &self.pool, code);
    }

    async fn port_freed(&self) {
        let Ports { host, local, tasks } = &self.ports;
        while !tasks.iter().all(IoTask::is_finished) || !host.is_free(*local) {
            sleep(PORT_POLL).await;
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.stop(CloseCode::Stopped);
        let (sources, io) = (Arc::clone(&self.sources), self.ports.tasks.clone());
        self.runtime.spawn(async move {
            let _in_time = timeout(CLOSE_FRAMES_TIMEOUT, sources.none_known()).await;
            abort_io(&io);
        });
    }
}

/// Ends everything except the endpoints' own tasks.
fn stop(hub: &Hub, pool: &ConnectionPool<Dialer>, code: CloseCode) {
    // First close the connections with the right code. Once the stage has changed, the tasks that
    // serve the connections drop them, and QUIC would close them with another code.
    hub.close_connections(code);
    hub.advance(Stage::Stopped);
    // Again, for connections that came between the two steps. `Hub::admit` closes later ones.
    hub.close_connections(code);
    hub.services.clear();
    pool.close();
}

fn abort_io(io: &[IoTask]) {
    for task in io {
        task.abort();
    }
}
