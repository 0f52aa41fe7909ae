//! What goes out: every message is a task of its own, so that the driver never waits for a peer. Bounded: a task is
//! begun only where there is a permit.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_swim::{CheckId, Delivery, Input, Message, NoReply, RequestId, codec};
use kinfolk_transport::Peer;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::carrier::{Carrier, NoAnswer};
use crate::inbound::Answerer;
use crate::stats::{Counters, count};

/// How long a host may take to say that a port of it is closed: hosts that say so do it within a round trip.
const PORT_CHECKED_WITHIN: Duration = Duration::from_millis(1_200);

/// Sends for the driver. Dropping it gives up whatever is on its way.
#[derive(Debug)]
pub(crate) struct Outbox<C> {
    carrier: C,
    permits: Arc<Semaphore>,
    /// Permits for answers alone. If our own messages could use them up, a congested member would
    /// not answer probes, and its peers would declare it failed.
    answer_permits: Arc<Semaphore>,
    /// So many must be free again before it counts as clear: a quarter, so that it does not change its mind with each message.
    clear_at: u32,
    /// Whether the bound was reached and it is not clear again.
    congested: bool,
    tasks: JoinSet<()>,
    /// Answers go back here. It has room for one from each permit, and the driver's own, so that it is never full.
    replies: mpsc::Sender<Input>,
    counters: Arc<Counters>,
}

impl<C: Carrier> Outbox<C> {
    /// An outbox for `max` messages and `answers_max` answers at a time, and where the answers to
    /// those messages come.
    pub(crate) fn new(
        carrier: C,
        max: usize,
        answers_max: usize,
        counters: Arc<Counters>,
    ) -> (Self, mpsc::Receiver<Input>) {
        let (replies, answers) = mpsc::channel(max.max(1));
        let (permits, answer_permits) =
            (Arc::new(Semaphore::new(max)), Arc::new(Semaphore::new(answers_max)));
        let clear_at = u32::try_from(max.div_ceil(4)).unwrap_or(u32::MAX);
        let (tasks, congested) = (JoinSet::new(), false);
        let outbox = Self { carrier, permits, answer_permits, clear_at, congested, tasks, replies, counters };
        (outbox, answers)
    }

    /// Says once that the bound is reached, until it is [clear](Self::clear) again.
    pub(crate) fn congestion(&mut self) -> Option<Input> {
        let full = self.permits.available_permits() == 0;
        (full && !std::mem::replace(&mut self.congested, true)).then_some(Input::Congested)
    }

    /// Waits until there is room again, if the bound was reached; otherwise for ever. Every message on its way ends within
    /// its time, so the wait does too.
    ///
    /// # Cancel safety
    /// Dropping the future gives back what it has gathered.
    pub(crate) async fn clear(&mut self) -> Input {
        if !self.congested || self.permits.acquire_many(self.clear_at).await.is_err() {
            // Nothing closes the semaphore while there is an outbox.
            return std::future::pending().await;
        }
        self.congested = false;
        Input::Clear
    }

    /// Sends one message. Returns the end of a request that could not even be begun.
    pub(crate) fn send(
        &mut self,
        to: Peer,
        message: &Message,
        request: Option<RequestId>,
        delivery: Delivery,
    ) -> Option<Input> {
        let local = request.map(|request| Input::NoReply { request, why: NoReply::Local });
        let Some(body) = encode(message) else { return local };
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            count(&self.counters.outbox_full);
            return local;
        };
        count(&self.counters.sent);
        let (carrier, counters, replies) =
            (self.carrier.clone(), Arc::clone(&self.counters), self.replies.clone());
        self.spawn(async move {
            match request {
                Some(request) => {
                    let input = ask(&carrier, &to, body, request, delivery).await;
                    // Fails only when the driver has gone, and then nobody is waiting.
                    let _ = replies.send(input).await;
                }
                None => tell(&carrier, &to, body, delivery, &counters).await,
            }
            drop(permit);
        });
        None
    }

    /// Says how late this member is.
    pub(crate) fn set_lateness(&self, late: Duration) {
        self.carrier.set_lateness(late);
    }

    /// Checks a member's port. Returns the end of a check that could not even be begun, which proves nothing.
    pub(crate) fn check_port(&mut self, to: Peer, check: CheckId) -> Option<Input> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            count(&self.counters.outbox_full);
            return Some(Input::PortChecked { check, closed: false });
        };
        let (carrier, replies) = (self.carrier.clone(), self.replies.clone());
        self.spawn(async move {
            let closed = carrier.port_is_closed(&to, PORT_CHECKED_WITHIN).await;
            // Fails only when the driver has gone, and then nobody is waiting.
            let _ = replies.send(Input::PortChecked { check, closed }).await;
            drop(permit);
        });
        None
    }

    /// Answers a peer's request.
    pub(crate) fn answer(&mut self, answerer: impl Answerer, message: &Message) {
        let Some(body) = encode(message) else { return };
        let Ok(permit) = Arc::clone(&self.answer_permits).try_acquire_owned() else {
            return count(&self.counters.answers_full);
        };
        count(&self.counters.sent);
        self.spawn(async move {
            answerer.answer(body).await;
            drop(permit);
        });
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        // Takes the finished ones out, so that the set holds only what is on its way.
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(task);
    }
}

fn encode(message: &Message) -> Option<Bytes> {
    codec::encode(message)
        .inspect_err(
            |error| tracing::error!(%error, "dropped a message of this member that breaks the rules of the protocol; please report it"),
        )
        .ok()
}

async fn ask<C: Carrier>(
    carrier: &C,
    to: &Peer,
    body: Bytes,
    request: RequestId,
    delivery: Delivery,
) -> Input {
    let answer = carrier.request(to, body, delivery).await;
    let message = answer.and_then(|body| {
        codec::decode(&body).map_err(|error| NoAnswer { why: NoReply::Refused, cause: error.to_string() })
    });
    match message {
        Ok(message) => Input::Reply { request, from: to.id.clone(), message },
        Err(NoAnswer { why, cause }) => {
            tracing::debug!(peer = %to, %cause, "a request has no answer");
            Input::NoReply { request, why }
        }
    }
}

async fn tell<C: Carrier>(carrier: &C, to: &Peer, body: Bytes, delivery: Delivery, counters: &Counters) {
    if let Err(NoAnswer { cause, .. }) = carrier.send(to, body, delivery).await {
        count(&counters.undelivered);
        tracing::debug!(peer = %to, %cause, "a message was not delivered");
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{NodeAddr, NodeId};
    use kinfolk_swim::{Dial, Traffic};

    use super::*;

    /// Carries nothing until it is let go, then loses everything.
    #[derive(Debug, Clone)]
    struct Stuck(Arc<Semaphore>);

    impl Carrier for Stuck {
        async fn request(&self, _: &Peer, _: Bytes, _: Delivery) -> Result<Bytes, NoAnswer> {
            self.0.acquire().await.unwrap().forget();
            Err(NoAnswer { why: NoReply::Silent, cause: "lost".to_owned() })
        }

        async fn send(&self, to: &Peer, body: Bytes, delivery: Delivery) -> Result<(), NoAnswer> {
            self.request(to, body, delivery).await.map(drop)
        }

        fn set_lateness(&self, _: Duration) {}

        async fn port_is_closed(&self, _: &Peer, _: Duration) -> bool {
            self.0.acquire().await.unwrap().forget();
            false
        }
    }

    fn peer() -> Peer {
        Peer::new(NodeId::new("a").unwrap(), NodeAddr::new(([127, 0, 0, 1], 1).into()))
    }

    fn tell(outbox: &mut Outbox<Stuck>) {
        let message = Message::Gossip { gossip: Vec::new() };
        let delivery =
            Delivery { within: Duration::from_secs(5), dial: Dial::First, traffic: Traffic::Gossip };
        assert_eq!(outbox.send(peer(), &message, None, delivery), None);
    }

    /// Whether it is clear now; whatever could run has run.
    async fn is_clear(outbox: &mut Outbox<Stuck>) -> bool {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        tokio::select! {
            biased;
            input = outbox.clear() => input == Input::Clear,
            () = std::future::ready(()) => false,
        }
    }

    /// Answers when it is let go, and counts that it did.
    struct Answers(Stuck, Arc<Semaphore>);

    impl Answerer for Answers {
        async fn answer(self, _: Bytes) {
            self.0.0.acquire().await.unwrap().forget();
            self.1.add_permits(1);
        }
    }

    #[tokio::test]
    async fn a_full_outbox_still_answers_up_to_its_own_bound() {
        let (carrier, counters) = (Stuck(Arc::new(Semaphore::new(0))), Arc::new(Counters::default()));
        let (mut outbox, _replies) = Outbox::new(carrier.clone(), 1, 2, Arc::clone(&counters));
        tell(&mut outbox);
        assert_eq!(outbox.congestion(), Some(Input::Congested));
        let nack = Message::Nack { closed: false, lossy: false };
        let (go, answered) = (Stuck(Arc::new(Semaphore::new(0))), Arc::new(Semaphore::new(0)));
        for _ in 0..3 {
            outbox.answer(Answers(go.clone(), Arc::clone(&answered)), &nack);
        }
        let counted = counters.read(&kinfolk_swim::SwimStats::default());
        assert_eq!((counted.answers_full, counted.outbox_full), (1, 0), "the third was declined");
        go.0.add_permits(2);
        answered.acquire_many(2).await.unwrap().forget();
        assert!(!is_clear(&mut outbox).await, "answers make no room for messages");
    }

    #[tokio::test]
    async fn an_answer_does_not_congest_the_outbox() {
        let carrier = Stuck(Arc::new(Semaphore::new(0)));
        let (mut outbox, _replies) = Outbox::new(carrier.clone(), 1, 1, Arc::default());
        let nack = Message::Nack { closed: false, lossy: false };
        outbox.answer(Answers(carrier, Arc::new(Semaphore::new(0))), &nack);
        assert_eq!(outbox.congestion(), None);
    }

    #[tokio::test]
    async fn the_bound_is_told_once_and_that_it_is_clear_once_when_a_quarter_is_free() {
        let carrier = Stuck(Arc::new(Semaphore::new(0)));
        let counters = Arc::new(Counters::default());
        let (mut outbox, _replies) = Outbox::new(carrier.clone(), 8, 8, Arc::clone(&counters));
        for _ in 0..7 {
            tell(&mut outbox);
            assert_eq!(outbox.congestion(), None);
        }
        tell(&mut outbox);
        assert_eq!((outbox.congestion(), outbox.congestion()), (Some(Input::Congested), None));
        tell(&mut outbox);
        assert_eq!(counters.read(&kinfolk_swim::SwimStats::default()).outbox_full, 1, "it is a bound still");
        carrier.0.add_permits(1);
        assert!(!is_clear(&mut outbox).await, "one of eight is free");
        carrier.0.add_permits(1);
        assert!(is_clear(&mut outbox).await, "two of eight are");
        assert!(!is_clear(&mut outbox).await, "which is told once");
        tell(&mut outbox);
        assert_eq!(outbox.congestion(), None);
        tell(&mut outbox);
        assert_eq!(outbox.congestion(), Some(Input::Congested), "and so on");
    }
}
