//! Honest members, a liar, and listeners at the addresses that the liar invents.

use std::sync::Arc;
use std::time::Duration;

use kinfolk::{Cluster, NodeAddr, NodeId, NodeStatus, Service, ServiceName, Services, Tags};
use kinfolk_scenarios::{Fleet, World, run, until};
use kinfolk_swim::{Message, Update, codec};
use kinfolk_transport::Peer;
use kinfolk_transport::simulation::{Network as _, Socket};
use tokio::time::{sleep, timeout};

use super::liar::{Liar, Lies, update};
use super::watch::{EVERY, Seen, Watch};
use crate::twice::LONG;

/// The sizes of the clusters that are attacked.
pub(crate) const SIZES: [usize; 2] = [5, 9];
/// How many accusers a failure needs. The first is the default.
const ACCUSERS: [usize; 2] = [2, 3];
/// How long the views are watched after an attack.
const AFTERWARDS: Duration = Duration::from_secs(20);
/// The first machine whose address the liar invents. No member runs there.
const NOWHERE: usize = 200;
/// How many updates the liar sends in one message. They fit in any case.
const UPDATES_AT_ONCE: usize = 10;
/// How long each lie is told before the next one.
const EACH_LIE: Duration = Duration::from_millis(60);

/// A cluster with a liar in it.
pub(crate) struct Scene {
    pub fleet: Fleet,
    pub liar: Liar,
    /// The honest members that run.
    pub honest: Vec<usize>,
    /// The members that do not run any more.
    pub gone: Vec<NodeId>,
    /// The members that really failed at some time.
    pub failed: Vec<NodeId>,
    _listeners: Vec<Socket>,
}

/// Runs a scenario with a new scene of each size.
pub(crate) fn with_scenes(scenario: impl AsyncFn(Scene)) {
    for size in SIZES {
        run(1, async |world| scenario(Scene::new(world, size).await).await);
    }
}

/// Does the same. The larger cluster needs more accusers for a failure.
pub(crate) fn with_each_quorum(scenario: impl AsyncFn(Scene)) {
    for (size, accusers) in SIZES.into_iter().zip(ACCUSERS) {
        run(1, async |world| scenario(Scene::with_accusers(world, size, accusers).await).await);
    }
}

/// Does the same, with each size and each number of accusers.
pub(crate) fn with_all_quorums(scenario: impl AsyncFn(Scene)) {
    for (size, accusers) in SIZES.into_iter().flat_map(|size| ACCUSERS.map(|accusers| (size, accusers))) {
        run(1, async |world| scenario(Scene::with_accusers(world, size, accusers).await).await);
    }
}

impl Scene {
    /// Forms a cluster, each of whose members has a tag and a service. Then the liar joins it.
    pub(crate) async fn new(world: World, size: usize) -> Self {
        Self::with_accusers(world, size, ACCUSERS[0]).await
    }

    /// Does the same. A failure needs this many accusers.
    pub(crate) async fn with_accusers(world: World, size: usize, accusers: usize) -> Self {
        let listeners = (0..size).map(|n| world.net.bind(nowhere(n).socket()).expect("it is free")).collect();
        let mut fleet = Fleet::new(world, size);
        for n in 0..size {
            let (name, service) = (ServiceName::new("db").expect("a label"), Service::new(5_432));
            let config = fleet.config(n);
            config.swim.accusers_required = accusers;
            config.tags = Tags::new([("role", format!("r{n}"))]).expect("a short tag");
            config.services = Services::none().with(name, service).expect("there is room");
        }
        let honest: Vec<usize> = (0..size).collect();
        fleet.start_all(&honest).await;
        fleet.settle(LONG).await;
        let peers: Vec<Peer> = honest.iter().map(|n| peer(&fleet, *n)).collect();
        let liar = Liar::join(&fleet.world, size, &peers).await;
        let scene = Self { fleet, liar, honest, gone: Vec::new(), failed: Vec::new(), _listeners: listeners };
        assert!(until(LONG, || scene.know_the_liar()).await, "the liar is a member");
        scene
    }

    /// Whether all honest members hold the liar as a member.
    pub(crate) fn know_the_liar(&self) -> bool {
        let knows =
            |view: &Cluster| view.members().get(self.liar.id()).is_some_and(|liar| liar.state.is_member());
        self.members().iter().all(knows)
    }

    /// Whether all honest members hold the present statement of all others.
    fn agrees(&self) -> bool {
        let statements: Vec<NodeStatus> = self.honest.iter().map(|n| self.statement(*n)).collect();
        let agrees = |member: &Cluster| {
            let view = member.members();
            let is_there = |own: &NodeStatus| view.get(&own.id).is_some_and(|entry| **entry == *own);
            let are_gone =
                self.gone.iter().all(|id| view.get(id).is_none_or(|entry| !entry.state.is_member()));
            statements.iter().all(is_there) && are_gone
        };
        self.members().iter().all(agrees)
    }

    /// Waits until all honest members hold the present statements of all others.
    pub(crate) async fn settle(&self) {
        assert!(until(LONG, || self.agrees()).await, "the views do not agree");
    }

    /// The honest members as the liar contacts them.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        self.honest.iter().map(|n| peer(&self.fleet, *n)).collect()
    }

    pub(crate) fn members(&self) -> Vec<Cluster> {
        self.honest.iter().map(|n| self.fleet.member(*n).clone()).collect()
    }

    /// What member `n` states about itself at present.
    pub(crate) fn statement(&self, n: usize) -> NodeStatus {
        let member = self.fleet.member(n);
        NodeStatus::clone(member.members().get(member.id()).expect("it knows itself"))
    }

    /// The names of the honest members that run.
    pub(crate) fn names(&self) -> Vec<NodeId> {
        self.fleet.ids(&self.honest)
    }

    /// Sends gossip to all members, in as many messages as it needs. Does not wait until they
    /// arrive.
    pub(crate) fn gossip_to_all(&self, gossip: &[Update]) {
        for some in gossip.chunks(UPDATES_AT_ONCE) {
            let body =
                codec::encode(&Message::Gossip { gossip: some.to_vec() }).expect("it is within the bounds");
            for to in self.peers() {
                let (liar, body) = (self.liar.clone(), body.clone());
                tokio::spawn(async move { liar.send_bytes(&to, body).await });
            }
        }
    }

    /// The sum of a counter of all honest members.
    pub(crate) fn sum(&self, counter: impl Fn(&kinfolk::GossipStats) -> u64) -> u64 {
        self.members().iter().map(|member| counter(&member.stats().gossip)).sum()
    }

    /// The number of datagrams and port checks of the honest members to an address.
    pub(crate) fn contacts(&self, to: NodeAddr) -> u64 {
        let from = |member: &Cluster| self.fleet.world.net.contacts(member.addr().socket().ip(), to.socket());
        self.members().iter().map(from).sum()
    }

    /// Runs an attack and watches all honest views, until 20 s after it. Asserts that no view was
    /// ever wrong, and that nobody contacted an invented address.
    pub(crate) async fn attack(&self, attack: impl AsyncFnOnce(&Self)) -> Seen {
        self.attack_and_watch(AFTERWARDS, attack).await
    }

    /// Does the same, and watches for this time after the attack.
    pub(crate) async fn attack_and_watch(
        &self,
        afterwards: Duration,
        attack: impl AsyncFnOnce(&Self),
    ) -> Seen {
        let watch = Watch::begin(self.members(), self.liar.id().clone(), self.gone.clone());
        tokio::select! {
            () = attack(self) => {}
            () = watch.problem() => {}
        }
        self.liar.set_lies(Lies::default());
        let ended = timeout(afterwards, watch.problem()).await;
        let seen = watch.end().await;
        let enough = afterwards.as_millis() / EVERY.as_millis();
        assert!(ended.is_ok() || u128::from(seen.samples) >= enough, "{} samples", seen.samples);
        assert!(seen.problems.is_empty(), "{} members: {:#?}", self.honest.len(), seen.problems);
        for n in 0..self.honest.len() + self.gone.len() {
            assert_eq!(self.contacts(nowhere(n)), 0, "somebody contacted {}", nowhere(n));
        }
        seen
    }

    /// Tells lies one after another, to all members and by all ways. The last parts of the lies are
    /// the answers to what the members ask.
    pub(crate) async fn tell(&self, lies: &[NodeStatus]) {
        for lie in lies {
            let gossip = vec![update(lie.clone())];
            let nodes = vec![Arc::new(lie.clone())];
            self.liar.set_lies(Lies { gossip: gossip.clone(), nodes: nodes.clone(), ..Lies::default() });
            let messages = [
                Message::Ping { digest: 0, gossip: gossip.clone() },
                Message::Sync { nodes, after: None, want: true, only: kinfolk_swim::Buckets::ALL },
                Message::Join { clock: self.liar.me().incarnation, me: Arc::new(lie.clone()) },
            ];
            let peers = self.peers();
            for peer in &peers {
                self.liar.send(peer, &Message::Gossip { gossip: gossip.clone() }).await;
                for message in &messages {
                    self.liar.ask(peer, message).await;
                }
                self.liar.be_pinged(peer).await;
            }
            self.liar.be_described(&peers).await;
            sleep(EACH_LIE).await;
        }
    }

    /// The liar leaves. Asserts that no honest member was declared failed, except those that really
    /// failed, and that the honest ones work: all views are equal, and a change reaches all.
    pub(crate) async fn end(self) {
        let peers = self.peers();
        let Self { fleet, liar, honest, failed, .. } = self;
        liar.leave(&peers).await;
        let names: Vec<NodeId> = fleet.ids(&honest).into_iter().filter(|id| !failed.contains(id)).collect();
        let failures = fleet.history.failures();
        assert!(failures.iter().all(|(_, id)| !names.contains(id)), "{failures:?}");
        fleet.settle(LONG).await;
        fleet.member(honest[1]).set_tag("after", "it").await.expect("it runs");
        let changed = || honest.iter().all(|n| !fleet.member(*n).nodes_with_tag("after", "it").is_empty());
        assert!(until(Duration::from_secs(5), changed).await, "the change reaches all");
        fleet.settle(LONG).await;
    }
}

/// An address at which no member runs, for a lie about member `n`.
pub(crate) fn nowhere(n: usize) -> NodeAddr {
    NodeAddr::new(World::addr(NOWHERE + n))
}

fn peer(fleet: &Fleet, n: usize) -> Peer {
    let member = fleet.member(n);
    Peer::new(member.id().clone(), member.addr())
}
