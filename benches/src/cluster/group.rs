//! A group of members in one process on loopback, and the sums of their counters.

use std::time::Duration;

use anyhow::{Context as _, Result};
use kinfolk::{
    Cluster, ClusterCa, ClusterConfig, ClusterEvent, ClusterId, NodeId, NodeState, Service, Subscription,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::bulk::{self, Bulk};
use crate::host::cpu_time;

/// The IPv4 header (20 bytes) and the UDP header (8 bytes) of a datagram. The transport does not
/// count them.
const HEADERS: u64 = 28;

/// The time between two checks whether all members see all others: the precision of the join times.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The same for the join of one member, which is faster.
const FINE_POLL_INTERVAL: Duration = Duration::from_micros(500);

/// The time limit of each wait: longer than any step takes on the slowest machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Members of one cluster.
pub(super) struct Group {
    ca: ClusterCa,
    members: Vec<Cluster>,
}

/// The sums over all members: what they have done since the group started, and what they hold now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    /// The time since the group started.
    pub(super) at: Duration,
    /// Sent bytes, with headers.
    pub(super) bytes: u64,
    pub(super) datagrams: u64,
    /// Each handshake counts at both ends.
    pub(super) handshakes: u64,
    pub(super) connections: usize,
    pub(super) cpu: Duration,
    /// The bytes by their use: handshakes, probes, gossip, anti-entropy, port checks, and the rest.
    pub(super) sent_for: [f64; 6],
}

impl Group {
    /// Starts this many members. They have not joined.
    pub(super) fn start(count: usize) -> Result<Self> {
        let ca = ClusterCa::create(&ClusterId::new("bench")?)?;
        let members = (0..count).map(|n| start_member(&ca, &format!("n{n}"))).collect::<Result<_>>()?;
        Ok(Self { ca, members })
    }

    /// One more member joins the formed group, and leaves again. Returns the time of its join,
    /// until it sees all others and all others see it.
    pub(super) async fn join_one(&self, number: usize) -> Result<Duration> {
        let newcomer = start_member(&self.ca, &format!("newcomer-{number}"))?;
        let sees_all = |member: &Cluster| count_alive(member) == self.members.len() + 1;
        let begun = Instant::now();
        newcomer.join(&[self.members[0].addr().to_string()]).await?;
        let whole = async {
            while !(sees_all(&newcomer) && self.members.iter().all(sees_all)) {
                sleep(FINE_POLL_INTERVAL).await;
            }
        };
        timeout(LIMIT, whole).await.context("a member did not join within a minute")?;
        let took = begun.elapsed();
        newcomer.shutdown().await;
        let gone = async {
            while !self.is_complete() {
                sleep(POLL_INTERVAL).await;
            }
        };
        timeout(LIMIT, gone).await.context("the group did not see a leave within a minute")?;
        Ok(took)
    }

    /// All members join at once through the first. Returns the time until each member sees all
    /// others.
    pub(super) async fn join(&self) -> Result<Duration> {
        let begun = Instant::now();
        let (seed, others) = self.members.split_first().context("the group has no member")?;
        let seed = seed.addr().to_string();
        let mut joins = JoinSet::new();
        for member in others {
            let (member, seed) = (member.clone(), seed.clone());
            joins.spawn(async move { member.join(&[seed]).await });
        }
        let whole = async {
            while !self.is_complete() {
                sleep(POLL_INTERVAL).await;
            }
        };
        timeout(LIMIT, whole).await.context("the group did not form within a minute")?;
        let took = begun.elapsed();
        for joined in joins.join_all().await {
            joined?;
        }
        Ok(took)
    }

    /// Whether each member sees all members as alive.
    fn is_complete(&self) -> bool {
        self.members.iter().all(|member| count_alive(member) == self.members.len())
    }

    /// The sums so far. `since` is the start of the group.
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

    /// The first member broadcasts. Returns the time until every other member has the event.
    pub(super) async fn broadcast(&self) -> Result<Duration> {
        // The subscription comes first: an event before it would be missed.
        let waiters = self.await_event(0, |event| matches!(event, ClusterEvent::Broadcast { .. }));
        let begun = Instant::now();
        self.members[0].broadcast("test").await?;
        waiters.last(begun).await
    }

    /// The first member offers a service. Returns the time until every other member knows it.
    pub(super) async fn offer(&self) -> Result<Duration> {
        let waiters = self.await_event(0, |event| match event {
            ClusterEvent::NodeUpdated { node } => node.services.get("bench").is_some(),
            _ => false,
        });
        let begun = Instant::now();
        self.members[0].offer("bench", Service::new(1)).await?;
        waiters.last(begun).await
    }

    /// The last member leaves. Returns the time until every other member has the event.
    pub(super) async fn leave(&mut self) -> Result<Duration> {
        let leaver = self.members.len() - 1;
        let waiters = self.await_event(leaver, |event| matches!(event, ClusterEvent::NodeLeft { .. }));
        let leaver = self.members.pop().context("the group has no member")?;
        let begun = Instant::now();
        // The shutdown runs in its own task, so that the time does not include its end.
        let left = tokio::spawn(async move { leaver.shutdown().await });
        let last = waiters.last(begun).await;
        left.await?;
        last
    }

    /// The last member crashes. Returns the time until every other member has the event.
    pub(super) async fn crash(&mut self) -> Result<Duration> {
        let crashed = self.members.len() - 1;
        let waiters = self.await_event(crashed, |event| matches!(event, ClusterEvent::NodeFailed { .. }));
        let crashed = self.members.pop().context("the group has no member")?;
        let begun = Instant::now();
        // This sends no leave, so the other members must detect the failure.
        crashed.shutdown_now();
        waiters.last(begun).await
    }

    /// Ends all members at once.
    pub(super) fn end(self) {
        self.members.iter().for_each(Cluster::shutdown_now);
    }

    /// Subscribes to the events of all members but `except`, to wait for an event that is `wanted`.
    fn await_event(&self, except: usize, wanted: fn(&ClusterEvent) -> bool) -> EventWaiters {
        let others = self.members.iter().enumerate().filter(|(n, _)| *n != except);
        EventWaiters { subscriptions: others.map(|(_, member)| member.subscribe()).collect(), wanted }
    }
}

/// The subscriptions of members that wait for one event.
struct EventWaiters {
    subscriptions: Vec<Subscription>,
    wanted: fn(&ClusterEvent) -> bool,
}

impl EventWaiters {
    /// The time from `begun` until the last member has the event.
    async fn last(self, begun: Instant) -> Result<Duration> {
        let mut waiting = JoinSet::new();
        for mut subscription in self.subscriptions {
            let wanted = self.wanted;
            waiting.spawn(async move {
                while let Some(event) = subscription.next().await {
                    if wanted(&event) {
                        return;
                    }
                }
            });
        }
        let all = async { while waiting.join_next().await.is_some() {} };
        timeout(LIMIT, all).await.context("not all members had the event within a minute")?;
        Ok(begun.elapsed())
    }
}

fn start_member(ca: &ClusterCa, name: &str) -> Result<Cluster> {
    let identity = ca.issue(&NodeId::new(name)?, Duration::from_hours(24))?;
    Ok(Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?)
}

/// The number of members that this one sees as alive.
fn count_alive(member: &Cluster) -> usize {
    member.members().members().filter(|node| node.state == NodeState::Alive).count()
}
