//! A network of datagrams in memory: links with their conditions, cuts, and the fate of every
//! datagram.
//!
//! It has no task and no clock of its own. A receiver waits on tokio's clock until its next
//! datagram is due.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use kinfolk_core::Rng;
use kinfolk_transport::simulation::{Datagram, Network, Socket};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::link::Link;
use crate::socket;

/// The maximum number of datagrams on their way to one socket. Further ones are lost, as in the
/// buffer of a real socket.
const MAILBOX_MAX: usize = 4096;

/// The first port that the network chooses for a socket without one.
const FIRST_FREE_PORT: u16 = 49_152;

/// What happened to a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is on its way.
    Sent,
    /// It is on its way, twice.
    Doubled,
    /// The link lost it.
    Lost,
    /// The link is cut.
    Cut,
    /// No socket is bound to its address.
    Refused,
    /// Too many other datagrams are on their way to the same socket.
    Overflowed,
}

/// The number of datagrams of each fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetStats {
    /// [`Fate::Sent`].
    pub sent: u64,
    /// [`Fate::Doubled`].
    pub doubled: u64,
    /// [`Fate::Lost`].
    pub lost: u64,
    /// [`Fate::Cut`].
    pub cut: u64,
    /// [`Fate::Refused`].
    pub refused: u64,
    /// [`Fate::Overflowed`].
    pub overflowed: u64,
}

/// A simulated network. Clones share the same network.
#[derive(Clone)]
pub struct Net(Arc<Mutex<State>>);

struct State {
    origin: Instant,
    seed: u64,
    mailboxes: BTreeMap<SocketAddr, Mailbox>,
    free_ports: BTreeMap<IpAddr, u16>,
    usual: Link,
    /// Conditions of all links of a machine. They replace the usual ones.
    of_host: BTreeMap<IpAddr, Link>,
    /// Conditions of the links between two machines, from the first to the second. They replace
    /// those of a machine.
    between: BTreeMap<(IpAddr, IpAddr), Link>,
    /// The cut directions: from, to.
    cuts: BTreeSet<(IpAddr, IpAddr)>,
    /// A random generator for each direction of a link, so that traffic elsewhere does not change
    /// the fates of its datagrams.
    rngs: BTreeMap<(IpAddr, IpAddr), Rng>,
    stats: NetStats,
    /// The number of datagrams and port checks of each machine to each address.
    contacts: BTreeMap<(IpAddr, SocketAddr), u64>,
    trace: DefaultHasher,
    posted: u64,
}

/// The datagrams on their way to a socket.
#[derive(Default)]
pub(crate) struct Mailbox {
    /// By due time, then in the order of sending. The number makes the order the same in every run.
    waiting: BTreeMap<(Instant, u64), Datagram>,
    waker: Option<Waker>,
}

impl Net {
    /// Makes a network of good links.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            origin: Instant::now(),
            seed,
            mailboxes: BTreeMap::new(),
            free_ports: BTreeMap::new(),
            usual: Link::GOOD,
            of_host: BTreeMap::new(),
            between: BTreeMap::new(),
            cuts: BTreeSet::new(),
            rngs: BTreeMap::new(),
            stats: NetStats::default(),
            contacts: BTreeMap::new(),
            trace: DefaultHasher::new(),
            posted: 0,
        })))
    }

    /// Sets the conditions of all links that have none of their own.
    pub fn set_links(&self, link: Link) {
        self.0.lock().usual = link;
    }

    /// Sets the conditions of all links to and from one machine.
    pub fn set_links_of(&self, host: IpAddr, link: Link) {
        self.0.lock().of_host.insert(host, link);
    }

    /// Sets the conditions of all links between the two sides, in both directions.
    pub fn set_links_between(&self, one: &[IpAddr], other: &[IpAddr], link: Link) {
        let pairs = one.iter().flat_map(|one| other.iter().map(|other| (*one, *other)));
        let mut state = self.0.lock();
        for (one, other) in pairs {
            state.between.insert((one, other), link);
            state.between.insert((other, one), link);
        }
    }

    /// Cuts every link between the two sides, in both directions. Datagrams already on their way
    /// still arrive.
    pub fn cut(&self, one: &[IpAddr], other: &[IpAddr]) {
        self.cut_one_way(one, other);
        self.cut_one_way(other, one);
    }

    /// Cuts every link from one side to the other.
    pub fn cut_one_way(&self, from: &[IpAddr], to: &[IpAddr]) {
        let pairs = from.iter().flat_map(|from| to.iter().map(|to| (*from, *to)));
        self.0.lock().cuts.extend(pairs);
    }

    /// Heals every cut.
    pub fn heal(&self) {
        self.0.lock().cuts.clear();
    }

    /// The number of datagrams of each fate so far.
    pub fn stats(&self) -> NetStats {
        self.0.lock().stats
    }

    /// The number of datagrams and port checks of a machine to an address so far, whatever became
    /// of them.
    pub fn contacts(&self, from: IpAddr, to: SocketAddr) -> u64 {
        self.0.lock().contacts.get(&(from, to)).copied().unwrap_or(0)
    }

    /// A digest of all datagrams so far: the time, sender, receiver and fate of each.
    pub fn trace(&self) -> u64 {
        self.0.lock().trace.finish()
    }

    /// The number of sockets bound on one machine.
    pub fn sockets_of(&self, host: IpAddr) -> usize {
        self.0.lock().mailboxes.keys().filter(|addr| addr.ip() == host).count()
    }

    /// The number of bound sockets.
    pub fn socket_count(&self) -> usize {
        self.0.lock().mailboxes.len()
    }

    pub(crate) fn send(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        // Wake after releasing the lock: the woken task may take it at once.
        let waker = self.0.lock().send(from, to, payload);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the datagrams that are due at `addr`. If the last one is not yet due, returns its
    /// time, and registers the waker for a datagram that is due earlier.
    pub(crate) fn receive(
        &self,
        addr: SocketAddr,
        into: &mut Vec<Datagram>,
        waker: &Waker,
    ) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.0.lock();
        let mailbox = state.mailboxes.get_mut(&addr).expect("a receiver keeps its socket bound");
        while let Some(first) = mailbox.waiting.first_entry() {
            let due = first.key().0;
            if due > now {
                // The caller sleeps until then. An earlier datagram wakes it before.
                mailbox.waker = Some(waker.clone());
                return Some(due);
            }
            into.push(first.remove());
        }
        mailbox.waker = Some(waker.clone());
        None
    }

    pub(crate) fn unbind(&self, addr: SocketAddr) {
        self.0.lock().mailboxes.remove(&addr);
    }
}

impl Network for Net {
    fn bind(&self, addr: SocketAddr) -> io::Result<Socket> {
        let mut state = self.0.lock();
        let addr = if addr.port() == 0 { state.free_addr(addr.ip()) } else { addr };
        if state.mailboxes.contains_key(&addr) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.mailboxes.insert(addr, Mailbox::default());
        drop(state);
        Ok(socket::new(self.clone(), addr))
    }

    fn port_is_closed(&self, from: IpAddr, to: SocketAddr) -> bool {
        let mut state = self.0.lock();
        let (checker, back) = (SocketAddr::new(from, 0), (to.ip(), from));
        let (fate, _) = state.fate(checker, to);
        state.note(Instant::now(), checker, to, fate);
        // A cut way back would also lose the ICMP message that says that the port is closed.
        fate == Fate::Refused && !state.cuts.contains(&back)
    }
}

impl State {
    /// Chooses a free port. It uses no port again before it has used all others.
    fn free_addr(&mut self, ip: IpAddr) -> SocketAddr {
        let next = self.free_ports.entry(ip).or_insert(FIRST_FREE_PORT);
        loop {
            let addr = SocketAddr::new(ip, *next);
            *next = next.checked_add(1).unwrap_or(FIRST_FREE_PORT);
            if !self.mailboxes.contains_key(&addr) {
                return addr;
            }
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Waker> {
        let now = Instant::now();
        let (fate, arrivals) = self.fate(from, to);
        self.note(now, from, to, fate);
        let mailbox = self.mailboxes.get_mut(&to)?;
        let first_before = mailbox.waiting.first_key_value().map(|(key, _)| *key);
        for takes in arrivals {
            self.posted += 1;
            let datagram = Datagram { from, payload: payload.to_vec() };
            mailbox.waiting.insert((now + takes, self.posted), datagram);
        }
        // Wake the receiver only if this datagram is due before all others that wait.
        let first = mailbox.waiting.first_key_value().map(|(key, _)| *key);
        if first == first_before { None } else { mailbox.waker.take() }
    }

    fn fate(&mut self, from: SocketAddr, to: SocketAddr) -> (Fate, Vec<Duration>) {
        let pair = (from.ip(), to.ip());
        let of_host = || self.of_host.get(&pair.0).or_else(|| self.of_host.get(&pair.1));
        let link = self.between.get(&pair).or_else(of_host).unwrap_or(&self.usual);
        let seed = self.seed;
        let rng = self.rngs.entry(pair).or_insert_with(|| Rng::from_seed(seed ^ hash(pair)));
        // Draw before looking at cuts, so that a cut does not change the fates after it.
        let arrivals = link.arrivals(rng);
        let none = Vec::new;
        if self.cuts.contains(&pair) {
            return (Fate::Cut, none());
        }
        match (arrivals.len(), self.mailboxes.get(&to)) {
            (0, _) => (Fate::Lost, none()),
            (_, None) => (Fate::Refused, none()),
            (copies, Some(mailbox)) if mailbox.waiting.len() + copies > MAILBOX_MAX => {
                (Fate::Overflowed, none())
            }
            (1, Some(_)) => (Fate::Sent, arrivals),
            (_, Some(_)) => (Fate::Doubled, arrivals),
        }
    }

    fn note(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, fate: Fate) {
        // Not the payload: TLS draws its own random numbers, which differ from run to run.
        (now.duration_since(self.origin), from, to, fate).hash(&mut self.trace);
        *self.contacts.entry((from.ip(), to)).or_default() += 1;
        let stats = &mut self.stats;
        *match fate {
            Fate::Sent => &mut stats.sent,
            Fate::Doubled => &mut stats.doubled,
            Fate::Lost => &mut stats.lost,
            Fate::Cut => &mut stats.cut,
            Fate::Refused => &mut stats.refused,
            Fate::Overflowed => &mut stats.overflowed,
        } += 1;
    }
}

/// A hash that is the same in every run: this hasher has fixed keys.
pub(crate) fn hash(value: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
