//! Sent messages. Each message has its own task, so that the driver never waits for a peer. Each
//! task needs a permit, which bounds their number.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::Fill;
use kinfolk_core::signed::Revocation;
use kinfolk_swim::{CheckId, CodecError, Delivery, Input, Message, NoReply, RequestId, codec};
use kinfolk_transport::Peer;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::carrier::{Carrier, NoAnswer};
use crate::inbound::Answerer;
use crate::stats::{Counters, GossipQueues, count};
use crate::verification::{Then, Unchecked};

/// The time limit of a port check. Linux sends "port unreachable" to one address only once a second
/// after the first few (`icmp_ratelimit`). So 1.2 s: one such interval, plus a round trip.
const PORT_CHECK_TIMEOUT: Duration = Duration::from_millis(1_200);

/// Sends messages for the driver. Dropping it cancels all messages that are on their way.
#[derive(Debug)]
pub(crate) struct Outbox<C> {
    carrier: C,
    permits: Permits,
    /// Back-pressure ends when this many permits are free: a quarter of the bound. With a single
    /// permit, back-pressure would begin and end with each message.
    free_at_end: u32,
    /// True from when the last permit is taken until `free_at_end` permits are free.
    back_pressure: bool,
    tasks: JoinSet<()>,
    /// Carries the ends of requests to the driver. It has as much room as there are permits. A task
    /// that finds it full waits, and keeps its permit.
    replies: mpsc::Sender<End>,
    counters: Arc<Counters>,
}

/// The permits of an outbox. A clone shows how many are taken.
#[derive(Debug, Clone)]
pub(crate) struct Permits {
    messages: Arc<Semaphore>,
    messages_max: usize,
    /// Permits for answers only. If this member's own messages could use them up, a member under
    /// back-pressure would not answer probes, and its peers would declare it failed.
    answers: Arc<Semaphore>,
    answers_max: usize,
}

impl Permits {
    fn new(messages_max: usize, answers_max: usize) -> Self {
        let (messages, answers) =
            (Arc::new(Semaphore::new(messages_max)), Arc::new(Semaphore::new(answers_max)));
        Self { messages, messages_max, answers, answers_max }
    }

    /// How many messages and answers are on their way, in the queues of the driver.
    pub(crate) fn queues(&self) -> GossipQueues {
        GossipQueues {
            outbox: Fill::with_room(self.messages_max, self.messages.available_permits()),
            answers: Fill::with_room(self.answers_max, self.answers.available_permits()),
            ..GossipQueues::default()
        }
    }
}

/// The end of a request.
#[derive(Debug)]
pub(crate) enum End {
    /// An answer, which must be verified.
    Answered(Unchecked),
    /// It has no answer, or is no request to a member.
    Input(Input),
}

impl<C: Carrier> Outbox<C> {
    /// Returns an outbox for `max` messages and `answers_max` answers at a time, and the channel
    /// that receives the ends of its requests.
    pub(crate) fn new(
        carrier: C,
        max: usize,
        answers_max: usize,
        counters: Arc<Counters>,
    ) -> (Self, mpsc::Receiver<End>) {
        let (replies, answers) = mpsc::channel(max.max(1));
        let permits = Permits::new(max, answers_max);
        let free_at_end = u32::try_from(max.div_ceil(4)).unwrap_or(u32::MAX);
        let outbox = Self {
            carrier,
            permits,
            free_at_end,
            back_pressure: false,
            tasks: JoinSet::new(),
            replies,
            counters,
        };
        (outbox, answers)
    }

    /// The permits, to see how many are taken.
    pub(crate) fn permits(&self) -> Permits {
        self.permits.clone()
    }

    /// Returns an input once when all permits are taken, and not again until
    /// [back-pressure ends](Self::back_pressure_ends).
    pub(crate) fn back_pressure_begins(&mut self) -> Option<Input> {
        let full = self.permits.messages.available_permits() == 0;
        (full && !std::mem::replace(&mut self.back_pressure, true)).then_some(Input::BackPressure)
    }

    /// Waits until back-pressure ends. Without back-pressure it waits forever, so that the driver
    /// can always select on it. Each message ends within its own time limit, so back-pressure ends
    /// too.
    ///
    /// # Cancel safety
    /// Dropping the future returns the permits that it holds.
    pub(crate) async fn back_pressure_ends(&mut self) -> Input {
        if !self.back_pressure || self.permits.messages.acquire_many(self.free_at_end).await.is_err() {
            // The error does not occur: nothing closes the semaphore while the outbox exists.
            return std::future::pending().await;
        }
        self.back_pressure = false;
        Input::BackPressureEnded
    }

    /// Starts to send one message. Returns the end of a request that could not start: the message
    /// does not encode, or the outbox is full.
    pub(crate) fn send(
        &mut self,
        to: Peer,
        message: &Message,
        request: Option<RequestId>,
        delivery: Delivery,
    ) -> Option<Input> {
        let local = request.map(|request| Input::NoReply { request, why: NoReply::Local });
        let Some(body) = encode(message) else { return local };
        let Ok(permit) = Arc::clone(&self.permits.messages).try_acquire_owned() else {
            count(&self.counters.outbox_full);
            return local;
        };
        count(&self.counters.sent);
        let (carrier, counters, replies) =
            (self.carrier.clone(), Arc::clone(&self.counters), self.replies.clone());
        self.spawn(async move {
            match request {
                Some(request) => {
                    let end = send_request(&carrier, &to, body, request, delivery).await;
                    // Fails only when the driver has ended. Then no caller waits for the reply.
                    let _ = replies.send(end).await;
                }
                None => send_one_way(&carrier, &to, body, delivery, &counters).await,
            }
            // Released only when the reply is in the channel. So a slow driver, which leaves the
            // channel full, sends no further messages.
            drop(permit);
        });
        None
    }

    /// The carrier refuses the certificates that this revocation covers.
    pub(crate) fn revoke(&self, revocation: &Revocation) {
        self.carrier.revoke(revocation);
    }

    /// Reports to the carrier how late this member is.
    pub(crate) fn set_lateness(&self, late: Duration) {
        self.carrier.set_lateness(late);
    }

    /// Starts to check a member's port. Returns the end of a check that could not start because the
    /// outbox is full. `closed: false` proves nothing.
    pub(crate) fn check_port(&mut self, to: Peer, check: CheckId) -> Option<Input> {
        let Ok(permit) = Arc::clone(&self.permits.messages).try_acquire_owned() else {
            count(&self.counters.outbox_full);
            return Some(Input::PortChecked { check, closed: false });
        };
        let (carrier, replies) = (self.carrier.clone(), self.replies.clone());
        self.spawn(async move {
            let closed = carrier.port_is_closed(&to, PORT_CHECK_TIMEOUT).await;
            // Fails only when the driver has ended. Then no caller waits for the result.
            let _ = replies.send(End::Input(Input::PortChecked { check, closed })).await;
            drop(permit);
        });
        None
    }

    /// Starts to answer a peer's request. At the bound, drops the answerer: the peer learns at once
    /// that its request was declined.
    pub(crate) fn answer(&mut self, answerer: impl Answerer, message: &Message) {
        if let Some(body) = encode(message) {
            self.answer_with(answerer, body);
        }
    }

    /// As [`answer`](Self::answer), with an encoded message.
    pub(crate) fn answer_with(&mut self, answerer: impl Answerer, body: Bytes) {
        let Ok(permit) = Arc::clone(&self.permits.answers).try_acquire_owned() else {
            return count(&self.counters.answers_full);
        };
        count(&self.counters.sent);
        self.spawn(async move {
            answerer.answer(body).await;
            drop(permit);
        });
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        // Removes the finished tasks. A `JoinSet` keeps them otherwise, and would grow without
        // bound.
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(task);
    }
}

fn encode(message: &Message) -> Option<Bytes> {
    codec::encode(message)
        .inspect_err(|error| {
            // The machine made a message that breaks a bound of the wire format. This is a bug in
            // Kinfolk. What to do: report it, with this line.
            tracing::error!(
                %error,
                "dropped a message of this member: it breaks a rule of the wire format; this is a bug, \
                 please report it"
            );
        })
        .ok()
}

async fn send_request<C: Carrier>(
    carrier: &C,
    to: &Peer,
    body: Bytes,
    request: RequestId,
    delivery: Delivery,
) -> End {
    let answer = carrier.request(to, body, delivery).await;
    let message = answer.and_then(|body| {
        // The peer's process runs, but its answer is not valid. So `Refused`, not `Silent`.
        let refused = |error: CodecError| NoAnswer { why: NoReply::Refused, cause: error.to_string() };
        Ok((codec::decode(&body).map_err(refused)?, body.len()))
    });
    match message {
        Ok((message, bytes)) => {
            let (from, then) = (to.id.clone(), Then::Reply(request));
            let certificate = carrier.certificate_of(&to.id);
            End::Answered(Unchecked { from, message, bytes, then, certificate })
        }
        Err(NoAnswer { why, cause }) => {
            // A probe or another request to a peer failed. The machine takes it as evidence and
            // goes on: it may ask helpers, or suspect the peer. What to do: nothing. If one peer
            // has many such lines, look at `cause`.
            tracing::debug!(peer = %to, %cause, "a request has no answer");
            End::Input(Input::NoReply { request, why })
        }
    }
}

async fn send_one_way<C: Carrier>(
    carrier: &C,
    to: &Peer,
    body: Bytes,
    delivery: Delivery,
    counters: &Counters,
) {
    if let Err(NoAnswer { cause, .. }) = carrier.send(to, body, delivery).await {
        count(&counters.undelivered);
        // A one-way message did not arrive. Probes and other members carry the same updates to the
        // peer. What to do: nothing.
        tracing::debug!(peer = %to, %cause, "a message was not delivered");
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{NodeAddr, NodeId};
    use kinfolk_swim::{Dial, Traffic};
    use kinfolk_transport::Certificate;

    use super::*;

    /// A carrier that holds each message until it has a permit, and then drops it.
    #[derive(Debug, Clone)]
    struct Stuck(Arc<Semaphore>);

    impl Carrier for Stuck {
        async fn request(&self, _: &Peer, _: Bytes, _: Delivery) -> Result<Bytes, NoAnswer> {
            self.0.acquire().await.unwrap().forget();
            Err(NoAnswer { why: NoReply::Silent, cause: "dropped".to_owned() })
        }

        async fn send(&self, to: &Peer, body: Bytes, delivery: Delivery) -> Result<(), NoAnswer> {
            self.request(to, body, delivery).await.map(drop)
        }

        fn certificate_of(&self, _: &NodeId) -> Option<Arc<Certificate>> {
            None
        }

        fn renewed(&self, _: &Certificate) {}

        fn revoke(&self, _: &Revocation) {}

        fn set_lateness(&self, _: Duration) {}

        async fn port_is_closed(&self, _: &Peer, _: Duration) -> bool {
            self.0.acquire().await.unwrap().forget();
            false
        }
    }

    fn peer() -> Peer {
        Peer::new(NodeId::new("a").unwrap(), NodeAddr::new(([127, 0, 0, 1], 1).into()))
    }

    fn send_gossip(outbox: &mut Outbox<Stuck>) {
        let message = Message::Gossip { gossip: Vec::new() };
        let delivery = Delivery {
            within: Duration::from_secs(5),
            dial: Dial::First,
            traffic: Traffic::Gossip,
            prompt: false,
        };
        assert_eq!(outbox.send(peer(), &message, None, delivery), None);
    }

    /// Whether back-pressure ends now, after every task that can run has run.
    async fn has_ended(outbox: &mut Outbox<Stuck>) -> bool {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        tokio::select! {
            biased;
            input = outbox.back_pressure_ends() => input == Input::BackPressureEnded,
            () = std::future::ready(()) => false,
        }
    }

    /// An answerer that waits for a permit, and then counts its answer.
    struct Answers(Stuck, Arc<Semaphore>);

    impl Answerer for Answers {
        async fn answer(self, _: Bytes) {
            self.0.0.acquire().await.unwrap().forget();
            self.1.add_permits(1);
        }
    }

    #[tokio::test]
    async fn full_outbox_still_sends_answers() {
        let (carrier, counters) = (Stuck(Arc::new(Semaphore::new(0))), Arc::new(Counters::default()));
        let (mut outbox, _replies) = Outbox::new(carrier.clone(), 1, 2, Arc::clone(&counters));
        send_gossip(&mut outbox);
        assert_eq!(outbox.back_pressure_begins(), Some(Input::BackPressure));
        let nack = Message::Nack { closed: false, lossy: false, accusation: None };
        let (go, answered) = (Stuck(Arc::new(Semaphore::new(0))), Arc::new(Semaphore::new(0)));
        for _ in 0..3 {
            outbox.answer(Answers(go.clone(), Arc::clone(&answered)), &nack);
        }
        let queues = outbox.permits().queues();
        let full = |max| Fill { used: max, max };
        assert_eq!((queues.outbox, queues.answers), (full(1), full(2)));
        let counted = counters.read(&kinfolk_swim::SwimStats::default(), queues);
        assert_eq!((counted.answers_full, counted.outbox_full), (1, 0), "the third was declined");
        go.0.add_permits(2);
        answered.acquire_many(2).await.unwrap().forget();
        assert!(!has_ended(&mut outbox).await, "permits of answers are not free for messages");
    }

    #[tokio::test]
    async fn answer_causes_no_back_pressure() {
        let carrier = Stuck(Arc::new(Semaphore::new(0)));
        let (mut outbox, _replies) = Outbox::new(carrier.clone(), 1, 1, Arc::default());
        let nack = Message::Nack { closed: false, lossy: false, accusation: None };
        outbox.answer(Answers(carrier, Arc::new(Semaphore::new(0))), &nack);
        assert_eq!(outbox.back_pressure_begins(), None);
    }

    /// Both the beginning and the end of back-pressure are reported once.
    #[tokio::test]
    async fn back_pressure_ends_when_a_quarter_is_free() {
        let carrier = Stuck(Arc::new(Semaphore::new(0)));
        let counters = Arc::new(Counters::default());
        let (mut outbox, _replies) = Outbox::new(carrier.clone(), 8, 8, Arc::clone(&counters));
        for _ in 0..7 {
            send_gossip(&mut outbox);
            assert_eq!(outbox.back_pressure_begins(), None);
        }
        send_gossip(&mut outbox);
        assert_eq!(
            (outbox.back_pressure_begins(), outbox.back_pressure_begins()),
            (Some(Input::BackPressure), None)
        );
        send_gossip(&mut outbox);
        assert_eq!(
            counters.read(&kinfolk_swim::SwimStats::default(), GossipQueues::default()).outbox_full,
            1,
            "the bound still holds"
        );
        carrier.0.add_permits(1);
        assert!(!has_ended(&mut outbox).await, "one of eight is free");
        carrier.0.add_permits(1);
        assert!(has_ended(&mut outbox).await, "two of eight are free");
        assert!(!has_ended(&mut outbox).await, "the end is reported once");
        send_gossip(&mut outbox);
        assert_eq!(outbox.back_pressure_begins(), None);
        send_gossip(&mut outbox);
        assert_eq!(outbox.back_pressure_begins(), Some(Input::BackPressure), "back-pressure can begin again");
    }
}
