//! Carries this member's messages to a peer. The transport implements the trait; a test can put a
//! carrier with faults in front of it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::NodeId;
use kinfolk_core::signed::Revocation;
use kinfolk_swim::{Delivery, Dial, NoReply, Traffic};
use kinfolk_transport::{Certificate, Evidence, Need, Peer, RequestError, RequestOptions, Transport};

/// Why a message has no answer or was not delivered: the evidence for the machine, and a text for
/// the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// The evidence about the peer.
    pub why: NoReply,
    /// What happened, as text for the log.
    pub cause: String,
}

/// Carries frames to peers. Cheap to clone; calls are independent of each other.
pub trait Carrier: Clone + Send + Sync + 'static {
    /// Sends `body` and waits for the answer, for at most `delivery.within`.
    ///
    /// # Errors
    /// [`NoAnswer`] with the evidence.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the request and leaks nothing.
    fn request(
        &self,
        to: &Peer,
        body: Bytes,
        delivery: Delivery,
    ) -> impl Future<Output = Result<Bytes, NoAnswer>> + Send;

    /// Sends `body`, which needs no answer. Waits until the transport has sent it, for at most
    /// `delivery.within`.
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

    /// The certificate of a member that has an open connection to this one.
    fn certificate_of(&self, id: &NodeId) -> Option<Arc<Certificate>>;

    /// A member has this certificate now. The carrier may replace connections with older ones.
    fn renewed(&self, certificate: &Certificate);

    /// Refuses the certificates that this verified revocation covers from now on, and closes the
    /// connections of their member.
    fn revoke(&self, revocation: &Revocation);

    /// Sets how late this member is with its own work. The carrier then waits longer before it
    /// closes a connection, because an answer may wait as long in a queue here.
    fn set_lateness(&self, late: Duration);

    /// Returns true if the peer's host reports, within that time, that no process listens at the
    /// peer's port. False proves nothing: hosts and firewalls may stay silent.
    ///
    /// # Cancel safety
    /// Dropping the future leaks nothing.
    fn port_is_closed(&self, to: &Peer, within: Duration) -> impl Future<Output = bool> + Send;
}

impl Carrier for Transport {
    async fn request(&self, to: &Peer, body: Bytes, delivery: Delivery) -> Result<Bytes, NoAnswer> {
        let answer = self.request_with(to, body, delivery.within, manner(delivery)).await;
        answer.map_err(|error| no_answer(&error))
    }

    async fn send(&self, to: &Peer, body: Bytes, delivery: Delivery) -> Result<(), NoAnswer> {
        self.send_with(to, body, delivery.within, manner(delivery)).await.map_err(|error| no_answer(&error))
    }

    fn certificate_of(&self, id: &NodeId) -> Option<Arc<Certificate>> {
        Transport::certificate_of(self, id)
    }

    fn renewed(&self, certificate: &Certificate) {
        Transport::renewed(self, certificate);
    }

    fn revoke(&self, revocation: &Revocation) {
        Transport::revoke(self, revocation.clone());
    }

    fn set_lateness(&self, late: Duration) {
        self.pool().set_lateness(late);
    }

    async fn port_is_closed(&self, to: &Peer, within: Duration) -> bool {
        Transport::port_is_closed(self, to, within).await
    }
}

/// Converts the machine's delivery to the transport's type.
const fn manner(delivery: Delivery) -> RequestOptions {
    let need = match delivery.dial {
        Dial::First => Need::Urgent,
        Dial::Later => Need::CanWait,
        Dial::Never => Need::OpenOnly,
    };
    let traffic = match delivery.traffic {
        Traffic::Probe => kinfolk_transport::Traffic::Probe,
        Traffic::Gossip => kinfolk_transport::Traffic::Gossip,
        Traffic::AntiEntropy => kinfolk_transport::Traffic::AntiEntropy,
        Traffic::Other => kinfolk_transport::Traffic::Other,
    };
    RequestOptions { need, traffic, prompt: delivery.prompt }
}

fn no_answer(error: &RequestError) -> NoAnswer {
    NoAnswer { why: no_reply(error.evidence()), cause: error.to_string() }
}

/// Converts the transport's evidence about a failed request to the machine's.
fn no_reply(evidence: Evidence) -> NoReply {
    match evidence {
        // The peer's process runs but gave no valid answer. A member would have given one.
        Evidence::Refused | Evidence::Answered => NoReply::Refused,
        // `Departed` and `Restarted`: the peer's process ends or starts at this moment. In every
        // case the peer did not answer this request.
        Evidence::Silent | Evidence::Departed | Evidence::Restarted => NoReply::Silent,
        Evidence::Late => NoReply::Late,
        // `Local`, and any kind that this crate does not know. A limit, a shutdown, or a closed
        // connection of this node must not count as evidence against the peer.
        _ => NoReply::Local,
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeAddr;
    use kinfolk_transport::{DialError, Ending, Phase, Target};

    use super::*;

    fn why(error: impl FnOnce(Target) -> RequestError) -> NoReply {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let peer = Target { id: Some(NodeId::new("a").unwrap()), addr };
        no_answer(&error(peer)).why
    }

    #[test]
    fn own_shutdown_is_no_evidence_against_peer() {
        assert_eq!(why(|peer| RequestError::ShuttingDown { peer }), NoReply::Local);
        let cause = Ending::Local { reason: "evicted".to_owned() };
        assert_eq!(why(|peer| RequestError::Closed { peer, cause }), NoReply::Local);
        assert_eq!(why(|peer| RequestError::Connect { peer, cause: DialError::Stopped }), NoReply::Local);
    }

    #[test]
    fn own_limit_or_path_is_no_evidence_against_peer() {
        let (deadline, max) = (Duration::from_secs(1), 16);
        let connect = |cause| why(|peer| RequestError::Connect { peer, cause });
        assert_eq!(connect(DialError::NotBegun { after: deadline, max }), NoReply::Local);
        assert_eq!(connect(DialError::PathTooSmall { mtu: 1_000, needed: 1_228 }), NoReply::Local);
        let queued = why(|peer| RequestError::Timeout { peer, deadline, phase: Phase::Queued });
        assert_eq!(queued, NoReply::Local);
        assert_eq!(why(|peer| RequestError::PoolFull { peer, current: 1, max }), NoReply::Local);
    }

    #[test]
    fn evidence_is_mapped_to_no_reply() {
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
