//! What comes in: frames of peers become inputs, and the questions among them wait here until the machine answers.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{Instant, NodeId};
use kinfolk_swim::{Input, ReplyId, codec};
use kinfolk_transport::{Inbound, Incoming, Responder};

use crate::stats::{Counters, count};

/// A frame of an authenticated peer.
#[derive(Debug)]
pub struct Arrival<A> {
    /// Who sent it: the name in its certificate.
    pub from: NodeId,
    /// What.
    pub body: Bytes,
    /// How long it has waited to be taken.
    pub waited: Duration,
    /// Set if the peer waits for an answer.
    pub answerer: Option<A>,
}

/// Where frames arrive.
pub trait Arrivals: Send + 'static {
    /// How one of them is answered.
    type Answerer: Answerer;

    /// Waits for the next frame; `None` once the transport is closed.
    ///
    /// # Cancel safety
    /// Dropping the future loses no frame.
    fn next(&mut self) -> impl Future<Output = Option<Arrival<Self::Answerer>>> + Send;
}

/// Answers one question of a peer. Dropping it declines the question, which the peer learns at once.
pub trait Answerer: Send + 'static {
    /// Sends the answer. A failure is the peer's to notice: it asked.
    fn answer(self, body: Bytes) -> impl Future<Output = ()> + Send;
}

impl Arrivals for Incoming {
    type Answerer = Responder;

    async fn next(&mut self) -> Option<Arrival<Responder>> {
        let inbound = self.recv().await?;
        let Inbound { from, body, arrived, responder } = inbound;
        Some(Arrival { from, body, waited: arrived.elapsed(), answerer: responder })
    }
}

impl Answerer for Responder {
    async fn answer(self, body: Bytes) {
        if let Err(error) = self.respond(body).await {
            tracing::debug!(%error, "an answer did not reach the peer that asked");
        }
    }
}

/// The questions that wait for the machine's answer.
#[derive(Debug)]
pub(crate) struct Questions<A> {
    waiting: BTreeMap<ReplyId, (Instant, A)>,
    asked: u64,
    max: usize,
    counters: Arc<Counters>,
}

impl<A> Questions<A> {
    /// No answer takes longer: an indirect probe within 10 s is the slowest.
    const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

    pub(crate) fn new(max: usize, counters: Arc<Counters>) -> Self {
        Self { waiting: BTreeMap::new(), asked: 0, max, counters }
    }

    /// Makes an input of a frame; `None` if it is no message, or a question beyond the bound.
    pub(crate) fn take_in(&mut self, now: Instant, arrival: Arrival<A>) -> Option<Input> {
        let Arrival { from, body, answerer, .. } = arrival;
        self.drop_forgotten(now);
        let message = match codec::decode(&body) {
            Ok(message) => message,
            Err(error) => {
                count(&self.counters.undecodable);
                tracing::warn!(%from, %error, "dropped a message that cannot be read; see whether both run the same version");
                return None;
            }
        };
        let reply_to = match answerer {
            None => None,
            Some(_) if self.waiting.len() >= self.max => {
                count(&self.counters.answers_full);
                return None;
            }
            Some(answerer) => Some(self.keep(now, answerer)),
        };
        count(&self.counters.received);
        Some(Input::Message { from, message, reply_to })
    }

    /// The question that the machine has now answered.
    pub(crate) fn answered(&mut self, to: ReplyId) -> Option<A> {
        self.waiting.remove(&to).map(|(_, answerer)| answerer)
    }

    fn keep(&mut self, now: Instant, answerer: A) -> ReplyId {
        let id = ReplyId(self.asked);
        self.asked += 1;
        self.waiting.insert(id, (now, answerer));
        id
    }

    fn drop_forgotten(&mut self, now: Instant) {
        while let Some(oldest) = self.waiting.first_entry() {
            if now.since(oldest.get().0) < Self::ANSWERED_WITHIN {
                return;
            }
            oldest.remove();
            count(&self.counters.unanswered);
        }
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_swim::Message;

    use super::*;

    fn arrival(body: Bytes) -> Arrival<u32> {
        Arrival { from: NodeId::new("a").unwrap(), body, waited: Duration::ZERO, answerer: Some(7) }
    }

    fn nack() -> Bytes {
        codec::encode(&Message::Nack { closed: false, lossy: false }).unwrap()
    }

    #[test]
    fn the_last_question_that_fits_is_kept_and_one_more_is_declined() {
        let mut questions = Questions::new(2, Arc::default());
        let reply_to = |input: Option<Input>| match input {
            Some(Input::Message { reply_to, .. }) => reply_to,
            _ => None,
        };
        assert_eq!(reply_to(questions.take_in(Instant::ORIGIN, arrival(nack()))), Some(ReplyId(0)));
        assert_eq!(reply_to(questions.take_in(Instant::ORIGIN, arrival(nack()))), Some(ReplyId(1)));
        assert_eq!(questions.take_in(Instant::ORIGIN, arrival(nack())), None);
        assert_eq!((questions.answered(ReplyId(0)), questions.answered(ReplyId(0))), (Some(7), None));
        assert!(questions.take_in(Instant::ORIGIN, arrival(nack())).is_some());
    }

    #[test]
    fn a_question_that_is_never_answered_is_forgotten_in_the_end() {
        let counters = Arc::new(Counters::default());
        let mut questions = Questions::new(1, Arc::clone(&counters));
        questions.take_in(Instant::ORIGIN, arrival(nack()));
        let later = Instant::ORIGIN + Questions::<u32>::ANSWERED_WITHIN;
        assert!(questions.take_in(later, arrival(nack())).is_some());
        assert_eq!(counters.read(&kinfolk_swim::SwimStats::default()).unanswered, 1);
    }

    #[test]
    fn what_is_no_message_is_dropped_and_counted() {
        let counters = Arc::new(Counters::default());
        let mut questions = Questions::new(1, Arc::clone(&counters));
        assert_eq!(questions.take_in(Instant::ORIGIN, arrival(Bytes::from_static(b"\xff\xff"))), None);
        assert_eq!(counters.read(&kinfolk_swim::SwimStats::default()).undecodable, 1);
    }
}
