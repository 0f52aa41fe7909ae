//! Received messages. Decodes the frames of peers into inputs, and keeps the requests among them
//! until the machine answers.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::signed::Fingerprint;
use kinfolk_core::{Instant, NodeId};
use kinfolk_swim::{CodecError, ReplyId, codec};
use kinfolk_transport::{Certificate, Inbound, Incoming, Responder};

use crate::stats::{Counters, count};
use crate::verification::{Then, Unchecked, wire};

/// A frame of an authenticated peer.
#[derive(Debug)]
pub struct Arrival<A> {
    /// The sender: the name in its certificate.
    pub from: NodeId,
    /// The encoded message.
    pub body: Bytes,
    /// How long the frame waited in the queue.
    pub waited: Duration,
    /// Set if the peer waits for an answer.
    pub answerer: Option<A>,
    /// The certificate of the sender, from its connection.
    pub certificate: Option<Arc<Certificate>>,
}

/// A decoded frame.
#[derive(Debug)]
pub(crate) enum Received<A> {
    /// A message for the machine, once it is verified.
    Message(Unchecked),
    /// A request for certificates, which the driver answers itself.
    WantCertificates(Vec<Fingerprint>, A),
}

/// A source of received frames.
pub trait Arrivals: Send + 'static {
    /// Sends the answer to a request.
    type Answerer: Answerer;

    /// Waits for the next frame; `None` once the transport is closed.
    ///
    /// # Cancel safety
    /// Dropping the future loses no frame.
    fn next(&mut self) -> impl Future<Output = Option<Arrival<Self::Answerer>>> + Send;
}

/// Answers one request of a peer. Dropping the answerer declines the request, and the peer learns
/// this at once.
pub trait Answerer: Send + 'static {
    /// Sends the answer. Reports no failure: the peer notices that its request has no answer.
    fn answer(self, body: Bytes) -> impl Future<Output = ()> + Send;
}

impl Arrivals for Incoming {
    type Answerer = Responder;

    async fn next(&mut self) -> Option<Arrival<Responder>> {
        let inbound = self.recv().await?;
        let Inbound { from, body, arrived, responder, certificate } = inbound;
        let (waited, certificate) = (arrived.elapsed(), Some(certificate));
        Some(Arrival { from, body, waited, answerer: responder, certificate })
    }
}

impl Answerer for Responder {
    async fn answer(self, body: Bytes) {
        if let Err(error) = self.respond(body).await {
            // The connection ended, or the peer stopped waiting, before the answer arrived. The
            // peer counts its request as unanswered. What to do: nothing. If there are many such
            // lines, check the network between the members, and their CPU load.
            tracing::debug!(%error, "an answer did not reach the peer that sent the request");
        }
    }
}

/// The requests of peers that wait for the machine's answer.
///
/// All peers share the places. A peer with fewer requests takes a place from the peer with the
/// most. Otherwise one peer could take all places with requests that have no answer, and this
/// member would decline the probes of all others, as if it had failed.
#[derive(Debug)]
pub(crate) struct PeerRequests<A> {
    /// Ordered by age, because the ids count up. So expiry looks only at the first entries.
    waiting: BTreeMap<ReplyId, Waiting<A>>,
    /// How many of them each peer has. No peer has none.
    of_each: BTreeMap<NodeId, usize>,
    accepted: u64,
    max: usize,
    counters: Arc<Counters>,
}

/// One request that waits.
#[derive(Debug)]
struct Waiting<A> {
    from: NodeId,
    since: Instant,
    answerer: A,
}

impl<A> PeerRequests<A> {
    /// A request without an answer expires after this time. The slowest answer is that of a helper:
    /// it probes for at most 10 s (`WITHIN_MAX` in `helper.rs` of kinfolk-swim). 15 s leaves a
    /// margin.
    const EXPIRES_AFTER: Duration = Duration::from_secs(15);

    pub(crate) fn new(max: usize, counters: Arc<Counters>) -> Self {
        Self { waiting: BTreeMap::new(), of_each: BTreeMap::new(), accepted: 0, max, counters }
    }

    /// Decodes a frame. Returns `None` if the frame is not a valid message, or if it is a request
    /// beyond the bound.
    pub(crate) fn accept(&mut self, now: Instant, arrival: Arrival<A>) -> Option<Received<A>> {
        // First, so that expired requests do not use up the bound.
        self.drop_expired(now);
        if codec::kind(&arrival.body) == Ok(wire::WANT_CERTIFICATES) {
            let wanted = wire::read_want(&arrival.body).ok()?;
            return arrival.answerer.map(|answerer| Received::WantCertificates(wanted, answerer));
        }
        let Arrival { from, body, answerer, certificate, .. } = arrival;
        let message = match codec::decode(&body) {
            Ok(message) => message,
            Err(CodecError::UnknownKind { kind }) => {
                count(&self.counters.unknown_kinds);
                // A member of a later version sent a message that this version does not have. A
                // request is declined, and the sender goes on without it. What to do: nothing,
                // while an upgrade of the members is under way.
                tracing::debug!(%from, kind, "ignored a message of a later version");
                return None;
            }
            Err(error) => {
                count(&self.counters.undecodable);
                // A member with a valid certificate sent bytes that do not decode. What to do:
                // check that both members run the same version of Kinfolk.
                tracing::warn!(
                    %from, %error,
                    "dropped a message that cannot be decoded; check that both members run the same version"
                );
                return None;
            }
        };
        let reply_to = match answerer {
            None => None,
            Some(_) if !self.has_place_for(&from) => return None,
            Some(answerer) => Some(self.keep(Waiting { from: from.clone(), since: now, answerer })),
        };
        count(&self.counters.received);
        let then = Then::Message(reply_to);
        Some(Received::Message(Unchecked { from, message, bytes: body.len(), then, certificate }))
    }

    /// Takes out the request that the machine now answers or declines.
    pub(crate) fn remove(&mut self, to: ReplyId) -> Option<A> {
        let Waiting { from, answerer, .. } = self.waiting.remove(&to)?;
        if let Some(count) = self.of_each.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                self.of_each.remove(&from);
            }
        }
        Some(answerer)
    }

    fn keep(&mut self, request: Waiting<A>) -> ReplyId {
        let id = ReplyId(self.accepted);
        self.accepted += 1;
        *self.of_each.entry(request.from.clone()).or_default() += 1;
        self.waiting.insert(id, request);
        id
    }

    /// Whether a request of this peer may wait. At the bound one request is declined and counted:
    /// the oldest of the peer with the most, or this one, if no peer has more than its sender.
    fn has_place_for(&mut self, from: &NodeId) -> bool {
        if self.waiting.len() < self.max {
            return true;
        }
        count(&self.counters.answers_full);
        let own = self.of_each.get(from).copied().unwrap_or(0);
        let most = self.of_each.iter().max_by_key(|(_, count)| **count);
        let Some((most, _)) = most.filter(|(_, count)| **count > own) else { return false };
        let oldest = self.waiting.iter().find(|(_, waiting)| waiting.from == *most).map(|(id, _)| *id);
        // Dropping the answerer declines the request.
        oldest.and_then(|id| self.remove(id)).is_some()
    }

    /// Drops the requests that the machine did not answer in time. Otherwise each of them would
    /// hold a place forever, and the member would decline all requests in the end.
    fn drop_expired(&mut self, now: Instant) {
        while let Some((id, oldest)) = self.waiting.first_key_value() {
            if now.since(oldest.since) < Self::EXPIRES_AFTER {
                return;
            }
            let id = *id;
            self.remove(id);
            count(&self.counters.unanswered);
        }
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_swim::Message;

    use super::*;
    use crate::stats::GossipQueues;

    fn arrival(body: Bytes) -> Arrival<u32> {
        arrival_from("a", body)
    }

    fn arrival_from(name: &str, body: Bytes) -> Arrival<u32> {
        let from = NodeId::new(name).unwrap();
        Arrival { from, body, waited: Duration::ZERO, answerer: Some(7), certificate: None }
    }

    fn nack() -> Bytes {
        codec::encode(&Message::Nack { closed: false, lossy: false, accusation: None }).unwrap()
    }

    #[test]
    fn request_beyond_the_bound_is_declined() {
        let mut requests = PeerRequests::new(2, Arc::default());
        let reply_to = |received: Option<Received<u32>>| match received {
            Some(Received::Message(Unchecked { then: Then::Message(reply_to), .. })) => reply_to,
            _ => None,
        };
        assert_eq!(reply_to(requests.accept(Instant::ORIGIN, arrival(nack()))), Some(ReplyId(0)));
        assert_eq!(reply_to(requests.accept(Instant::ORIGIN, arrival(nack()))), Some(ReplyId(1)));
        assert!(requests.accept(Instant::ORIGIN, arrival(nack())).is_none());
        assert_eq!((requests.remove(ReplyId(0)), requests.remove(ReplyId(0))), (Some(7), None));
        assert!(requests.accept(Instant::ORIGIN, arrival(nack())).is_some());
    }

    #[test]
    fn peer_with_many_requests_loses_its_oldest_to_another_peer() {
        let counters = Arc::new(Counters::default());
        let mut requests = PeerRequests::new(4, Arc::clone(&counters));
        let mut accept = |name: &str| requests.accept(Instant::ORIGIN, arrival_from(name, nack())).is_some();
        assert!((0..4).all(|_| accept("liar")));
        assert!(!accept("liar"), "it takes no place from itself");
        assert!(accept("b") && accept("c"));
        assert!(!accept("liar"), "it has two places, and no peer has more");
        assert!(!accept("b") || accept("c"));
        let held = |requests: &PeerRequests<u32>, name: &str| {
            requests.of_each.get(&NodeId::new(name).unwrap()).copied().unwrap_or(0)
        };
        let counts = ["liar", "b", "c"].map(|name| held(&requests, name));
        assert_eq!(counts.iter().sum::<usize>(), 4);
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        assert_eq!((requests.remove(ReplyId(0)), requests.waiting.len()), (None, 4), "the oldest is gone");
        let ids: Vec<ReplyId> = requests.waiting.keys().copied().collect();
        assert!(ids.into_iter().all(|id| requests.remove(id).is_some()));
        assert!(requests.of_each.is_empty());
    }

    #[test]
    fn unanswered_request_expires() {
        let counters = Arc::new(Counters::default());
        let mut requests = PeerRequests::new(1, Arc::clone(&counters));
        requests.accept(Instant::ORIGIN, arrival(nack()));
        let later = Instant::ORIGIN + PeerRequests::<u32>::EXPIRES_AFTER;
        assert!(requests.accept(later, arrival(nack())).is_some());
        assert_eq!(counters.read(&kinfolk_swim::SwimStats::default(), GossipQueues::default()).unanswered, 1);
    }

    #[test]
    fn invalid_message_is_dropped_and_counted() {
        let counters = Arc::new(Counters::default());
        let mut requests = PeerRequests::new(1, Arc::clone(&counters));
        assert!(requests.accept(Instant::ORIGIN, arrival(Bytes::from_static(b"\xff\xff"))).is_none());
        assert_eq!(
            counters.read(&kinfolk_swim::SwimStats::default(), GossipQueues::default()).undecodable,
            1
        );
    }

    #[test]
    fn message_of_a_later_version_is_counted_apart() {
        let counters = Arc::new(Counters::default());
        let mut requests = PeerRequests::new(1, Arc::clone(&counters));
        let unknown = Bytes::from_static(b"\x0c later");
        assert_eq!(codec::kind(&unknown), Ok(codec::KINDS));
        assert!(requests.accept(Instant::ORIGIN, arrival(unknown)).is_none());
        let counted = counters.read(&kinfolk_swim::SwimStats::default(), GossipQueues::default());
        assert_eq!((counted.unknown_kinds, counted.undecodable), (1, 0));
    }
}
