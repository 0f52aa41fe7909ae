//! Members in one process on loopback, and what all of them have done so far.

use std::time::Duration;

use anyhow::{Context as _, Result};
use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterEvent, ClusterId, NodeId, NodeState, Subscription};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::bulk::{self, Bulk};
use crate::host::cpu_time;

/// An IP and a UDP header, which the transport does not count.
const HEADERS: u64 = 28;

/// How exactly it is seen when all see all.
const LOOKED_EVERY: Duration = Duration::from_millis(5);

/// Beyond what anything here takes on the slowest machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Members of one cluster.
pub(super) struct Group {
    members: Vec<Cluster>,
}

/// What a group has done since it began, in total, and what it holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) at: Duration,
    /// Sent, with headers.
    pub(super) bytes: u64,
    pub(super) datagrams: u64,
    /// At both ends.
    pub(super) handshakes: u64,
    pub(super) connections: usize,
    pub(super) cpu: Duration,
    /// Of the bytes: for handshakes, probes, gossip, comparisons, port checks, and all else.
    pub(super) sent_for: [f64; 6],
}

impl Group {
    /// So many members that have not joined.
    pub(super) fn start(count: usize) -> Result<Self> {
        let ca = ClusterCa::create(&ClusterId::new("bench")?)?;
        let start = |n: usize| -> Result<Cluster> {
            let identity = ca.issue(&NodeId::new(&format!("n{n}"))?, Duration::from_hours(24))?;
            Ok(Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?)
        };
        Ok(Self { members: (0..count).map(start).collect::<Result<_>>()? })
    }

    /// All join at once through the first. Gives the time until all see all.
    pub(super) async fn join(&self) -> Result<Duration> {
        let begun = Instant::now();
        let (seed, others) = self.members.split_first().context("a group has a member")?;
        let seed = seed.addr().to_string();
        let mut joins = JoinSet::new();
        for member in others {
            let (member, seed) = (member.clone(), seed.clone());
            joins.spawn(async move { member.join(&[seed]).await });
        }
        let whole = async {
            while !self.is_whole() {
                sleep(LOOKED_EVERY).await;
            }
        };
        timeout(LIMIT, whole).await.context("the group does not form within a minute")?;
        let took = begun.elapsed();
        for joined in joins.join_all().await {
            joined?;
        }
        Ok(took)
    }

    fn is_whole(&self) -> bool {
        let alive = |member: &Cluster| {
            member.members().members().filter(|node| node.state == NodeState::Alive).count()
        };
        self.members.iter().all(|member| alive(member) == self.members.len())
    }

    /// What was done so far; `since` is when the group began.
    pub(super) fn totals(&self, since: Instant) -> Totals {
        let mut totals = Totals { at: since.elapsed(), cpu: cpu_time(), ..Totals::default() };
        for member in &self.members {
            let stats = member.stats();
            totals.bytes += stats.transport.udp_bytes_sent + HEADERS * stats.transport.datagrams_sent;
            totals.datagrams += stats.transport.datagrams_sent;
            totals.handshakes += stats.transport.handshakes;
            totals.connections += stats.pool.total;
            let sent = stats.transport.sent_for;
            let by_use =
                [sent.handshake, sent.probe, sent.gossip, sent.anti_entropy, sent.port_check, sent.other];
            for (sum, sent) in totals.sent_for.iter_mut().zip(by_use) {
                *sum += (sent.bytes + HEADERS * sent.datagrams) as f64;
            }
        }
        totals
    }

    /// A bulk transfer between two members, in both directions.
    pub(super) async fn transfer(&self) -> Result<Bulk> {
        bulk::transfer(&self.members[0], &self.members[1]).await
    }

    /// The time until every other member has been told of a broadcast by the first.
    pub(super) async fn broadcast(&self) -> Result<Duration> {
        let told = self.told(0, |event| matches!(event, ClusterEvent::Broadcast { .. }));
        let begun = Instant::now();
        self.members[0].broadcast("news").await?;
        told.last(begun).await
    }

    /// The last member leaves. Gives the time until every other one has been told.
    pub(super) async fn leave(&mut self) -> Result<Duration> {
        let leaver = self.members.len() - 1;
        let told = self.told(leaver, |event| matches!(event, ClusterEvent::NodeLeft { .. }));
        let leaver = self.members.pop().context("there is a member")?;
        let begun = Instant::now();
        let left = tokio::spawn(async move { leaver.shutdown().await });
        let last = told.last(begun).await;
        left.await?;
        last
    }

    /// The last member crashes. Gives the time until every other one has been told.
    pub(super) async fn crash(&mut self) -> Result<Duration> {
        let crashed = self.members.len() - 1;
        let told = self.told(crashed, |event| matches!(event, ClusterEvent::NodeFailed { .. }));
        let crashed = self.members.pop().context("there is a member")?;
        let begun = Instant::now();
        crashed.shutdown_now();
        told.last(begun).await
    }

    /// Ends all at once.
    pub(super) fn end(self) {
        self.members.iter().for_each(Cluster::shutdown_now);
    }

    /// What all but one member are told from now on.
    fn told(&self, except: usize, wanted: fn(&ClusterEvent) -> bool) -> Told {
        let others = self.members.iter().enumerate().filter(|(n, _)| *n != except);
        Told { by: others.map(|(_, member)| member.subscribe()).collect(), wanted }
    }
}

/// Members that wait for one event.
struct Told {
    by: Vec<Subscription>,
    wanted: fn(&ClusterEvent) -> bool,
}

impl Told {
    /// The time until the last of them has been told.
    async fn last(self, begun: Instant) -> Result<Duration> {
        let mut waiting = JoinSet::new();
        for mut told in self.by {
            let wanted = self.wanted;
            waiting.spawn(async move {
                while let Some(event) = told.next().await {
                    if wanted(&event) {
                        return;
                    }
                }
            });
        }
        let all = async { while waiting.join_next().await.is_some() {} };
        timeout(LIMIT, all).await.context("not all members are told within a minute")?;
        Ok(begun.elapsed())
    }
}
