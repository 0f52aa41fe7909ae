//! The pool's one background task: closes what is idle or drained, and checks what is ready.

use std::sync::{Arc, Weak};

use kinfolk_core::Instant;
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};

use super::{Connect, Connection as _, Inner};

/// Runs until the pool is closed or dropped.
pub(super) async fn run<C: Connect>(pool: Weak<Inner<C>>) {
    let Some(strong) = pool.upgrade() else { return };
    let (period, mut closing) = (strong.config.health_interval, strong.closing.subscribe());
    let changed = Arc::clone(&strong.drains_changed);
    drop(strong);
    let mut health = interval_at(tokio::time::Instant::now() + period, period);
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

/// One round: idle and drained connections are closed, ready ones that gave no sign of life since the last are asked for one.
fn check<C: Connect>(pool: &Inner<C>) {
    let (now, idle_timeout) = (pool.now(), pool.config.idle_timeout);
    let since = Instant::from_origin(now.since_origin().saturating_sub(pool.config.health_interval));
    let ready = pool.with(|slots| {
        slots.sweep(now, idle_timeout);
        slots.unproved_since(since)
    });
    for (id, housed) in ready {
        if !housed.conn.check() {
            pool.with(|slots| slots.remove(id));
        }
    }
}
