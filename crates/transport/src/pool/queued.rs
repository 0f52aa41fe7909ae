//! The dials that wait for their turn: which routes have one, so that a caller whose time is over
//! can say that nothing was sent. It decides nothing; the permits do.

use std::collections::BTreeMap;

use kinfolk_core::NodeId;
use parking_lot::Mutex;

use super::{Lane, Route};

/// The routes whose dials wait for a permit. At most as many entries as slots in the pool.
#[derive(Debug, Default)]
pub(super) struct QueuedDials(Mutex<BTreeMap<(NodeId, Lane), usize>>);

/// One waiting dial. It counts until it is dropped.
pub(super) struct QueuedDial<'a> {
    all: &'a QueuedDials,
    route: (NodeId, Lane),
}

impl QueuedDials {
    /// Counts a dial that begins to wait.
    pub(super) fn enter(&self, peer: &NodeId, lane: Lane) -> QueuedDial<'_> {
        let route = (peer.clone(), lane);
        *self.0.lock().entry(route.clone()).or_default() += 1;
        QueuedDial { all: self, route }
    }

    /// Whether a dial of this route waits.
    pub(super) fn holds(&self, route: Route<'_>) -> bool {
        self.0.lock().contains_key(&(route.peer.clone(), route.lane))
    }
}

impl Drop for QueuedDial<'_> {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        if let Some(waiting) = all.get_mut(&self.route) {
            *waiting -= 1;
            if *waiting == 0 {
                all.remove(&self.route);
            }
        }
    }
}
