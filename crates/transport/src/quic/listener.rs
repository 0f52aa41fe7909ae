//! How connections come in from the other side. Their handshakes are done by QUIC; nothing here waits for a peer.

use std::sync::Arc;

use s2n_quic::{Connection, Server};

use super::context::{Context, Facts};
use super::hub::Hub;
use crate::pool::{Connection as _, Side, Taken};

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
    let id = pool.new_id();
    // A refusal has been logged and told to the peer by `admit`.
    let Ok(peer) = hub.admit(connection, facts, Side::Remote, id, None) else { return };
    let taken = pool.adopt(id, &peer.peer().clone(), peer.clone(), Side::Remote);
    if taken == Taken::Spare
        && let Some(preferred) = pool.peek(peer.peer())
    {
        // The peer dialled although, by our account, there is a connection. If it has lost that one by a restart, the
        // answer to this check tells us at once.
        preferred.check();
    }
}
