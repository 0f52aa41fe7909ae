//! The peers of these scenarios.

use kinfolk_transport::Incoming;

/// Answers every request with its own body, until the transport ends.
pub(crate) async fn answer_all(mut incoming: Incoming) {
    while let Some(inbound) = incoming.recv().await {
        if let Some(responder) = inbound.responder {
            drop(responder.respond(inbound.body).await);
        }
    }
}
