//! A member with the library embedded, for the case `rotation`: a process that talks to all others
//! over application streams, all the time, and reads its certificate files again when they change.
//! The scenario starts it in a namespace of its own, by a hidden command of this program.
//!
//! It answers each line on its standard input with one on its standard output.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kinfolk::{Cluster, ClusterConfig, ClusterEvent, NodeId, NodeIdentity, NodeState, Subscription};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::sleep;

use super::calls::{Calls, Tally};

/// How often it looks at its certificate files.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);

/// The files and addresses of a member.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Its certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The certificates of the authorities that it trusts.
    pub ca: PathBuf,
    /// The address on which it listens.
    pub listen: SocketAddr,
    /// The addresses of all others.
    pub join: Vec<String>,
    /// The names of all others.
    pub peers: Vec<NodeId>,
}

/// A line on the standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// The answer is a [`Report`].
    Report,
    /// From now on no call begins. The streams that are open for long end as soon as they may, and
    /// then the answer is a [`Report`].
    EndCalls,
}

impl Ask {
    pub(super) const ALL: [Self; 2] = [Self::Report, Self::EndCalls];

    pub(super) fn line(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::EndCalls => "end calls",
        }
    }
}

/// What a member says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    /// Its name.
    pub(super) name: String,
    /// The live members, itself included.
    pub(super) alive: Vec<String>,
    /// The fingerprint of its certificate.
    pub(super) certificate: String,
    /// How many authorities it trusts.
    pub(super) authorities: usize,
    /// The certificate of each other member, by that member's latest statement.
    pub(super) known: BTreeMap<String, String>,
    /// The peer of each open connection, and its certificate in the handshake.
    pub(super) connections: Vec<(String, String)>,
    /// Events that a member is suspect, failed, or distrusted, in words.
    pub(super) alarms: Vec<String>,
    /// Its counters of suspicions and failures: all must be zero.
    pub(super) alarm_counters: BTreeMap<String, u64>,
    /// How often it replaced its identity.
    pub(super) rotations: u64,
    /// The calls of its application.
    pub(super) calls: Tally,
}

/// Starts the member, and answers until the input ends.
///
/// # Errors
/// A file cannot be used, the address is not free, or the member cannot join.
pub fn embedded(options: EmbeddedOptions) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(options))
}

async fn run(options: EmbeddedOptions) -> Result<()> {
    let config = ClusterConfig::new(options.identity()?, options.listen);
    let cluster = Cluster::start(config)?;
    let events = cluster.subscribe();
    // All members start at the same moment, so the first attempts may find nobody.
    cluster.join(&options.join).await?;
    let calls = Calls::start(&cluster, &options.peers)?;
    let mut member = Answers { cluster: cluster.clone(), events, alarms: Vec::new(), calls };
    tokio::select! {
        rotated = follow_files(&cluster, &options) => rotated,
        answered = member.answer() => answered,
    }
}

impl EmbeddedOptions {
    fn identity(&self) -> Result<NodeIdentity> {
        let read =
            |path: &PathBuf| fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
        Ok(NodeIdentity::from_pem(&read(&self.cert)?, &read(&self.key)?, &read(&self.ca)?)?)
    }
}

/// Uses the files as they change. Returns only with an error.
async fn follow_files(cluster: &Cluster, options: &EmbeddedOptions) -> Result<()> {
    loop {
        sleep(LOOKED_AT_EVERY).await;
        // While the files are replaced one after the other, they do not fit together.
        let Ok(identity) = options.identity() else { continue };
        let current = cluster.identity();
        if identity.cert_pem() != current.cert_pem() || identity.ca_pem() != current.ca_pem() {
            cluster.rotate(identity).await?;
        }
    }
}

/// Answers the lines on the standard input.
struct Answers {
    cluster: Cluster,
    events: Subscription,
    alarms: Vec<String>,
    calls: Arc<Calls>,
}

impl Answers {
    async fn answer(&mut self) -> Result<()> {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            let Some(ask) = Ask::ALL.into_iter().find(|ask| ask.line() == line) else {
                bail!("the line {line:?} is no question");
            };
            if ask == Ask::EndCalls {
                self.calls.end().await;
            }
            println!("{}", serde_json::to_string(&self.report())?);
        }
        self.cluster.leave().await?;
        Ok(())
    }

    fn report(&mut self) -> Report {
        while let Some(event) = self.events.try_recv() {
            if is_alarm(&event) {
                self.alarms.push(format!("{event:?}"));
            }
        }
        let (members, identity) = (self.cluster.members(), self.cluster.identity());
        let alive = members.members().filter(|node| node.state == NodeState::Alive);
        let others = members.members().filter(|node| node.id != *self.cluster.id());
        let stats = self.cluster.stats();
        let (swim, changes) = (stats.gossip.swim, stats.gossip.swim.changes);
        let counters = [
            ("suspicions", swim.suspicions),
            ("failures", swim.failures),
            ("suspected", changes.suspected),
            ("failed", changes.failed.iter().sum()),
            ("left", changes.left),
            ("forged", stats.gossip.forged),
            ("events_dropped", stats.events_dropped),
        ];
        let connections = stats.pool.connections.iter();
        Report {
            name: self.cluster.id().to_string(),
            alive: alive.map(|node| node.id.to_string()).collect(),
            certificate: identity.certificate().fingerprint().to_string(),
            authorities: identity.authorities().trust().len(),
            known: others.map(|node| (node.id.to_string(), node.proof.certificate.to_string())).collect(),
            connections: connections
                .filter_map(|conn| Some((conn.peer.to_string(), conn.certificate?.to_string())))
                .collect(),
            alarms: self.alarms.clone(),
            alarm_counters: counters.map(|(name, value)| (name.to_owned(), value)).into(),
            rotations: stats.transport.rotations,
            calls: self.calls.tally(),
        }
    }
}

/// Whether a member that runs may never cause this event.
fn is_alarm(event: &ClusterEvent) -> bool {
    use ClusterEvent as E;
    matches!(
        event,
        E::NodeSuspected { .. } | E::NodeFailed { .. } | E::NodeLeft { .. } | E::MemberDistrusted { .. }
    )
}
