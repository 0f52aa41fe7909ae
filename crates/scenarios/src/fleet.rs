//! A fleet: the members of one cluster on the machines of a world, with their events and the checks
//! of their views.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::time::Duration;

use kinfolk::{Cluster, ClusterConfig, Incarnation, NodeId, NodeState, NodeStatus, Tags};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::history::History;
use crate::wait::until;
use crate::world::World;

/// Members `n0`, `n1`, ... on the machines of the same numbers. `n0` is the first seed of all.
pub struct Fleet {
    /// The world in which the fleet runs.
    pub world: World,
    /// The events of its members.
    pub history: History,
    /// The machines through which members join.
    pub seeds: Vec<usize>,
    begin: Instant,
    configs: Vec<ClusterConfig>,
    running: BTreeMap<usize, Cluster>,
    instances: Vec<usize>,
    /// The folder of the members' state directories, if they have any.
    state_dirs: Option<TempDir>,
}

/// The part of a member's entry on which all must agree.
type Known = (NodeId, NodeState, Incarnation, Tags);

impl Fleet {
    /// Makes `size` members, none of which runs yet.
    pub fn new(world: World, size: usize) -> Self {
        let config = |n| {
            let mut config = ClusterConfig::new(world.identity(&format!("n{n}")), World::addr(n));
            // Scenarios of partitions check the read-only signal.
            config.read_only_in_minority = true;
            config
        };
        let configs = (0..size).map(config).collect();
        let history = History::default();
        let begin = Instant::now();
        Self {
            world,
            history,
            seeds: vec![0],
            begin,
            configs,
            running: BTreeMap::new(),
            instances: vec![0; size],
            state_dirs: None,
        }
    }

    /// Gives each member a state directory, from its next instance on.
    ///
    /// # Panics
    /// If the directory cannot be made.
    pub fn keep_state(&mut self) {
        let state_dirs = tempfile::tempdir().expect("a temporary directory can be made");
        for (n, config) in self.configs.iter_mut().enumerate() {
            config.state_dir = Some(state_dirs.path().join(format!("n{n}")));
        }
        self.state_dirs = Some(state_dirs);
    }

    /// The configuration of the next instance of member `n`.
    pub fn config(&mut self, n: usize) -> &mut ClusterConfig {
        &mut self.configs[n]
    }

    /// Starts `size` members and waits until they are one cluster.
    ///
    /// # Panics
    /// If they are not within a minute.
    pub async fn formed(world: World, size: usize) -> Self {
        let mut fleet = Self::new(world, size);
        fleet.start_all(&(0..size).collect::<Vec<_>>()).await;
        fleet.settle(Duration::from_mins(1)).await;
        fleet
    }

    /// The name of member `n`.
    pub fn id(&self, n: usize) -> NodeId {
        self.configs[n].identity.id().clone()
    }

    /// The names of some members.
    pub fn ids(&self, of: &[usize]) -> Vec<NodeId> {
        of.iter().map(|n| self.id(*n)).collect()
    }

    /// The running member `n`.
    ///
    /// # Panics
    /// If it does not run.
    pub fn member(&self, n: usize) -> &Cluster {
        &self.running[&n]
    }

    /// Starts some members at the same moment, and makes them join through the seeds.
    ///
    /// # Panics
    /// If a member cannot start, or its join fails.
    pub async fn start_all(&mut self, which: &[usize]) {
        let seeds: Vec<String> = self.seeds.iter().map(|n| World::addr(*n).to_string()).collect();
        let mut joins = JoinSet::new();
        for n in which {
            let member = self.start(*n);
            let seeds = seeds.clone();
            joins.spawn(async move { member.join(&seeds).await });
        }
        for joined in joins.join_all().await {
            joined.expect("a seed can be reached");
        }
    }

    /// Starts member `n`, without a join.
    ///
    /// # Panics
    /// If it cannot start.
    pub fn start(&mut self, n: usize) -> Cluster {
        self.start_at(n, self.world.since_epoch())
    }

    /// Does the same as [`start`](Self::start), on a machine whose clock is `since_epoch` after the
    /// Unix epoch.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_at(&mut self, n: usize, since_epoch: Duration) -> Cluster {
        // Each instance draws other random numbers, as a restarted process does.
        let host = self.world.host(n, self.instances[n]);
        let member = Cluster::start_on(self.configs[n].clone(), host, since_epoch);
        let member = member.expect("the address is free and the settings are good");
        self.history.record(self.id(n), self.begin, member.subscribe());
        // Two instances of one member would be a fault of the scenario.
        let before = self.running.insert(n, member.clone());
        assert!(before.is_none(), "n{n} runs already");
        member
    }

    /// Ends members like a crash, all at the same moment.
    ///
    /// # Panics
    /// If a member does not run, or its ports are not free within a second.
    pub async fn crash(&mut self, which: &[usize]) {
        for n in which {
            let member = self.running.remove(n).expect("only a running member can crash");
            member.shutdown_now();
            self.instances[*n] += 1;
        }
        // Sockets and the lock of the state directory are released by tasks that end a moment
        // later.
        let free =
            || which.iter().all(|n| self.world.net.sockets_of(World::ip(*n)) == 0 && self.is_unlocked(*n));
        assert!(until(Duration::from_secs(1), free).await, "a crash frees the ports");
    }

    /// Makes a member leave permanently, and stops it.
    ///
    /// # Panics
    /// If it does not run, or its shutdown is not clean.
    pub async fn leave(&mut self, n: usize) {
        let left = self.member(n).leave().await;
        assert!(left.is_ok(), "n{n}: {left:?}");
        self.stop(n).await;
    }

    /// Stops a member gracefully, as a service manager does. It sends a leave to the others, but
    /// may rejoin by itself later.
    ///
    /// # Panics
    /// If it does not run, or its shutdown is not clean.
    pub async fn stop(&mut self, n: usize) {
        let member = self.running.remove(&n).expect("only a running member can stop");
        let report = member.shutdown().await;
        assert!(report.is_clean(), "n{n}: {report:?}\n{}", self.report());
        self.instances[n] += 1;
    }

    /// Lets time pass.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Waits until all running members have the same view: all of them alive, with the same
    /// incarnations and tags.
    ///
    /// # Panics
    /// If that does not happen within `limit`. The message has all views and the history.
    pub async fn settle(&self, limit: Duration) {
        self.settle_apart(&[&self.numbers()], limit).await;
    }

    /// Does the same as [`settle`](Self::settle), for parts of the fleet that each see only
    /// themselves.
    ///
    /// # Panics
    /// As [`settle`](Self::settle).
    pub async fn settle_apart(&self, parts: &[&[usize]], limit: Duration) {
        let settled = until(limit, || parts.iter().all(|part| self.is_settled(part))).await;
        assert!(settled, "not {parts:?} within {limit:?}\n{}", self.report());
    }

    /// Whether the views of these members are equal and hold exactly these members, all alive.
    pub fn is_settled(&self, part: &[usize]) -> bool {
        let mut views = part.iter().map(|n| self.view(*n));
        let Some(first) = views.next() else { return true };
        let names: BTreeSet<NodeId> = part.iter().map(|n| self.id(*n)).collect();
        let all_alive = first.iter().all(|known| known.1 == NodeState::Alive);
        let complete = first.iter().map(|known| known.0.clone()).eq(names);
        all_alive && complete && views.all(|view| view == first)
    }

    /// Asserts that no member was declared failed.
    ///
    /// # Panics
    /// If a member was.
    pub fn assert_no_failure(&self) {
        assert_eq!(self.history.failures(), [], "{}", self.report());
    }

    /// For each pair `(by, victims)`: asserts that each of `by` declared each of `victims` failed
    /// exactly once. There must be no other failures.
    ///
    /// # Panics
    /// If the failures differ.
    pub fn assert_failures(&self, expected: &[(&[usize], &[usize])]) {
        let pairs = |(by, victims): &(&[usize], &[usize])| -> Vec<_> {
            let victims = self.ids(victims);
            self.ids(by)
                .into_iter()
                .flat_map(|by| {
                    victims.iter().map(move |victim| (by.clone(), victim.clone())).collect::<Vec<_>>()
                })
                .collect()
        };
        let mut expected: Vec<_> = expected.iter().flat_map(pairs).collect();
        let mut found = self.history.failures();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{}", self.report());
    }

    /// Makes every member leave, and asserts that the network has no sockets left. Returns the
    /// history.
    ///
    /// # Panics
    /// If a shutdown is not clean, or a socket is left.
    pub async fn end(mut self) -> Vec<String> {
        for n in self.numbers() {
            self.leave(n).await;
        }
        // Closing connections takes some virtual time. Nothing may be left after it.
        let closed = until(Duration::from_secs(10), || self.world.net.socket_count() == 0).await;
        assert!(closed, "{} sockets are left", self.world.net.socket_count());
        self.history.lines()
    }

    /// Whether member `n` has released the lock of its state directory, if it has one.
    fn is_unlocked(&self, n: usize) -> bool {
        let lock = self.configs[n].state_dir.as_ref().map(|dir| File::open(dir.join("kinfolk.lock")));
        lock.is_none_or(|lock| lock.is_ok_and(|lock| lock.try_lock().is_ok()))
    }

    fn numbers(&self) -> Vec<usize> {
        self.running.keys().copied().collect()
    }

    fn view(&self, n: usize) -> Vec<Known> {
        let known = |node: &std::sync::Arc<NodeStatus>| {
            (node.id.clone(), node.state, node.incarnation, node.tags.clone())
        };
        self.member(n).members().members().map(known).collect()
    }

    /// All views and the whole history, for the message of a failed assertion.
    fn report(&self) -> String {
        let mut text = String::new();
        for n in self.numbers() {
            writeln!(text, "n{n} sees:").expect("a String takes all");
            for (id, state, incarnation, _) in self.view(n) {
                writeln!(text, "    {id} {state:?} @{incarnation}").expect("a String takes all");
            }
        }
        for line in self.history.lines() {
            writeln!(text, "{line}").expect("a String takes all");
        }
        text
    }
}
