//! The services for which this node accepts streams, each with a bounded backlog.

use std::collections::HashMap;
use std::fmt;

use kinfolk_core::NodeId;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::super::hub::{Stage, stopped};
use super::AppStream;
use crate::hello::is_service;
use crate::stream_error::ServiceError;

/// The services that the programs of this node accept.
#[derive(Debug, Default)]
pub(in crate::quic) struct Services(Mutex<HashMap<String, mpsc::Sender<AppStream>>>);

impl Services {
    /// Starts to accept a service.
    pub(in crate::quic) fn listen(
        &self,
        service: &str,
        backlog: usize,
        stage: watch::Receiver<Stage>,
    ) -> Result<Listener, ServiceError> {
        if !is_service(service) {
            return Err(ServiceError::Name { service: service.to_owned() });
        }
        if *stage.borrow() == Stage::Stopped {
            return Err(ServiceError::Stopped { service: service.to_owned() });
        }
        let mut services = self.0.lock();
        // Remove the services whose listener was dropped. So the map never holds more entries than
        // were in use at the same time.
        services.retain(|_, backlog| !backlog.is_closed());
        if services.contains_key(service) {
            return Err(ServiceError::Taken { service: service.to_owned() });
        }
        let (sender, queue) = mpsc::channel(backlog.max(1));
        services.insert(service.to_owned(), sender);
        Ok(Listener { queue, stage })
    }

    /// The backlog of a service. `None` if no program accepts the service.
    pub(super) fn backlog(&self, service: &str) -> Option<mpsc::Sender<AppStream>> {
        self.0.lock().get(service).filter(|backlog| !backlog.is_closed()).cloned()
    }

    /// Drops all backlogs, which resets the streams in them.
    pub(in crate::quic) fn clear(&self) {
        self.0.lock().clear();
    }
}

/// The streams that peers open to one service, in the order of arrival.
///
/// At most `stream_backlog` streams wait; the transport refuses further ones as busy. Dropping the
/// listener ends the service, and resets the streams that wait.
pub struct Listener {
    queue: mpsc::Receiver<AppStream>,
    stage: watch::Receiver<Stage>,
}

impl Listener {
    /// The next stream, with the peer that opened it. `None` once the transport has stopped.
    ///
    /// # Cancel safety
    /// Dropping the future loses no stream.
    pub async fn accept(&mut self) -> Option<(NodeId, AppStream)> {
        let stream = tokio::select! {
            // Biased, because tokio's random choice has no seed (`docs/decisions/0006`).
            biased;
            () = stopped(&mut self.stage) => None,
            stream = self.queue.recv() => stream,
        };
        stream.map(|stream| (stream.peer().clone(), stream))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("waiting", &self.queue.len()).finish_non_exhaustive()
    }
}
