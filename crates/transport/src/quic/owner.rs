//! What the clones of a transport own together, and the three ways in which it ends: in good order, as a crash, or
//! because the last clone was dropped.

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

/// The share of a limit that requests in flight may take to end; the rest is for telling the peers.
const DRAIN_SHARE: u32 = 2;

/// How often it is looked whether the system has given the port back.
const PORT_POLL: Duration = Duration::from_millis(1);

/// How long the endpoints' tasks stay to send that their connections end.
const FAREWELL: Duration = Duration::from_millis(200);

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
    /// The address listened on.
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

    /// Ends in good order. Each step may be done again.
    pub(super) async fn close(&self, limit: Duration, until: Instant) {
        self.hub.advance(Stage::Draining);
        // A request that does not end in time is cut off, which its caller is told.
        let _in_time = timeout(limit / DRAIN_SHARE, self.pool.unused()).await;
        self.stop(CloseCode::Leave);
        // The close frames are sent by the endpoints' tasks, at once; QUIC forgets the connections a few round trips later,
        // which is not waited for when that is long.
        let _in_time = timeout_at(until.min(Instant::now() + FAREWELL), self.sources.none_known()).await;
        end_io(&self.ports.tasks);
        let _in_time = timeout_at(until, self.port_freed()).await;
    }

    /// Ends as a crash would.
    pub(super) fn abort(&self) {
        end_io(&self.ports.tasks);
        let (hub, pool, io) = (Arc::clone(&self.hub), self.pool.clone(), self.ports.tasks.clone());
        self.runtime.spawn(async move {
            // What follows would write close frames, if the endpoints' tasks still ran.
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
            let _in_time = timeout(FAREWELL, sources.none_known()).await;
            end_io(&io);
        });
    }
}

/// Ends everything but the endpoints' own tasks.
fn stop(hub: &Hub, pool: &ConnectionPool<Dialer>, code: CloseCode) {
    // First with the right code: once the stage has changed, the tasks that serve the connections let go of them.
    hub.close_connections(code);
    hub.advance(Stage::Stopped);
    // Then those that came in between; later ones are closed as they come.
    hub.close_connections(code);
    hub.services.clear();
    pool.close();
}

fn end_io(io: &[IoTask]) {
    for task in io {
        task.abort();
    }
}
