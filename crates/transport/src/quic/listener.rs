//! How connections come in from the other side. Their handshakes are done by QUIC; nothing here waits for a peer.

use std::sync::Arc;

use s2n_quic::{Connection, Server};

use super::code::CloseCode;
use super::context::{Context, Facts};
use super::hub::Hub;
use super::lanes;
use crate::pool::{Connection as _, Lane, Route, Side, Taken};
use crate::stats::add;

/// Accepts until the transport stops.
pub(super) async fn run(mut server: Server, hub: Arc<Hub>) {
    let mut stage = hub.watch_stage();
    loop {
        let accepted = tokio::select! {
            biased;
            () = super::hub::stopped(&mut stage) => return,
            accepted = server.accept() => accepted,
        };
        let Some(connection) = accepted else { return };
        take(&hub, connection);
    }
}

fn take(hub: &Arc<Hub>, connection: Connection) {
    let Some(pool) = hub.pool() else { return };
    let facts: Arc<Facts> = connection
        .query_event_context(|context: &Context| Arc::clone(&context.facts))
        .expect("the endpoint was built with our events, which give each connection this context");
    let asked_for = connection.server_name().ok().flatten();
    let lane = asked_for.map_or(Lane::Requests, |name| lanes::of(&name, hub.config.identity.name()));
    let id = pool.new_id();
    // A refusal has been logged and told to the peer by `admit`.
    let Ok(peer) = hub.admit(connection, facts, Side::Remote, lane, id, None) else { return };
    match pool.adopt(id, Route::new(peer.peer(), lane), peer.clone(), Side::Remote) {
        Taken::InUse => {}
        Taken::Spare => {
            // The peer dialled although, by our account, there is a connection. If it has lost that one by a restart,
            // the answer to this check tells us at once.
            if let Some(preferred) = pool.peek(peer.peer()) {
                preferred.check();
            }
        }
        // Streams can wait; requests cannot, or this node would look dead to the peer.
        Taken::NoRoom if lane.is_streams() => peer.close_with(CloseCode::NoRoom),
        Taken::NoRoom => add(&hub.counters.unpooled, 1),
    }
}
