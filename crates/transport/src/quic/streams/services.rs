//! Which services this node accepts streams for, each with its bounded backlog.

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
    /// Begins to accept a service.
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
        // Those whose listener has gone are swept here, so that the map holds no more than were ever in use at once.
        services.retain(|_, backlog| !backlog.is_closed());
        if services.contains_key(service) {
            return Err(ServiceError::Taken { service: service.to_owned() });
        }
        let (sender, queue) = mpsc::channel(backlog.max(1));
        services.insert(service.to_owned(), sender);
        Ok(Listener { queue, stage })
    }

    /// Where streams for a service go. None if nobody accepts it.
    pub(super) fn backlog(&self, service: &str) -> Option<mpsc::Sender<AppStream>> {
        self.0.lock().get(service).filter(|backlog| !backlog.is_closed()).cloned()
    }

    /// Drops the backlogs: the streams in them are cut off.
    pub(in crate::quic) fn clear(&self) {
        self.0.lock().clear();
    }
}

/// The streams that peers open to one service, in the order in which they come. `stream_backlog` of them wait; further
/// ones are refused as busy. Dropping it ends the service: those that wait are cut off.
pub struct Listener {
    queue: mpsc::Receiver<AppStream>,
    stage: watch::Receiver<Stage>,
}

impl Listener {
    /// The next stream and who opened it. None once the transport has stopped.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn accept(&mut self) -> Option<(NodeId, AppStream)> {
        let stream = tokio::select! {
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
