//! What work costs: the CPU of each node, and which nodes have a connection. Without it, everything that comes is handled at
//! once, and a connection to everybody is there.
//!
//! ```text
//!   a letter ──> is there a connection? ── yes ──────────────────────────────> the network ──> the CPU ──> the machine
//!                         └─ no ──> turn ──> handshake, which costs both CPUs ──┘
//! ```
//!
//! It decides; `world/load.rs` schedules.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kinfolk_core::{Instant, Rng, Window};
use kinfolk_swim::{Dial, RequestId};

use crate::node::NodeIndex;
use crate::world::Letter;

/// How many dials of a node may run at a time.
const DIALS_MAX: usize = 16;

/// How many handshakes of others may be under way with a node.
const INBOUND_MAX: usize = 1_024;

/// How long a dialler waits for the other end.
pub(crate) const DIALLED_WITHIN: Duration = Duration::from_secs(2);

/// How many letters wait for one handshake; one more is lost.
const LETTERS_MAX: usize = 64;

/// How much work may wait for a CPU; a letter that comes then is lost, as in a full socket buffer.
const BACKLOG_MAX: Duration = Duration::from_secs(10);

/// For how long a connection may be mute, as in the transport.
const MUTE_MAX: Duration = Duration::from_secs(2);

/// For how long it counts that a connection was given up.
const GIVEN_UP_FOR: Duration = Duration::from_mins(2);

/// What work costs, and what the transport does when there is too much of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadConfig {
    /// The cores of each host. More than 0.
    pub cores: f64,
    /// How many nodes share a host, in the order of their places. At least 1.
    pub nodes_per_host: usize,
    /// CPU of each end for one handshake. Default 1 ms, as measured.
    pub handshake: Duration,
    /// CPU of the receiver of a message, with what its sender needed. Default 300 us, as measured.
    pub message: Duration,
    /// When a connection is given up, and who may dial.
    pub transport: Transport,
}

/// What a transport does under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Each time-out costs the connection, and whoever has none dials at once.
    Eager,
    /// As Kinfolk's does: a connection is given up when it is mute for long, and dials wait for their turn.
    Patient,
}

impl LoadConfig {
    /// The measured costs, Kinfolk's transport, and hosts of these cores for so many nodes each.
    pub const fn with_cores(cores: f64, nodes_per_host: usize) -> Self {
        Self {
            cores,
            nodes_per_host,
            handshake: Duration::from_millis(1),
            message: Duration::from_micros(300),
            transport: Transport::Patient,
        }
    }
}

/// The two ends of a connection, the lower one first.
pub(crate) type Pair = (NodeIndex, NodeIndex);

/// The load of all nodes.
#[derive(Debug)]
pub(crate) struct Load {
    config: LoadConfig,
    /// When each host's CPU is done with what has come so far.
    free_at: Vec<Instant>,
    links: BTreeMap<Pair, Link>,
    dialling: Vec<Dialling>,
    /// To whom each request went, and when.
    asked: BTreeMap<(NodeIndex, RequestId), (NodeIndex, Instant)>,
    /// When a node last heard from another over their connection.
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
        /// When its handshake began; `None` while it waits for its turn.
        begun: Option<Instant>,
        letters: Vec<(NodeIndex, Letter)>,
    },
}

/// The dials of one node.
#[derive(Debug)]
struct Dialling {
    window: Window,
    at_work: Vec<u64>,
    /// The handshakes that others began with it, when they came, and how many may be under way.
    inbound: BTreeMap<u64, Instant>,
    inbound_window: Window,
    first: VecDeque<(Pair, u64)>,
    later: VecDeque<(Pair, u64)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    last: Instant,
    /// When the first question was asked that nothing has come after.
    asked: Instant,
    given_up: u32,
    given_up_at: Instant,
}

/// What becomes of a letter.
#[derive(Debug)]
pub(crate) enum Route {
    /// It goes over a connection.
    Open(Letter),
    /// It waits for one. Somebody may have to dial.
    Waits,
    /// It is lost.
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
            asked: BTreeMap::new(),
            heard: BTreeMap::new(),
            handshakes: 0,
            dials: 0,
        }
    }

    pub(crate) fn set_cores(&mut self, cores: f64) {
        self.config.cores = cores;
    }

    /// How many handshakes came through, counted at one end.
    pub(crate) fn handshakes(&self) -> u64 {
        self.handshakes
    }

    /// How many were begun.
    pub(crate) fn dials(&self) -> u64 {
        self.dials
    }

    /// All connections are gone, as after a cut of the network.
    pub(crate) fn lose_connections(&mut self) {
        self.links.retain(|_, link| !matches!(link, Link::Open));
    }

    /// When a node has time for what comes now.
    pub(crate) fn free_at(&self, node: NodeIndex) -> Instant {
        self.free_at[node.0 / self.config.nodes_per_host]
    }

    /// A message has come to a node. Returns when it is handled; `None` if too much waits already.
    pub(crate) fn receive(&mut self, node: NodeIndex, now: Instant) -> Option<Instant> {
        (self.free_at(node).since(now) < BACKLOG_MAX).then(|| self.work(node, now, self.config.message))
    }

    /// The first packet of a handshake has come to a node. Returns whether it is taken; otherwise it is sent again by and by.
    pub(crate) fn admits(&mut self, node: NodeIndex, number: u64, now: Instant) -> bool {
        let patient = self.config.transport == Transport::Patient;
        let Dialling { inbound, inbound_window, .. } = &mut self.dialling[node.0];
        // Whatever takes longer ends at its time-out.
        inbound.retain(|_, came| now.since(*came) < DIALLED_WITHIN);
        let admits = !patient || inbound.len() < inbound_window.size();
        if admits {
            inbound.insert(number, now);
        }
        admits
    }

    /// Whether the dialler of this handshake still waits for it.
    pub(crate) fn is_wanted(&self, pair: Pair, number: u64) -> bool {
        matches!(self.links.get(&pair), Some(Link::Dialled { number: of, .. }) if *of == number)
    }

    /// One end of a handshake does its part. Returns when it is done.
    pub(crate) fn shake(&mut self, node: NodeIndex, now: Instant) -> Instant {
        self.work(node, now, self.config.handshake)
    }

    fn work(&mut self, node: NodeIndex, now: Instant, cost: Duration) -> Instant {
        let done = self.free_at(node).max(now) + cost.div_f64(self.config.cores);
        self.free_at[node.0 / self.config.nodes_per_host] = done;
        done
    }

    /// A node sends a letter. What is to be sent over no connection is given back if it is to go now.
    pub(crate) fn route(&mut self, from: NodeIndex, to: NodeIndex, letter: Letter, dial: Dial) -> Route {
        let pair = (from.min(to), from.max(to));
        let eager = self.config.transport == Transport::Eager;
        match self.links.get_mut(&pair) {
            Some(Link::Open) => return Route::Open(letter),
            Some(Link::Dialled { letters, .. }) if letters.len() < LETTERS_MAX => {
                letters.push((from, letter));
            }
            Some(Link::Dialled { .. }) => return Route::Dropped,
            None if dial == Dial::Never && !eager => return Route::Dropped,
            None => {
                let number = self.dials;
                self.dials += 1;
                self.links.insert(pair, Link::Dialled { number, begun: None, letters: vec![(from, letter)] });
                let Dialling { first, later, .. } = &mut self.dialling[from.0];
                let queue = if dial == Dial::First || eager { first } else { later };
                queue.push_back((pair, number));
            }
        }
        Route::Waits
    }

    /// The next dial of a node whose turn it is.
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

    /// A dial has been at work for long, and waits for the other end from now on.
    pub(crate) fn rest(&mut self, node: NodeIndex, number: u64) {
        self.dialling[node.0].at_work.retain(|working| *working != number);
    }

    /// A handshake is done: the connection is there, with the letters that waited.
    pub(crate) fn connected(
        &mut self,
        by: NodeIndex,
        pair: Pair,
        number: u64,
        now: Instant,
    ) -> Vec<(NodeIndex, Letter)> {
        self.rest(by, number);
        let begun = match self.links.get(&pair) {
            Some(Link::Dialled { number: of, begun: Some(begun), .. }) if *of == number => *begun,
            // The dialler has given up.
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
            self.hears(of, peer, now);
        }
        match self.links.insert(pair, Link::Open) {
            Some(Link::Dialled { letters, .. }) => letters,
            _ => Vec::new(),
        }
    }

    /// The dialler has no more patience. Returns the letters that waited.
    pub(crate) fn give_up_dial(
        &mut self,
        by: NodeIndex,
        pair: Pair,
        number: u64,
    ) -> Vec<(NodeIndex, Letter)> {
        self.rest(by, number);
        if !self.is_wanted(pair, number) {
            return Vec::new();
        }
        match self.links.remove(&pair) {
            Some(Link::Dialled { letters, .. }) => letters,
            _ => Vec::new(),
        }
    }

    /// A node has asked another one.
    pub(crate) fn asks(&mut self, node: NodeIndex, request: RequestId, to: NodeIndex, now: Instant) {
        self.asked.insert((node, request), (to, now));
    }

    /// A request has ended.
    pub(crate) fn ended(&mut self, node: NodeIndex, request: RequestId) {
        self.asked.remove(&(node, request));
    }

    /// A node hears from another one.
    pub(crate) fn hears(&mut self, node: NodeIndex, from: NodeIndex, now: Instant) {
        self.heard.entry((node, from)).or_default().last = now;
    }

    /// A request has no answer in time. Returns whether its receiver has been heard from since. The connection may be given up.
    pub(crate) fn timed_out(
        &mut self,
        node: NodeIndex,
        request: RequestId,
        now: Instant,
        late: Duration,
    ) -> bool {
        let Some((to, asked)) = self.asked.remove(&(node, request)) else { return false };
        let pair = (node.min(to), node.max(to));
        let heard = self.heard.entry((node, to)).or_default();
        if self.config.transport == Transport::Eager {
            if matches!(self.links.get(&pair), Some(Link::Open)) {
                self.links.remove(&pair);
            }
            return false;
        }
        if heard.last >= asked {
            return true;
        }
        if heard.asked <= heard.last {
            heard.asked = asked;
        }
        if now.since(heard.given_up_at) >= GIVEN_UP_FOR {
            heard.given_up = 0;
        }
        let jitter = 0.75 + Rng::from_seed(request.0).unit() / 2.0;
        let patience = MUTE_MAX.mul_f64(jitter) * (1 << heard.given_up.min(5)) + late * 4;
        if now.since(heard.asked) > patience && matches!(self.links.get(&pair), Some(Link::Open)) {
            (heard.given_up, heard.given_up_at) = (heard.given_up + 1, now);
            self.links.remove(&pair);
        }
        false
    }
}
