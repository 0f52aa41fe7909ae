//! The cost of work: the CPU of each node, and the connections between nodes. In a world without a
//! load, a node handles each message at once, and all connections exist.
//!
//! ```text
//! a message ──> is there a connection? ── yes ─────────────────────> network ──> CPU ──> machine
//!                        └─ no ──> dial queue ──> handshake ──┘
//! ```
//!
//! This module decides; `world/load.rs` schedules.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kinfolk_core::{Instant, Rng, Window};
use kinfolk_swim::{Dial, RequestId};

use crate::node::NodeIndex;
use crate::world::Outgoing;

/// How many dials of a node may use CPU at a time, as in the transport.
const DIALS_MAX: usize = 16;

/// How many handshakes that other nodes started may be in progress at a node.
const INBOUND_MAX: usize = 1_024;

/// How long a dialling node waits for the other end.
pub(crate) const DIALLED_WITHIN: Duration = Duration::from_secs(2);

/// How many messages wait for one handshake. Further messages are lost, which bounds the memory.
const QUEUED_PER_DIAL_MAX: usize = 64;

/// How much work may wait for a CPU. A message that arrives then is lost, as with a full socket
/// buffer.
const BACKLOG_MAX: Duration = Duration::from_secs(10);

/// For how long a connection may be mute, as in the transport.
const MUTE_MAX: Duration = Duration::from_secs(2);

/// For how long a connection that was given up lengthens the next limit.
const GIVEN_UP_FOR: Duration = Duration::from_mins(2);

/// The costs of work, and the policy of the transport under load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadConfig {
    /// The cores of each host; greater than 0.
    pub cores: f64,
    /// The number of nodes that share a host, in the order of their indices; at least 1.
    pub nodes_per_host: usize,
    /// The CPU time that each end needs for one handshake. Default 1 ms, as measured.
    pub handshake: Duration,
    /// The CPU time that the receiver needs for one message, with the sender's part. Default 300
    /// us, as measured.
    pub message: Duration,
    /// The policy of the transport.
    pub transport: Transport,
}

/// The policy of a transport under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Each time-out closes the connection, and a node without a connection dials at once.
    Eager,
    /// Kinfolk's policy: a connection is given up only when it is mute for long, and dials wait in
    /// a queue.
    Kinfolk,
}

impl LoadConfig {
    /// The measured costs, Kinfolk's transport, and hosts of these cores for so many nodes each.
    pub const fn with_cores(cores: f64, nodes_per_host: usize) -> Self {
        Self {
            cores,
            nodes_per_host,
            handshake: Duration::from_millis(1),
            message: Duration::from_micros(300),
            transport: Transport::Kinfolk,
        }
    }
}

/// The two ends of a connection; the lower index is first.
pub(crate) type Pair = (NodeIndex, NodeIndex);

/// The load of all nodes.
#[derive(Debug)]
pub(crate) struct Load {
    config: LoadConfig,
    /// When each host's CPU has finished all work so far.
    free_at: Vec<Instant>,
    links: BTreeMap<Pair, Link>,
    dialling: Vec<Dialling>,
    /// The receiver of each open request, and the time when it was sent.
    requests: BTreeMap<(NodeIndex, RequestId), (NodeIndex, Instant)>,
    /// What each node received last from each other over their connection.
    heard: BTreeMap<(NodeIndex, NodeIndex), Heard>,
    handshakes: u64,
    dials: u64,
}

/// A connection, or a dial for one.
#[derive(Debug)]
enum Link {
    Open,
    Dialled {
        number: u64,
        /// When its handshake started; `None` while it waits in the queue.
        begun: Option<Instant>,
        queued: Vec<(NodeIndex, Outgoing)>,
    },
}

/// The dials and handshakes of one node.
#[derive(Debug)]
struct Dialling {
    window: Window,
    at_work: Vec<u64>,
    /// The handshakes that other nodes started, with their arrival times, and the limit on their
    /// number.
    inbound: BTreeMap<u64, Instant>,
    inbound_window: Window,
    first: VecDeque<(Pair, u64)>,
    later: VecDeque<(Pair, u64)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    last: Instant,
    /// When the first request was sent after the last message from the peer.
    unanswered_since: Instant,
    given_up: u32,
    given_up_at: Instant,
}

/// What happens to a message that goes out.
#[derive(Debug)]
pub(crate) enum Route {
    /// It goes out over the existing connection.
    Open(Outgoing),
    /// It waits for a connection. The node may have to dial.
    Waits,
    /// The message is lost.
    Dropped,
}

impl Load {
    pub(crate) fn new(config: LoadConfig, nodes: usize) -> Self {
        let dialling = |_| Dialling {
            window: Window::up_to(DIALS_MAX),
            at_work: Vec::new(),
            inbound: BTreeMap::new(),
            inbound_window: Window::open(INBOUND_MAX),
            first: VecDeque::new(),
            later: VecDeque::new(),
        };
        Self {
            config,
            free_at: vec![Instant::ORIGIN; nodes.div_ceil(config.nodes_per_host)],
            links: BTreeMap::new(),
            dialling: (0..nodes).map(dialling).collect(),
            requests: BTreeMap::new(),
            heard: BTreeMap::new(),
            handshakes: 0,
            dials: 0,
        }
    }

    pub(crate) fn set_cores(&mut self, cores: f64) {
        self.config.cores = cores;
    }

    /// The number of completed handshakes, counted at one end.
    pub(crate) fn handshakes(&self) -> u64 {
        self.handshakes
    }

    /// The number of started dials.
    pub(crate) fn dials(&self) -> u64 {
        self.dials
    }

    /// Removes all connections, as after a cut of the network.
    pub(crate) fn lose_connections(&mut self) {
        self.links.retain(|_, link| !matches!(link, Link::Open));
    }

    /// When a node's CPU is free for new work.
    pub(crate) fn free_at(&self, node: NodeIndex) -> Instant {
        self.free_at[node.0 / self.config.nodes_per_host]
    }

    /// A message arrived at a node. Returns when the node handles it, or `None` if too much work
    /// waits already.
    pub(crate) fn receive(&mut self, node: NodeIndex, now: Instant) -> Option<Instant> {
        (self.free_at(node).since(now) < BACKLOG_MAX).then(|| self.work(node, now, self.config.message))
    }

    /// The first packet of a handshake arrived at a node. Returns whether the node accepts it;
    /// otherwise the dialling node sends it again later.
    pub(crate) fn admits(&mut self, node: NodeIndex, number: u64, now: Instant) -> bool {
        let limits = self.config.transport == Transport::Kinfolk;
        let Dialling { inbound, inbound_window, .. } = &mut self.dialling[node.0];
        // A handshake that takes longer ends at the dialling node's time-out.
        inbound.retain(|_, came| now.since(*came) < DIALLED_WITHIN);
        let admits = !limits || inbound.len() < inbound_window.size();
        if admits {
            inbound.insert(number, now);
        }
        admits
    }

    /// Whether the dialling node still waits for this handshake.
    pub(crate) fn is_wanted(&self, pair: Pair, number: u64) -> bool {
        matches!(self.links.get(&pair), Some(Link::Dialled { number: of, .. }) if *of == number)
    }

    /// One end of a handshake does its part of the work. Returns when it has finished.
    pub(crate) fn handshake_work(&mut self, node: NodeIndex, now: Instant) -> Instant {
        self.work(node, now, self.config.handshake)
    }

    fn work(&mut self, node: NodeIndex, now: Instant, cost: Duration) -> Instant {
        let done = self.free_at(node).max(now) + cost.div_f64(self.config.cores);
        self.free_at[node.0 / self.config.nodes_per_host] = done;
        done
    }

    /// A node sends a message. Returns it if a connection exists and it can go out now.
    pub(crate) fn route(&mut self, from: NodeIndex, to: NodeIndex, outgoing: Outgoing, dial: Dial) -> Route {
        let pair = (from.min(to), from.max(to));
        let eager = self.config.transport == Transport::Eager;
        match self.links.get_mut(&pair) {
            Some(Link::Open) => return Route::Open(outgoing),
            Some(Link::Dialled { queued, .. }) if queued.len() < QUEUED_PER_DIAL_MAX => {
                queued.push((from, outgoing));
            }
            Some(Link::Dialled { .. }) => return Route::Dropped,
            None if dial == Dial::Never && !eager => return Route::Dropped,
            None => {
                let number = self.dials;
                self.dials += 1;
                self.links
                    .insert(pair, Link::Dialled { number, begun: None, queued: vec![(from, outgoing)] });
                let Dialling { first, later, .. } = &mut self.dialling[from.0];
                let queue = if dial == Dial::First || eager { first } else { later };
                queue.push_back((pair, number));
            }
        }
        Route::Waits
    }

    /// The next dial of a node that may start.
    pub(crate) fn next_dial(&mut self, node: NodeIndex, now: Instant) -> Option<(Pair, u64)> {
        let Dialling { window, at_work, first, later, .. } = &mut self.dialling[node.0];
        let size = if self.config.transport == Transport::Eager { DIALS_MAX } else { window.size() };
        while at_work.len() < size {
            let (pair, number) = first.pop_front().or_else(|| later.pop_front())?;
            if let Some(Link::Dialled { number: of, begun, .. }) = self.links.get_mut(&pair)
                && *of == number
            {
                *begun = Some(now);
                at_work.push(number);
                return Some((pair, number));
            }
        }
        None
    }

    /// A dial has used CPU for long. It gives up its place in the window and only waits for the
    /// other end.
    pub(crate) fn leave_window(&mut self, node: NodeIndex, number: u64) {
        self.dialling[node.0].at_work.retain(|working| *working != number);
    }

    /// A handshake has finished. The connection exists; returns the messages that waited for it.
    pub(crate) fn connected(
        &mut self,
        by: NodeIndex,
        pair: Pair,
        number: u64,
        now: Instant,
    ) -> Vec<(NodeIndex, Outgoing)> {
        self.leave_window(by, number);
        let begun = match self.links.get(&pair) {
            Some(Link::Dialled { number: of, begun: Some(begun), .. }) if *of == number => *begun,
            // The dialling node has given up this dial.
            _ => return Vec::new(),
        };
        self.handshakes += 1;
        self.dialling[by.0].window.done(now.since(begun));
        let other = if by == pair.0 { pair.1 } else { pair.0 };
        let Dialling { inbound, inbound_window, .. } = &mut self.dialling[other.0];
        if let Some(came) = inbound.remove(&number) {
            inbound_window.done(now.since(came));
        }
        for (of, peer) in [pair, (pair.1, pair.0)] {
            self.received(of, peer, now);
        }
        match self.links.insert(pair, Link::Open) {
            Some(Link::Dialled { queued, .. }) => queued,
            _ => Vec::new(),
        }
    }

    /// The dialling node reached its time-out. Returns the messages that waited.
    pub(crate) fn give_up_dial(
        &mut self,
        by: NodeIndex,
        pair: Pair,
        number: u64,
    ) -> Vec<(NodeIndex, Outgoing)> {
        self.leave_window(by, number);
        if !self.is_wanted(pair, number) {
            return Vec::new();
        }
        match self.links.remove(&pair) {
            Some(Link::Dialled { queued, .. }) => queued,
            _ => Vec::new(),
        }
    }

    /// A node sent a request.
    pub(crate) fn request_sent(&mut self, node: NodeIndex, request: RequestId, to: NodeIndex, now: Instant) {
        self.requests.insert((node, request), (to, now));
    }

    /// A request ended with a reply.
    pub(crate) fn request_ended(&mut self, node: NodeIndex, request: RequestId) {
        self.requests.remove(&(node, request));
    }

    /// A node received a message of another.
    pub(crate) fn received(&mut self, node: NodeIndex, from: NodeIndex, now: Instant) {
        self.heard.entry((node, from)).or_default().last = now;
    }

    /// A request got no reply in time. Returns whether its receiver sent anything since. May give
    /// the connection up.
    pub(crate) fn timed_out(
        &mut self,
        node: NodeIndex,
        request: RequestId,
        now: Instant,
        late: Duration,
    ) -> bool {
        let Some((to, sent)) = self.requests.remove(&(node, request)) else { return false };
        let pair = (node.min(to), node.max(to));
        let heard = self.heard.entry((node, to)).or_default();
        // The eager policy takes each time-out as a broken connection.
        if self.config.transport == Transport::Eager {
            if matches!(self.links.get(&pair), Some(Link::Open)) {
                self.links.remove(&pair);
            }
            return false;
        }
        if heard.last >= sent {
            return true;
        }
        if heard.unanswered_since <= heard.last {
            heard.unanswered_since = sent;
        }
        // A connection that was given up long ago says nothing about the peer of today.
        if now.since(heard.given_up_at) >= GIVEN_UP_FOR {
            heard.given_up = 0;
        }
        // Jitter keeps many nodes from giving up their connections at the same moment. Each time
        // that a connection was given up doubles the limit, because the peer is then probably
        // overloaded and another handshake makes that worse. A late node adds to the limit, because
        // its own lateness can explain the silence.
        let jitter = 0.75 + Rng::from_seed(request.0).unit() / 2.0;
        let limit = MUTE_MAX.mul_f64(jitter) * (1 << heard.given_up.min(5)) + late * 4;
        if now.since(heard.unanswered_since) > limit && matches!(self.links.get(&pair), Some(Link::Open)) {
            (heard.given_up, heard.given_up_at) = (heard.given_up + 1, now);
            self.links.remove(&pair);
        }
        false
    }
}
