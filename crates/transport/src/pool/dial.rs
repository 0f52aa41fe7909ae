//! Dials run in tasks of their own, not in the caller that asked first: so a caller that gives up takes nothing from the
//! others, and the connection is there for the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use kinfolk_core::Window;
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, debug, debug_span};

use super::slots::Wake;
use super::stats::add;
use super::turns::{Queued, Turn};
use super::{Caller, ConnId, Connect, DialError, Housed, Inner, Lane, Lease, Need, PoolError, Route};
use crate::peer::Peer;

/// Starts the dial of a slot that has just been reserved.
pub(super) fn start<C: Connect>(pool: &Arc<Inner<C>>, peer: Peer, (lane, need): (Lane, Need), id: ConnId) {
    add(&pool.counters.dials, 1);
    // Before the task begins, so that an urgent caller who comes meanwhile finds it in the queue.
    let queued = pool.turns.queue(Some(Route::new(&peer.id, lane)), need);
    let dial = Dial { pool: Arc::clone(pool), peer, lane, id, open: true };
    let span = debug_span!("dial", peer = %dial.peer, ?lane, %id);
    tokio::spawn(dial.run(queued).instrument(span));
}

/// A slot that is being dialled. However it ends, also by a panic or the end of the runtime, the slot is settled.
struct Dial<C: Connect> {
    pool: Arc<Inner<C>>,
    peer: Peer,
    lane: Lane,
    id: ConnId,
    open: bool,
}

impl<C: Connect> Dial<C> {
    async fn run(mut self, queued: Queued) {
        let begun = Instant::now();
        let (after, has_turn) = (self.pool.config.connect_timeout, AtomicBool::new(false));
        let outcome = timeout(after, self.connect(queued, &has_turn)).await;
        let outcome = outcome.unwrap_or_else(|_| {
            // The task reads what it wrote itself, so that the order among other accesses is of no
            // concern.
            Err(self.failed(if has_turn.load(Relaxed) {
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

    /// Waits for its turn, says so in `has_turn`, and dials.
    async fn connect(&self, queued: Queued, has_turn: &AtomicBool) -> Result<C::Connection, PoolError> {
        let mut closing = self.pool.closing.subscribe();
        let dial = async {
            let mut turn = self.turn(queued).await?;
            has_turn.store(true, Relaxed);
            let begun = Instant::now();
            let dial = self.pool.connector.connect_on(&self.peer, self.lane, self.id);
            tokio::pin!(dial);
            let dialled = if let Ok(dialled) = timeout(Window::LATE, dial.as_mut()).await {
                dialled
            } else {
                turn.rest();
                dial.await
            };
            if dialled.is_ok() {
                turn.done(begun.elapsed());
            }
            dialled.map_err(|cause| self.failed(cause))
        };
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => Err(PoolError::Closed),
            outcome = dial => outcome,
        }
    }

    /// The right to run one of the dials that may run at the same time.
    ///
    /// # Errors
    /// If nobody waits for the dial any more: a handshake for nobody only makes the others later.
    async fn turn(&self, queued: Queued) -> Result<Turn, PoolError> {
        let waited = Instant::now();
        let turn = queued.turn().await;
        if self.pool.slots.read(|slots| slots.is_awaited(self.id)) {
            return Ok(turn);
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
                debug!("connected");
                let now = self.pool.now();
                let housed = self.pool.house(conn);
                let woken = self.pool.with(|slots| slots.dial_ok(self.id, housed, now));
                wake(woken, &PoolError::Closed);
                self.pool.drains_changed();
            }
            Err(error) => {
                debug!(%error, "no connection");
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
            let reason = "a panic or the end of the tokio runtime ended its task".to_owned();
            self.settle(Err(self.failed(DialError::Other { reason })));
        }
    }
}

/// Hands the callers that waited what they waited for: each a lease, or `error` if there is no connection.
pub(super) fn wake<C: Connect>(wake: Wake<Housed<C>, Caller<C>>, error: &PoolError) {
    for caller in wake.waiters {
        let outcome = match &wake.with {
            Some(pooled) => Ok(Lease::of_counted(Arc::clone(pooled))),
            None => Err(error.clone()),
        };
        // A caller that has gone away gives the lease back by dropping it.
        drop(caller.0.send(outcome));
    }
}
