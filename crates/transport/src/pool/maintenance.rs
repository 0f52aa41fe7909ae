//! The pool's only background task. It closes idle and drained connections, and checks the ready
//! ones.

use std::sync::{Arc, Weak};

use kinfolk_core::Instant;
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};

use super::{Connect, Connection as _, Inner};

/// Runs until the pool is closed or dropped.
pub(super) async fn run<C: Connect>(pool: Weak<Inner<C>>) {
    let Some(strong) = pool.upgrade() else { return };
    let (period, mut closing) = (strong.config.health_interval, strong.closing.subscribe());
    let changed = Arc::clone(&strong.drains_changed);
    // Keep only a weak reference while waiting: this task must not keep a dropped pool alive.
    drop(strong);
    let mut health = interval_at(tokio::time::Instant::now() + period, period);
    // After a pause of this node, one round is enough; a burst of them finds nothing new.
    health.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let Some(due) = pool.upgrade().map(|pool| pool.next_drain()) else { return };
        let drained = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ended = closing.wait_for(|closing| *closing) => {
                drop(ended);
                return;
            }
            () = changed.notified() => {}
            () = drained => {
                let Some(pool) = pool.upgrade() else { return };
                let now = pool.now();
                pool.with(|slots| slots.sweep_drained(now));
            }
            _ = health.tick() => {
                let Some(pool) = pool.upgrade() else { return };
                check(&pool);
            }
        }
    }
}

/// One round. Closes idle and drained connections. Sends a check packet on each ready connection
/// that had no answer since the last round.
///
/// An answer proves as much as a check, so a connection with answers needs no packet.
fn check<C: Connect>(pool: &Inner<C>) {
    let (now, idle_timeout) = (pool.now(), pool.config.idle_timeout);
    let since = Instant::from_origin(now.since_origin().saturating_sub(pool.config.health_interval));
    let ready = pool.with(|slots| {
        slots.sweep(now, idle_timeout);
        slots.unconfirmed_since(since)
    });
    for (id, wrapped) in ready {
        if !wrapped.conn.check() {
            pool.with(|slots| slots.remove(id));
        }
    }
}
