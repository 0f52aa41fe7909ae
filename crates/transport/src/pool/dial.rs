//! Each dial runs in its own task, not in the caller that asked first. If that caller gives up, the
//! other callers still get the connection, and so does the next caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use kinfolk_core::Window;
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, debug, debug_span};

use super::dial_queue::{DialPermit, QueuedDial};
use super::slots::Wake;
use super::stats::add;
use super::{Caller, ConnId, Connect, DialError, Inner, Lane, Lease, Need, PoolConnection, PoolError, Route};
use crate::peer::Peer;

/// Starts the dial for a slot that was just reserved.
pub(super) fn start<C: Connect>(pool: &Arc<Inner<C>>, peer: Peer, (lane, need): (Lane, Need), id: ConnId) {
    add(&pool.counters.dials, 1);
    // Enter the queue before the task starts, so that an urgent caller who arrives in between finds
    // the dial there.
    let queued = pool.dial_queue.join(Some(Route::new(&peer.id, lane)), need);
    let dial = Dial { pool: Arc::clone(pool), peer, lane, id, open: true };
    let span = debug_span!("dial", peer = %dial.peer, ?lane, %id);
    tokio::spawn(dial.run(queued).instrument(span));
}

/// A slot whose dial is in progress. The slot is settled however the task ends, also by a panic or
/// by the end of the runtime.
struct Dial<C: Connect> {
    pool: Arc<Inner<C>>,
    peer: Peer,
    lane: Lane,
    id: ConnId,
    /// False once the slot is settled, so that `drop` does not settle it again.
    open: bool,
}

impl<C: Connect> Dial<C> {
    async fn run(mut self, queued: QueuedDial) {
        let begun = Instant::now();
        let (after, has_permit) = (self.pool.config.connect_timeout, AtomicBool::new(false));
        let outcome = timeout(after, self.connect(queued, &has_permit)).await;
        let outcome = outcome.unwrap_or_else(|_| {
            // Relaxed is enough: the same task wrote the value.
            Err(self.failed(if has_permit.load(Relaxed) {
                DialError::Silent { after }
            } else {
                DialError::NotBegun { after, max: self.pool.config.dials_max }
            }))
        });
        if outcome.is_ok() {
            self.pool.counters.dialled(begun.elapsed());
        }
        self.settle(outcome);
    }

    /// Waits for its permit, sets `has_permit`, and dials.
    async fn connect(&self, queued: QueuedDial, has_permit: &AtomicBool) -> Result<C::Connection, PoolError> {
        let mut closing = self.pool.closing.subscribe();
        let dial = async {
            let mut permit = self.permit(queued).await?;
            has_permit.store(true, Relaxed);
            let begun = Instant::now();
            let dial = self.pool.connector.connect_on(&self.peer, self.lane, self.id);
            tokio::pin!(dial);
            let dialled = if let Ok(dialled) = timeout(Window::LATE, dial.as_mut()).await {
                dialled
            } else {
                // This dial waits for its peer and uses no CPU here. The next dial takes its place.
                // Otherwise a few unreachable peers would block all dials.
                permit.stop_counting_as_active();
                dial.await
            };
            if dialled.is_ok() {
                permit.succeeded(begun.elapsed());
            }
            dialled.map_err(|cause| self.failed(cause))
        };
        tokio::select! {
            // Look at the shutdown first, so that a closed pool starts no further handshake.
            biased;
            _ = closing.wait_for(|closing| *closing) => Err(PoolError::Closed),
            outcome = dial => outcome,
        }
    }

    /// Waits for the permit to dial.
    ///
    /// # Errors
    /// [`DialError::NotBegun`] if no caller waits any more. A handshake without a caller only
    /// delays the other dials.
    async fn permit(&self, queued: QueuedDial) -> Result<DialPermit, PoolError> {
        let waited = Instant::now();
        let permit = queued.permit().await;
        if self.pool.slots.read(|slots| slots.is_awaited(self.id)) {
            return Ok(permit);
        }
        add(&self.pool.counters.dials_dropped, 1);
        Err(self.failed(DialError::NotBegun { after: waited.elapsed(), max: self.pool.config.dials_max }))
    }

    fn failed(&self, cause: DialError) -> PoolError {
        PoolError::Dial { peer: self.peer.clone(), cause }
    }

    fn settle(&mut self, outcome: Result<C::Connection, PoolError>) {
        self.open = false;
        match outcome {
            Ok(conn) => {
                // A dial succeeded. What to do: nothing.
                debug!("connected");
                let now = self.pool.now();
                let wrapped = self.pool.wrap(conn);
                let woken = self.pool.with(|slots| slots.dial_ok(self.id, wrapped, now));
                // A successful dial brings its waiters a connection, so no caller gets this error.
                wake(woken, &PoolError::Closed);
                self.pool.drains_changed();
            }
            Err(error) => {
                // A dial failed; the line gives the cause, and the callers get the same error. What
                // to do: see the cause.
                debug!(%error, "the dial failed");
                add(&self.pool.counters.dials_failed, 1);
                let woken = self.pool.with(|slots| slots.dial_failed(self.id));
                wake(woken, &error);
            }
        }
    }
}

impl<C: Connect> Drop for Dial<C> {
    fn drop(&mut self) {
        if self.open {
            let reason = "its task ended by a panic or with the tokio runtime".to_owned();
            self.settle(Err(self.failed(DialError::Other { reason })));
        }
    }
}

/// Wakes the callers of a dial. Each gets a lease, or `error` if there is no connection.
pub(super) fn wake<C: Connect>(wake: Wake<PoolConnection<C>, Caller<C>>, error: &PoolError) {
    for caller in wake.waiters {
        let outcome = match &wake.with {
            Some(pooled) => Ok(Lease::of_counted(Arc::clone(pooled))),
            None => Err(error.clone()),
        };
        // A caller that dropped its future also drops the lease, which ends the use.
        drop(caller.0.send(outcome));
    }
}
