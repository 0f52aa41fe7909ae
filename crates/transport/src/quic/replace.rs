//! Replaces the connections that were made before a rotation of the certificate or the authorities.
//!
//! Each is taken away from new callers, ends its requests, and closes. The next request dials. So
//! nothing fails, and the handshakes are spread over some seconds.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;
use tracing::debug;

use super::code::CloseCode;
use super::hub::{Hub, Stage};
use super::peer::PeerConnection;
use crate::pool::{Connection as _, Replaced};
use crate::stats::add;

/// The replacement of the connections ends within this time after a rotation: 2 s for handshakes
/// that have begun, 10 s for the connections one after the other, and 2 s for their requests, with
/// the default settings and 1 s to spare. Connections with application streams end with the last of
/// these.
pub const ROTATION_ENDS_WITHIN: Duration = Duration::from_secs(15);

/// The time between two connections. Shorter with more than 100.
const APART: Duration = Duration::from_millis(100);
/// The time for all of them.
const SPREAD_OVER: Duration = Duration::from_secs(10);

/// Replaces the connections of before.
pub(super) async fn run(hub: Weak<Hub>) {
    let Some((handshake, drain)) =
        hub.upgrade().map(|hub| (hub.config.handshake_timeout, hub.config.pool.drain_timeout))
    else {
        return;
    };
    // A handshake that began before the rotation may still end with the former certificate. After
    // this time none does. A few connections that are newer than the rotation are replaced too.
    sleep(handshake).await;
    let Some(before) = running(&hub).map(|hub| hub.connections()) else { return };
    let apart = APART.min(SPREAD_OVER / u32::try_from(before.len().max(1)).unwrap_or(u32::MAX));
    let mut outside = Vec::new();
    for conn in before {
        sleep(apart).await;
        let Some(hub) = running(&hub) else { return };
        let Some(pool) = hub.pool() else { return };
        match pool.replace(conn.id()) {
            Replaced::Draining => add(&hub.counters.rotated_connections, 1),
            Replaced::Ending => {}
            Replaced::Unknown => outside.push(conn),
        }
    }
    if outside.is_empty() {
        return;
    }
    // The pool does not hold these: it was full when the peer dialled. Nothing tells when their
    // requests have ended, so they get the time that the others have, too.
    sleep(drain).await;
    let Some(hub) = running(&hub) else { return };
    outside.iter().filter(|conn| conn.is_open()).for_each(|conn| close(&hub, conn));
}

fn close(hub: &Hub, conn: &PeerConnection) {
    // A connection that the pool did not hold was closed after a rotation of the certificate. The
    // peer dials again. What to do: nothing; raise `pool-max-total` if there are many such lines.
    debug!(peer = %conn.peer(), "closed a connection outside the pool, because the certificate was replaced");
    add(&hub.counters.rotated_connections, 1);
    conn.close_with(CloseCode::Overdue);
}

fn running(hub: &Weak<Hub>) -> Option<Arc<Hub>> {
    hub.upgrade().filter(|hub| hub.stage() == Stage::Open)
}
