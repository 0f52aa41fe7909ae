//! What carries our messages to a peer. The transport does; a test may put a fault in between.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_swim::NoReply;
use kinfolk_transport::{Evidence, Peer, RequestError, Transport};

/// Why a message has no answer or was not delivered: the evidence for the machine, and the words for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// What it says about the peer.
    pub why: NoReply,
    /// What happened.
    pub cause: String,
}

/// Carries frames to peers. Cheap to clone; every call is independent of every other.
pub trait Carrier: Clone + Send + Sync + 'static {
    /// Sends `body` and waits for the answer, for at most `within`.
    ///
    /// # Errors
    /// [`NoAnswer`] with the evidence.
    ///
    /// # Cancel safety
    /// Dropping the future gives the exchange up and leaks nothing.
    fn request(
        &self,
        to: &Peer,
        body: Bytes,
        within: Duration,
    ) -> impl Future<Output = Result<Bytes, NoAnswer>> + Send;

    /// Sends `body`, which nobody answers; waits until it is handed over, for at most `within`.
    ///
    /// # Errors
    /// [`NoAnswer`] with the evidence.
    ///
    /// # Cancel safety
    /// Dropping the future may or may not send the message.
    fn send(
        &self,
        to: &Peer,
        body: Bytes,
        within: Duration,
    ) -> impl Future<Output = Result<(), NoAnswer>> + Send;

    /// Whether the peer's host says, within that time, that nobody listens at its port.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    fn port_is_closed(&self, to: &Peer, within: Duration) -> impl Future<Output = bool> + Send;
}

impl Carrier for Transport {
    async fn request(&self, to: &Peer, body: Bytes, within: Duration) -> Result<Bytes, NoAnswer> {
        Transport::request(self, to, body, within).await.map_err(|error| no_answer(&error))
    }

    async fn send(&self, to: &Peer, body: Bytes, within: Duration) -> Result<(), NoAnswer> {
        Transport::send(self, to, body, within).await.map_err(|error| no_answer(&error))
    }

    async fn port_is_closed(&self, to: &Peer, within: Duration) -> bool {
        Transport::port_is_closed(self, to, within).await
    }
}

fn no_answer(error: &RequestError) -> NoAnswer {
    let why = match error.evidence() {
        Evidence::Local => NoReply::Local,
        // Its process lives, but it does not do what a member does: that is no answer either.
        Evidence::Refused | Evidence::Answered => NoReply::Refused,
        // It goes or comes at this moment; whatever it is now, this request is lost.
        _ => NoReply::Silent,
    };
    NoAnswer { why, cause: error.to_string() }
}
