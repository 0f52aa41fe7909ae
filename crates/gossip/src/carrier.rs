//! What carries our messages to a peer. The transport does; a test may put a fault in between.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_swim::{Delivery, Dial, NoReply, Traffic};
use kinfolk_transport::{Evidence, Manner, Need, Peer, RequestError, Transport};

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
    /// Sends `body` and waits for the answer, for at most `delivery.within`.
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
        delivery: Delivery,
    ) -> impl Future<Output = Result<Bytes, NoAnswer>> + Send;

    /// Sends `body`, which nobody answers; waits until it is handed over, for at most `delivery.within`.
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
        delivery: Delivery,
    ) -> impl Future<Output = Result<(), NoAnswer>> + Send;

    /// Says how late this member is with what it has to do, so that nothing is given up too soon.
    fn set_lateness(&self, late: Duration);

    /// Whether the peer's host says, within that time, that nobody listens at its port.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    fn port_is_closed(&self, to: &Peer, within: Duration) -> impl Future<Output = bool> + Send;
}

impl Carrier for Transport {
    async fn request(&self, to: &Peer, body: Bytes, delivery: Delivery) -> Result<Bytes, NoAnswer> {
        let answer = self.request_by(to, body, delivery.within, manner(delivery)).await;
        answer.map_err(|error| no_answer(&error))
    }

    async fn send(&self, to: &Peer, body: Bytes, delivery: Delivery) -> Result<(), NoAnswer> {
        self.send_by(to, body, delivery.within, manner(delivery)).await.map_err(|error| no_answer(&error))
    }

    fn set_lateness(&self, late: Duration) {
        self.pool().set_lateness(late);
    }

    async fn port_is_closed(&self, to: &Peer, within: Duration) -> bool {
        Transport::port_is_closed(self, to, within).await
    }
}

/// How a message is sent, in the transport's words.
const fn manner(delivery: Delivery) -> Manner {
    let need = match delivery.dial {
        Dial::First => Need::Urgent,
        Dial::Later => Need::Patient,
        Dial::Never => Need::OpenOnly,
    };
    let traffic = match delivery.traffic {
        Traffic::Probe => kinfolk_transport::Traffic::Probe,
        Traffic::Gossip => kinfolk_transport::Traffic::Gossip,
        Traffic::Comparison => kinfolk_transport::Traffic::Comparison,
        Traffic::Other => kinfolk_transport::Traffic::Other,
    };
    Manner { need, traffic }
}

fn no_answer(error: &RequestError) -> NoAnswer {
    NoAnswer { why: no_reply(error.evidence()), cause: error.to_string() }
}

/// What the evidence of a failed request means to the machine.
fn no_reply(evidence: Evidence) -> NoReply {
    match evidence {
        // The peer's process runs but gave no valid answer. That is no answer of a member either.
        Evidence::Refused | Evidence::Answered => NoReply::Refused,
        // The peer's process ends or begins at this moment. Whatever it is now, this request is
        // lost.
        Evidence::Silent | Evidence::Departed | Evidence::Restarted => NoReply::Silent,
        Evidence::Late => NoReply::Late,
        // `Local`, and any kind that this crate does not know. A limit, a shutdown or a close of
        // this node must not speak against the peer.
        _ => NoReply::Local,
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{NodeAddr, NodeId};
    use kinfolk_transport::{DialError, Ending, Phase, Target};

    use super::*;

    fn why(error: impl FnOnce(Target) -> RequestError) -> NoReply {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let peer = Target { id: Some(NodeId::new("a").unwrap()), addr };
        no_answer(&error(peer)).why
    }

    #[test]
    fn the_end_of_this_node_never_speaks_against_a_peer() {
        assert_eq!(why(|peer| RequestError::ShuttingDown { peer }), NoReply::Local);
        let cause = Ending::Local { reason: "evicted".to_owned() };
        assert_eq!(why(|peer| RequestError::Closed { peer, cause }), NoReply::Local);
        assert_eq!(why(|peer| RequestError::Connect { peer, cause: DialError::Stopped }), NoReply::Local);
    }

    #[test]
    fn a_limit_or_a_path_of_this_node_never_speaks_against_a_peer() {
        let (deadline, max) = (Duration::from_secs(1), 16);
        let connect = |cause| why(|peer| RequestError::Connect { peer, cause });
        assert_eq!(connect(DialError::NotBegun { after: deadline, max }), NoReply::Local);
        assert_eq!(connect(DialError::PathTooSmall { mtu: 1_000, needed: 1_228 }), NoReply::Local);
        let queued = why(|peer| RequestError::Timeout { peer, deadline, phase: Phase::Queued });
        assert_eq!(queued, NoReply::Local);
        assert_eq!(why(|peer| RequestError::PoolFull { peer, current: 1, max }), NoReply::Local);
    }

    #[test]
    fn each_kind_of_evidence_has_its_meaning() {
        let meanings = [
            (Evidence::Local, NoReply::Local),
            (Evidence::Refused, NoReply::Refused),
            (Evidence::Answered, NoReply::Refused),
            (Evidence::Late, NoReply::Late),
            (Evidence::Silent, NoReply::Silent),
            (Evidence::Departed, NoReply::Silent),
            (Evidence::Restarted, NoReply::Silent),
        ];
        for (evidence, meaning) in meanings {
            assert_eq!(no_reply(evidence), meaning, "{evidence:?}");
        }
    }
}
