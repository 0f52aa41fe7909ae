//! The application of an embedded member: it calls all other members all the time, and counts its
//! calls. A call is a new stream with a question and its answer, or a question and its answer on a
//! stream that stays open.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use kinfolk::{AppStream, Cluster, Listener, NodeId};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The service that each member offers.
const SERVICE: &str = "echo";
/// The time between two calls of a task. Each member has two tasks for each other member.
const APART: Duration = Duration::from_millis(200);
/// At most this many failures are kept, each in words. All are counted.
const FAILURES_KEPT: usize = 20;

/// The calls so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// The tasks that have had an answer: in the end two for each other member.
    pub(super) answered: usize,
    /// Calls on a stream of their own that were answered.
    pub(super) short: u64,
    /// Calls on a stream that stays open that were answered.
    pub(super) long: u64,
    /// Calls that failed, on either kind of stream.
    pub(super) failed: u64,
    /// The first of them, in words.
    pub(super) failures: Vec<String>,
}

/// The running calls.
pub(super) struct Calls {
    tally: Mutex<Tally>,
    ending: watch::Sender<bool>,
    /// Closed when the last calling task has ended.
    running: Semaphore,
}

impl Calls {
    /// Serves the calls of others, and calls each of `peers`.
    pub(super) fn start(cluster: &Cluster, peers: &[NodeId]) -> Result<Arc<Self>> {
        tokio::spawn(serve(cluster.accept(SERVICE)?));
        let calls = Arc::new(Self {
            tally: Mutex::default(),
            ending: watch::Sender::new(false),
            running: Semaphore::new(0),
        });
        let mut tasks = JoinSet::new();
        for peer in peers {
            for kind in [Kind::Short, Kind::Long] {
                let (caller, calls) = (Caller::new(cluster, peer, kind), Arc::clone(&calls));
                tasks.spawn(async move { caller.run(&calls).await });
            }
        }
        let ended = Arc::clone(&calls);
        tokio::spawn(async move {
            tasks.join_all().await;
            ended.running.close();
        });
        Ok(calls)
    }

    /// Lets the running calls end, and begins no more.
    pub(super) async fn end(&self) {
        self.ending.send_replace(true);
        // The error is the end that it waits for.
        let _closed = self.running.acquire().await;
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally.lock().clone()
    }

    fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    fn count(&self, caller: &Caller, outcome: &Result<()>) {
        let mut tally = self.tally.lock();
        match (outcome, caller.kind) {
            (Ok(()), Kind::Short) => tally.short += 1,
            (Ok(()), Kind::Long) => tally.long += 1,
            (Err(error), kind) => {
                tally.failed += 1;
                if tally.failures.len() < FAILURES_KEPT {
                    tally.failures.push(format!("a {kind:?} call to {}: {error:#}", caller.peer));
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Short,
    Long,
}

/// One task that calls one member.
struct Caller {
    cluster: Cluster,
    peer: NodeId,
    kind: Kind,
    number: u64,
}

impl Caller {
    fn new(cluster: &Cluster, peer: &NodeId, kind: Kind) -> Self {
        Self { cluster: cluster.clone(), peer: peer.clone(), kind, number: 0 }
    }

    async fn run(mut self, calls: &Calls) {
        let (mut open, mut is_reached) = (None, false);
        while !calls.is_ending() {
            let outcome = self.call(&mut open).await;
            // Until its first answer the peer may not have joined, or not serve calls yet.
            if !is_reached && outcome.is_ok() {
                is_reached = true;
                calls.tally.lock().answered += 1;
            }
            if is_reached {
                calls.count(&self, &outcome);
            }
            sleep(APART).await;
        }
        if let Some(stream) = open {
            let outcome = finish(stream).await;
            if outcome.is_err() {
                calls.count(&self, &outcome);
            }
        }
    }

    /// Calls once. After a failure no stream is open.
    async fn call(&mut self, open: &mut Option<AppStream>) -> Result<()> {
        self.number += 1;
        let question = Bytes::from(self.number.to_be_bytes().to_vec());
        let mut stream = match open.take() {
            Some(stream) => stream,
            None => self.cluster.open_stream(&self.peer, SERVICE).await?,
        };
        stream.send(question.clone()).await?;
        let mut answer = Vec::new();
        while answer.len() < question.len() {
            let Some(piece) = stream.receive().await? else { break };
            answer.extend_from_slice(&piece);
        }
        ensure!(answer == question, "the answer is {answer:?} and not {question:?}");
        match self.kind {
            Kind::Short => finish(stream).await?,
            Kind::Long => *open = Some(stream),
        }
        Ok(())
    }
}

/// Ends a stream, and waits for the end of the other direction.
async fn finish(mut stream: AppStream) -> Result<()> {
    stream.finish()?;
    let after = stream.receive().await?;
    ensure!(after.is_none(), "{after:?} came after the last answer");
    Ok(())
}

/// Sends back what comes, on each stream.
async fn serve(mut listener: Listener) {
    let mut served = JoinSet::new();
    while let Some((_, mut stream)) = listener.accept().await {
        while served.try_join_next().is_some() {}
        served.spawn(async move {
            // The caller counts a failure.
            while let Ok(Some(piece)) = stream.receive().await {
                if stream.send(piece).await.is_err() {
                    return;
                }
            }
            let _ended = stream.finish();
        });
    }
}
