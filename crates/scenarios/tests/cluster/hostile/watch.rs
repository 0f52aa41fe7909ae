//! Looks at the views of all honest members every 50 ms.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kinfolk::{Cluster, NodeId, NodeStatus, Snapshot};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// The time between two samples.
pub(crate) const EVERY: Duration = Duration::from_millis(50);
/// How many problems are kept for the message.
const PROBLEMS_MAX: usize = 12;

/// A watch that runs until [`end`](Self::end).
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// What a watch has seen.
pub(crate) struct Seen {
    honest: Vec<Cluster>,
    liar: NodeId,
    /// Members that have left or crashed before. No view may hold them as members.
    gone: Vec<NodeId>,
    /// What each honest member has stated about itself since the watch began.
    stated: BTreeMap<NodeId, Vec<Arc<NodeStatus>>>,
    began: Instant,
    /// The views of the last sample.
    last: Vec<Arc<Snapshot>>,
    pub samples: u64,
    pub problems: Vec<String>,
}

impl Watch {
    /// Starts to watch. All honest members must know each other.
    pub(crate) fn begin(honest: Vec<Cluster>, liar: NodeId, gone: Vec<NodeId>) -> Self {
        let (stated, problems) = (BTreeMap::new(), Vec::new());
        let (began, last) = (Instant::now(), Vec::new());
        let seen = Seen { honest, liar, gone, stated, began, last, samples: 0, problems };
        let seen = Arc::new(Mutex::new(seen));
        let watched = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                watched.lock().sample();
                sleep(EVERY).await;
            }
        });
        Self { seen, task }
    }

    /// Waits for the first problem. Then the rest of an attack may be left out.
    pub(crate) async fn problem(&self) {
        while self.seen.lock().problems.is_empty() {
            sleep(EVERY).await;
        }
    }

    /// Ends the watch.
    pub(crate) async fn end(self) -> Seen {
        self.task.abort();
        // The task holds what it has seen until it has ended.
        let _aborted = self.task.await;
        Arc::into_inner(self.seen).expect("the task has ended").into_inner()
    }
}

impl Seen {
    /// How often each honest member has stated itself again.
    pub(crate) fn restatements_of_each(&self) -> impl Iterator<Item = usize> {
        self.stated.values().map(|stated| stated.len() - 1)
    }

    /// How often honest members have stated themselves again.
    pub(crate) fn restatements(&self) -> usize {
        self.stated.values().map(|stated| stated.len() - 1).sum()
    }

    /// One look at all views. No other task runs meanwhile, so all are of one moment.
    fn sample(&mut self) {
        self.samples += 1;
        let views: Vec<(NodeId, Arc<Snapshot>)> =
            self.honest.iter().map(|member| (member.id().clone(), member.members())).collect();
        // Mostly nothing has changed since the last sample.
        let is_same =
            |(before, (_, view)): (&Arc<Snapshot>, &(NodeId, Arc<Snapshot>))| Arc::ptr_eq(before, view);
        if self.last.len() == views.len() && self.last.iter().zip(&views).all(is_same) {
            return;
        }
        self.last = views.iter().map(|(_, view)| Arc::clone(view)).collect();
        for (id, view) in &views {
            let own = view.get(id).expect("a member knows itself");
            let stated = self.stated.entry(id.clone()).or_default();
            if stated.last().is_none_or(|last| last != own) {
                stated.push(Arc::clone(own));
            }
        }
        let mut problems = Vec::new();
        for (viewer, view) in &views {
            for (id, _) in &views {
                match view.get(id) {
                    None => problems.push(format!("{viewer} misses {id}")),
                    Some(entry) if !entry.state.is_member() || !is_stated(entry, &self.stated[id]) => {
                        problems.push(format!("{viewer} sees {entry:?}"));
                    }
                    Some(_) => {}
                }
            }
            for entry in view.nodes() {
                let is_gone = self.gone.contains(&entry.id) && !entry.state.is_member();
                if !is_gone && entry.id != self.liar && !self.stated.contains_key(&entry.id) {
                    problems.push(format!("{viewer} sees a member that is none: {entry:?}"));
                }
            }
        }
        let room = PROBLEMS_MAX - self.problems.len();
        let at = self.began.elapsed();
        self.problems.extend(problems.into_iter().take(room).map(|problem| format!("{at:?}: {problem}")));
    }
}

/// Whether both halves of an entry are the member's own word. The description may be older than the
/// statement, while the new one is on its way.
fn is_stated(entry: &NodeStatus, stated: &[Arc<NodeStatus>]) -> bool {
    let statement = |status: &NodeStatus| {
        let NodeStatus { addr, incarnation, description, proof, .. } = status.clone();
        (addr, incarnation, description, proof)
    };
    let description = |status: &NodeStatus| (status.about(), status.described_at, status.described_as);
    stated.iter().any(|own| statement(own) == statement(entry))
        && stated.iter().any(|own| description(own) == description(entry))
}
