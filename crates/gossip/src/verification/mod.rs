//! Verifies what members have signed, before the machine sees it. It runs in a task of its own: a
//! signature takes 50 us, and the driver must not wait for it.
//!
//! ```text
//!                        all known already
//!   driver ── admit ──┬──────────────────────────────────────────────> machine
//!                     └─> queue.rs ──> task.rs ──┬─ proved ──────────> machine
//!                         each peer its share    ├─ forged ──────────> refused as a whole
//!                                                └─ no certificate ──> fetch.rs asks the sender
//! ```
//!
//! A message waits here only while it has something new in it. What the registry holds, and what
//! was verified a short time ago (`recent.rs`), costs no signature.

mod certificates;
mod fetch;
mod job;
mod known;
mod queue;
mod recent;
mod report;
mod task;
#[cfg(test)]
mod tests;
mod verifier;
pub(crate) mod wire;

use std::sync::Arc;

use kinfolk_core::signed::{Unverified, Verified};
use kinfolk_core::{NodeId, RegistryView};
use kinfolk_swim::{Input, Message, ReplyId, RequestId};
use kinfolk_transport::{Authorities, Certificate, NodeIdentity, RevokedCertificates, WallClock};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::carrier::Carrier;
use crate::clock::Clock;
use crate::stats::{Counters, count};
pub use certificates::Certificates;
use fetch::Fetches;
use job::Job;
use known::is_known;
use queue::Queue;
use recent::Recent;
use report::Report;
use task::Task;
pub use verifier::Verifier;

/// How many verified messages may wait for the driver. The driver takes them before the messages of
/// peers, so few wait.
const VERIFIED_MAX: usize = 64;

/// A decoded message whose signed items are not verified.
#[derive(Debug)]
pub(crate) struct Unchecked {
    /// The sender: the name in the certificate of its connection.
    pub from: NodeId,
    pub message: Unverified<Message>,
    /// The length of its encoding.
    pub bytes: usize,
    pub then: Then,
    /// The certificate of the sender's connection, if it is known.
    pub certificate: Option<Arc<Certificate>>,
}

/// What a message is once it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// A message of a peer, and the request that it waits with, if it is one.
    Message(Option<ReplyId>),
    /// The answer to this request.
    Reply(RequestId),
}

impl Then {
    /// The input of a verified message.
    fn input(self, from: NodeId, message: Verified<Message>) -> Input {
        match self {
            Self::Message(reply_to) => Input::Message { from, message, reply_to },
            Self::Reply(request) => Input::Reply { request, from, message },
        }
    }
}

/// The end of a message that waited.
#[derive(Debug)]
pub(crate) enum Checked {
    /// Each signed item in it is verified.
    Proved(Input),
    /// An item in a message of this peer is forged. Nothing of the message is used.
    Forged(NodeId, Then),
}

/// The result of [`Verification::admit`].
#[derive(Debug)]
pub(crate) enum Admitted {
    /// The message has nothing that must be verified.
    Proved(Input),
    /// The message waits for its verification.
    Waiting,
    /// The sender has used up its share, so the message was dropped.
    Dropped(Then),
}

/// The driver's side of the verification. Dropping it ends the task.
#[derive(Debug)]
pub(crate) struct Verification {
    registry: RegistryView,
    queue: Arc<Mutex<Queue<Job>>>,
    arrived: Arc<Notify>,
    checked: mpsc::Receiver<Checked>,
    clock: Clock,
    counters: Arc<Counters>,
    authorities: watch::Sender<Authorities>,
    _task: JoinSet<()>,
}

impl Verification {
    /// Starts the task.
    pub(crate) fn start<C: Carrier>(
        identity: &NodeIdentity,
        (registry, certificates): (RegistryView, Certificates),
        carrier: C,
        (clock, certificate_clock, counters): (Clock, WallClock, Arc<Counters>),
        revoked: RevokedCertificates,
    ) -> Self {
        let (queue, arrived) = (Arc::new(Mutex::new(Queue::default())), Arc::new(Notify::new()));
        let (sender, checked) = mpsc::channel(VERIFIED_MAX);
        let (authorities, trusted) = watch::channel(identity.authorities());
        let work = Task {
            authorities: trusted,
            verifier: Verifier::new(identity, certificates).by_clock(certificate_clock).without(revoked),
            registry: registry.clone(),
            recent: Recent::default(),
            fetches: Fetches::new(carrier),
            report: Report::default(),
            queue: Arc::clone(&queue),
            arrived: Arc::clone(&arrived),
            checked: sender,
            clock,
            counters: Arc::clone(&counters),
        };
        let mut task = JoinSet::new();
        task.spawn(work.run());
        Self { registry, queue, arrived, checked, clock, counters, authorities, _task: task }
    }

    /// Other authorities are trusted from now on. Soon, certificates of others are not known any
    /// more.
    pub(crate) fn trust(&self, authorities: Authorities) {
        self.authorities.send_if_modified(|known| {
            let differ = known.trust() != authorities.trust();
            *known = authorities;
            differ
        });
    }

    /// Takes in a message. Verifies nothing itself.
    pub(crate) fn admit(&self, unchecked: Unchecked) -> Admitted {
        let Unchecked { from, message, bytes, then, certificate } = unchecked;
        let message = match message.verified_before(|item| is_known(&self.registry, item)) {
            Ok(verified) => return Admitted::Proved(then.input(from, verified)),
            Err(message) => message,
        };
        let peer = from.clone();
        let job = Job::new(Unchecked { from, message, bytes, then, certificate });
        match self.queue.lock().push(self.clock.now(), peer, bytes, job) {
            Ok(()) => {
                self.arrived.notify_one();
                Admitted::Waiting
            }
            Err(job) => {
                count(&self.counters.unverified_dropped);
                Admitted::Dropped(job.unchecked.then)
            }
        }
    }

    /// Waits for the next message whose verification has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub(crate) async fn next(&mut self) -> Option<Checked> {
        self.checked.recv().await
    }
}
