//! Asks for certificates by their fingerprints: always the member that told of their owners, and
//! only over a connection that is open. So no address is contacted because of an unverified word.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::signed::Fingerprint;
use kinfolk_core::{Instant, NodeAddr, NodeId};
use kinfolk_swim::{Delivery, Dial, Traffic};
use kinfolk_transport::Peer;
use tokio::task::JoinSet;

use super::job::Job;
use super::wire;
use crate::carrier::Carrier;

/// How long a message waits for its certificates. Afterwards the rest of it is used.
const WAITS_AT_MOST: Duration = Duration::from_secs(3);
/// The time limit of one request.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// Meanwhile another member that tells of the same owner is not asked, too.
const ASKED_ONCE_IN: Duration = Duration::from_millis(300);
/// How many requests may run at a time, and how many of them to one peer.
const REQUESTS_MAX: usize = 16;
const PEER_REQUESTS_MAX: usize = 4;
/// For this long a peer is not asked again after it did not have a certificate that its own message
/// needs.
const UNHELPFUL_FOR: Duration = Duration::from_mins(1);
/// For this long a peer is not asked again after it did not answer.
const SILENT_FOR: Duration = Duration::from_secs(1);
/// How many unhelpful peers are remembered.
const UNHELPFUL_MAX: usize = 1_024;

/// The messages that wait for certificates, and the requests for these.
#[derive(Debug)]
pub(super) struct Fetches<C> {
    carrier: C,
    waiting: Vec<Job>,
    /// When each certificate was asked for.
    asked: HashMap<Fingerprint, Instant>,
    running: JoinSet<Fetched>,
    /// The number of running requests to each peer.
    per_peer: HashMap<NodeId, usize>,
    unhelpful: HashMap<NodeId, Instant>,
}

/// The end of a request.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) peer: NodeId,
    asked: Vec<Fingerprint>,
    /// The certificates in DER. `None` if there was no answer: the connection may have ended.
    pub(super) answer: Option<Vec<Bytes>>,
}

impl<C: Carrier> Fetches<C> {
    pub(super) fn new(carrier: C) -> Self {
        Self {
            carrier,
            waiting: Vec::new(),
            asked: HashMap::new(),
            running: JoinSet::new(),
            per_peer: HashMap::new(),
            unhelpful: HashMap::new(),
        }
    }

    /// The carrier.
    pub(super) fn carrier(&self) -> &C {
        &self.carrier
    }

    /// Whether messages wait.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether this message may wait for its certificates now. Otherwise it goes on without them.
    pub(super) fn may_wait(&self, now: Instant, job: &Job) -> bool {
        job.waits_until.is_none_or(|until| now < until)
            && self.unhelpful.get(job.peer()).is_none_or(|until| now >= *until)
    }

    /// Lets a message wait for its certificates.
    pub(super) fn wait(&mut self, now: Instant, mut job: Job) {
        job.waits_until.get_or_insert(now + WAITS_AT_MOST);
        self.waiting.push(job);
        self.ask(now);
    }

    /// Starts requests for the certificates that the waiting messages need.
    fn ask(&mut self, now: Instant) {
        self.asked.retain(|_, at| now.since(*at) < ASKED_ONCE_IN);
        for job in &self.waiting {
            let peer = job.peer();
            let is_asked = |wanted: &&Fingerprint| self.asked.contains_key(*wanted);
            let wanted: Vec<Fingerprint> =
                job.missing().iter().filter(|wanted| !is_asked(wanted)).copied().collect();
            for asked in wanted.chunks(wire::WANTED_MAX) {
                let running = self.per_peer.get(peer).copied().unwrap_or(0);
                if self.running.len() >= REQUESTS_MAX || running >= PEER_REQUESTS_MAX {
                    break;
                }
                self.asked.extend(asked.iter().map(|asked| (*asked, now)));
                *self.per_peer.entry(peer.clone()).or_default() += 1;
                self.running.spawn(fetch(self.carrier.clone(), peer.clone(), asked.to_vec()));
            }
        }
    }

    /// Waits for the end of a request. Without a request it waits forever.
    ///
    /// # Cancel safety
    /// Dropping the future loses no answer.
    pub(super) async fn next(&mut self) -> Fetched {
        loop {
            match self.running.join_next().await {
                Some(Ok(fetched)) => return fetched,
                // No task panics or is aborted while the set exists.
                Some(Err(_)) => {}
                None => return std::future::pending().await,
            }
        }
    }

    /// A request has ended. `helped`: the answer had all certificates that were asked for, or as
    /// many as fit.
    pub(super) fn ended(&mut self, now: Instant, fetched: &Fetched, helped: bool) {
        let Fetched { peer, asked, answer } = fetched;
        for fingerprint in asked {
            self.asked.remove(fingerprint);
        }
        if let Some(running) = self.per_peer.get_mut(peer) {
            *running -= 1;
            if *running == 0 {
                self.per_peer.remove(peer);
            }
        }
        let pause = match answer {
            Some(_) if helped => return,
            Some(_) => UNHELPFUL_FOR,
            // The connection has ended, or the peer is slow.
            None => SILENT_FOR,
        };
        self.unhelpful.retain(|_, until| now < *until);
        if self.unhelpful.len() < UNHELPFUL_MAX {
            self.unhelpful.insert(peer.clone(), now + pause);
        }
    }

    /// Takes out the messages that need not wait any more: `has` says which certificates are known
    /// now. Asks for what the others need.
    pub(super) fn ready(&mut self, now: Instant, has: impl Fn(&Fingerprint) -> bool) -> Vec<Job> {
        let (waiting, ready) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|job| self.may_wait(now, job) && !job.missing().iter().all(&has));
        self.waiting = waiting;
        self.forget_known(has);
        self.ask(now);
        ready
    }

    fn forget_known(&mut self, has: impl Fn(&Fingerprint) -> bool) {
        for job in &mut self.waiting {
            job.forget_missing(&has);
        }
    }
}

impl Fetched {
    /// The fingerprints that were asked for.
    pub(super) fn asked(&self) -> HashSet<Fingerprint> {
        self.asked.iter().copied().collect()
    }
}

async fn fetch<C: Carrier>(carrier: C, peer: NodeId, asked: Vec<Fingerprint>) -> Fetched {
    let delivery =
        Delivery { within: ANSWERED_WITHIN, dial: Dial::Never, traffic: Traffic::Other, prompt: true };
    // The address is not used: an open connection is found by the name.
    let to = Peer::new(peer.clone(), NodeAddr::new(([0, 0, 0, 0], 0).into()));
    let answer = carrier.request(&to, wire::want(&asked), delivery).await.ok();
    // An answer that cannot be decoded has no certificates.
    let answer = answer.map(|body| wire::read_certificates(&body).unwrap_or_default());
    Fetched { peer, asked, answer }
}
