//! A fake network and fake connections, for tests of the pool under tokio's paused clock.
#![cfg(not(kinfolk_loom))]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use kinfolk_core::{NodeAddr, NodeId};
use parking_lot::Mutex;
use tokio::time::sleep;

use super::{CloseReason, ConnId, Connect, Connection, ConnectionPool, DialError, PoolConfig};
use crate::peer::Peer;

/// The behaviour and the record of a fake network.
#[derive(Default)]
pub(super) struct World {
    pub(super) dial_time: Duration,
    /// Dials to these peers fail.
    pub(super) refusing: Mutex<HashSet<NodeId>>,
    pub(super) dials: AtomicUsize,
    pub(super) open_now: AtomicUsize,
    pub(super) open_most: AtomicUsize,
    pub(super) closed: Mutex<Vec<(NodeId, CloseReason)>>,
    /// The connections to each peer, open or ended.
    pub(super) conns: Mutex<Vec<(NodeId, Arc<AtomicBool>)>>,
}

impl World {
    /// Restarts a peer: its connections end, and the pool receives no notice.
    pub(super) fn restart(&self, peer: &NodeId) {
        self.conns.lock().retain(|(whose, open)| {
            if whose == peer && open.swap(false, SeqCst) {
                self.open_now.fetch_sub(1, SeqCst);
            }
            open.load(SeqCst)
        });
    }
}

pub(super) struct Network(pub(super) Arc<World>);

#[derive(Clone)]
pub(super) struct Conn {
    peer: NodeId,
    world: Arc<World>,
    open: Arc<AtomicBool>,
}

impl Conn {
    pub(super) fn open(world: &Arc<World>, peer: &NodeId) -> Self {
        let now = world.open_now.fetch_add(1, SeqCst) + 1;
        world.open_most.fetch_max(now, SeqCst);
        let open = Arc::new(AtomicBool::new(true));
        world.conns.lock().push((peer.clone(), Arc::clone(&open)));
        Self { peer: peer.clone(), world: Arc::clone(world), open }
    }

    /// Ends the connection without a notice to the pool.
    pub(super) fn die(&self) {
        if self.open.swap(false, SeqCst) {
            self.world.open_now.fetch_sub(1, SeqCst);
        }
    }
}

impl Connection for Conn {
    fn is_open(&self) -> bool {
        self.open.load(SeqCst)
    }

    fn check(&self) -> bool {
        self.is_open()
    }

    fn close(&self, reason: CloseReason) {
        self.world.closed.lock().push((self.peer.clone(), reason));
        self.die();
    }
}

impl Connect for Network {
    type Connection = Conn;

    async fn connect(&self, peer: &Peer, _: ConnId) -> Result<Conn, DialError> {
        self.0.dials.fetch_add(1, SeqCst);
        pass(self.0.dial_time).await;
        if self.0.refusing.lock().contains(&peer.id) {
            return Err(DialError::Busy);
        }
        Ok(Conn::open(&self.0, &peer.id))
    }
}

pub(super) type TestPool = ConnectionPool<Network>;

pub(super) fn peer(n: usize) -> Peer {
    let addr: std::net::SocketAddr = "127.0.0.1:1".parse().unwrap();
    Peer::new(NodeId::new(&format!("n{n}")).unwrap(), NodeAddr::new(addr))
}

pub(super) fn pool(config: PoolConfig) -> (TestPool, Arc<World>) {
    let world = Arc::new(World { dial_time: Duration::from_millis(10), ..World::default() });
    (ConnectionPool::new(NodeId::new("me").unwrap(), config, Network(Arc::clone(&world))), world)
}

pub(super) fn closed(world: &World) -> Vec<(NodeId, CloseReason)> {
    world.closed.lock().clone()
}

/// Moves the paused clock, and runs everything that is due by then.
pub(super) async fn pass(time: Duration) {
    // A sleep moves the paused clock, and nothing else does. It takes no real time.
    sleep(time).await;
}

/// Lets every task run until it waits.
pub(super) async fn settle() {
    pass(Duration::from_millis(1)).await;
}
