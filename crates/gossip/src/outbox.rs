//! What goes out: every message is a task of its own, so that the driver never waits for a peer. Bounded: a task is
//! begun only where there is a permit.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_swim::{CheckId, Input, Message, NoReply, RequestId, codec};
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
    tasks: JoinSet<()>,
    /// Answers go back here. It has room for one from each permit, and the driver's own, so that it is never full.
    replies: mpsc::Sender<Input>,
    counters: Arc<Counters>,
}

impl<C: Carrier> Outbox<C> {
    /// An outbox for `max` messages at a time, and where their answers come.
    pub(crate) fn new(carrier: C, max: usize, counters: Arc<Counters>) -> (Self, mpsc::Receiver<Input>) {
        let (replies, answers) = mpsc::channel(max.max(1));
        let permits = Arc::new(Semaphore::new(max));
        (Self { carrier, permits, tasks: JoinSet::new(), replies, counters }, answers)
    }

    /// Sends one message. Returns the end of a request that could not even be begun.
    pub(crate) fn send(
        &mut self,
        to: Peer,
        message: &Message,
        request: Option<RequestId>,
        within: Duration,
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
                    let input = ask(&carrier, &to, body, request, within).await;
                    // Fails only when the driver has gone, and then nobody is waiting.
                    let _ = replies.send(input).await;
                }
                None => tell(&carrier, &to, body, within, &counters).await,
            }
            drop(permit);
        });
        None
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

    /// Answers a peer's question.
    pub(crate) fn answer(&mut self, answerer: impl Answerer, message: &Message) {
        let Some(body) = encode(message) else { return };
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return count(&self.counters.outbox_full);
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
            |error| tracing::error!(%error, "dropped a message of our own that breaks the protocol's rules"),
        )
        .ok()
}

async fn ask<C: Carrier>(carrier: &C, to: &Peer, body: Bytes, request: RequestId, within: Duration) -> Input {
    let answer = carrier.request(to, body, within).await;
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

async fn tell<C: Carrier>(carrier: &C, to: &Peer, body: Bytes, within: Duration, counters: &Counters) {
    if let Err(NoAnswer { cause, .. }) = carrier.send(to, body, within).await {
        count(&counters.undelivered);
        tracing::debug!(peer = %to, %cause, "a message was not delivered");
    }
}
