//! Accepts inbound connections. QUIC does their handshakes, so nothing here waits for a peer.

use std::sync::Arc;

use s2n_quic::{Connection, Server};

use super::code::CloseCode;
use super::context::{Context, Facts};
use super::hub::Hub;
use super::lanes;
use crate::pool::{Connection as _, Lane, Route, Side, Taken};
use crate::stats::add;

/// Accepts connections until the transport stops.
pub(super) async fn run(mut server: Server, hub: Arc<Hub>) {
    let mut stage = hub.watch_stage();
    loop {
        let accepted = tokio::select! {
            // Biased, because tokio's random choice has no seed (`docs/decisions/0006`).
            biased;
            () = super::hub::stopped(&mut stage) => return,
            accepted = server.accept() => accepted,
        };
        let Some(connection) = accepted else { return };
        accept(&hub, connection);
    }
}

/// Checks a new connection and gives it to the pool.
fn accept(hub: &Arc<Hub>, connection: Connection) {
    let Some(pool) = hub.pool() else { return };
    let facts: Arc<Facts> = connection
        .query_event_context(|context: &Context| Arc::clone(&context.facts))
        .expect("the endpoint was built with our events, which give each connection this context");
    let server_name = connection.server_name().ok().flatten();
    let lane = server_name.map_or(Lane::Requests, |name| lanes::lane_of(&name, hub.credentials.name()));
    let id = pool.new_id();
    // If `admit` refuses the peer, it logs that and tells the peer.
    let Ok(peer) = hub.admit(connection, facts, Side::Remote, lane, id, None) else { return };
    match pool.adopt(id, Route::new(peer.peer(), lane), peer.clone(), Side::Remote) {
        Taken::InUse => {}
        Taken::Spare => {
            // The peer dialled although the pool has a connection to it. If the peer has restarted,
            // its stateless reset to this check ends the old connection at once.
            if let Some(preferred) = pool.peek(peer.peer()) {
                preferred.check();
            }
        }
        // A full pool refuses streams, but not requests: if this node did not answer the peer's
        // probes, the peer would suspect it.
        Taken::NoRoom if lane.is_streams() => peer.close_with(CloseCode::NoRoom),
        Taken::NoRoom => add(&hub.counters.unpooled, 1),
    }
}
