//! The handle: starts the driver, and lets the application join, leave, change tags, broadcast and stop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{EventBus, Incarnation, NodeId, NodeStatus, RegistryWriter, Rng, Tags};
use kinfolk_detector::{Evidence, HealthChecker, HealthVerdict, PartitionStatus, SuspicionStatus};
use kinfolk_swim::{Command, Input, Machine, Outcome, SwimConfig, SwimStats};
use kinfolk_transport::Peer;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::carrier::Carrier;
use crate::clock::Clock;
use crate::config::GossipConfig;
use crate::driver::{Ask, Driver, Ends};
use crate::error::{GossipError, JoinRefusal};
use crate::inbound::{Arrivals, Questions};
use crate::outbox::Outbox;
use crate::stats::{Counters, GossipStats};

/// What the protocol shares with the layers around it.
#[derive(Debug)]
pub struct Parts {
    /// The view of the group; the protocol enters our own statement.
    pub registry: RegistryWriter,
    /// Where events go.
    pub events: EventBus,
    /// Is told of every sign of life; its verdicts come back by [`SwimProtocol::health_verdict`].
    pub health: HealthChecker,
    /// The clock that the health checker is asked by too.
    pub clock: Clock,
    /// Where the incarnations that we may take are written down; `None` if they are not, and have no bound.
    pub reserve: Option<Reserve>,
    /// Whether it declines every message until it is [woken](SwimProtocol::wake): so a member that
    /// left on purpose stays out of the group when its process starts again.
    pub dormant: bool,
    /// Is told whom the group has forgotten, by whichever member.
    pub forgotten: Option<OnForgotten>,
}

/// Is called with each member that is forgotten, and up to which incarnation. It must not block:
/// the driver waits for it.
pub struct OnForgotten(Box<Told>);

type Told = dyn Fn(&NodeId, Incarnation) + Send;

impl OnForgotten {
    /// Has `call` called.
    pub fn new(call: impl Fn(&NodeId, Incarnation) + Send + 'static) -> Self {
        Self(Box::new(call))
    }

    pub(crate) fn call(&self, id: &NodeId, incarnation: Incarnation) {
        (self.0)(id, incarnation);
    }
}

impl fmt::Debug for OnForgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnForgotten").finish_non_exhaustive()
    }
}

/// How the protocol and whoever writes down its incarnation agree.
#[derive(Debug)]
pub struct Reserve {
    /// The highest incarnation that we may take to begin with; at least that of our first statement.
    pub up_to: Incarnation,
    /// Is told which one is wanted when that is above. The answer is [`SwimProtocol::reserved`]; what we want to say
    /// waits for it.
    pub wanted: watch::Sender<Incarnation>,
}

/// A running protocol. Clones share it; the last one dropped stops it.
#[derive(Debug, Clone)]
pub struct SwimProtocol {
    id: NodeId,
    asks: mpsc::Sender<Ask>,
    stop: Arc<watch::Sender<bool>>,
    awake: Arc<watch::Sender<bool>>,
    /// Closed when the driver has ended.
    ended: watch::Receiver<()>,
    swim: Arc<Mutex<SwimStats>>,
    counters: Arc<Counters>,
    partition: watch::Receiver<PartitionStatus>,
}

/// How a leave was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaveReport {
    /// How many members were told directly; all others hear of it by gossip.
    pub told: usize,
    /// How many of them confirmed it.
    pub confirmed: usize,
}

impl SwimProtocol {
    /// Starts the protocol for the member `me`, which must be a statement that it is alive. `seed` is the seed of its
    /// generator.
    ///
    /// # Errors
    /// [`GossipError::Config`] if a setting is out of its range.
    ///
    /// # Panics
    /// If `me` is not alive, or there is no tokio runtime.
    pub fn start<C: Carrier, I: Arrivals>(
        (swim, config): (SwimConfig, GossipConfig),
        me: NodeStatus,
        seed: u64,
        (carrier, arrivals): (C, I),
        parts: Parts,
    ) -> Result<Self, GossipError> {
        swim.validate()?;
        let Parts { registry, events, health, clock, reserve, dormant, forgotten } = parts;
        let id = me.id.clone();
        let mut machine = Machine::new(swim, me, registry, Rng::from_seed(seed), clock.now());
        let wanted = reserve.map(|Reserve { up_to, wanted }| {
            machine.handle(clock.now(), Input::Reserved { up_to });
            wanted
        });
        let counters = Arc::new(Counters::default());
        let (outbox, replies) =
            Outbox::new(carrier, config.outbox_max, config.answers_max, Arc::clone(&counters));
        let questions = Questions::new(config.answers_max, Arc::clone(&counters));
        let (asks, asked) = mpsc::channel(config.commands_max.max(1));
        let (stop, stopped) = watch::channel(false);
        let (awake, awoken) = watch::channel(!dormant);
        let (running, ended) = watch::channel(());
        let stats = Arc::new(Mutex::new(machine.stats()));
        let (told, partition) = watch::channel(machine.partition());
        let driver = Driver {
            machine,
            clock,
            declared_failed: false,
            told_lateness: Duration::ZERO,
            read_wall_clock_at: clock.now(),
            arrivals,
            questions,
            outbox,
            replies,
            asks: asked,
            ends: Ends::default(),
            wanted,
            stop: stopped,
            awake: awoken,
            forgotten,
            events,
            health,
            stats: Arc::clone(&stats),
            partition: told,
        };
        tokio::spawn(async move {
            driver.run().await;
            drop(running);
        });
        Ok(Self {
            id,
            asks,
            stop: Arc::new(stop),
            awake: Arc::new(awake),
            ended,
            swim: stats,
            counters,
            partition,
        })
    }

    /// Our name.
    pub fn id(&self) -> &NodeId {
        &self.id
    }

    /// From now on messages are taken in, if it was [dormant](Parts::dormant).
    pub fn wake(&self) {
        self.awake.send_replace(true);
    }

    /// Joins through `peer`: exchanges views with it. Returns how many members we then know, ourselves included.
    ///
    /// # Errors
    /// [`GossipError::Join`] if it did not go through with it, [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// The exchange goes on when the future is dropped.
    pub async fn join(&self, peer: &Peer) -> Result<usize, GossipError> {
        match self.command(Command::Join { id: peer.id.clone(), addr: peer.addr }).await? {
            Outcome::Joined { members } => Ok(members),
            Outcome::JoinFailed { why } => Err(GossipError::Join { peer: peer.id.clone(), why: why.into() }),
            _ => Err(GossipError::Join { peer: peer.id.clone(), why: JoinRefusal::Local }),
        }
    }

    /// Says that we leave, and waits until those told directly have confirmed it or 2 s have passed. Calling it again
    /// says how far the first has got.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// The leave goes on when the future is dropped.
    pub async fn leave(&self) -> Result<LeaveReport, GossipError> {
        match self.command(Command::Leave).await? {
            Outcome::Left { confirmed, told } => Ok(LeaveReport { told, confirmed }),
            _ => Err(GossipError::Stopped),
        }
    }

    /// Replaces our tags.
    ///
    /// # Errors
    /// [`GossipError::Command`] if we have left, [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// They may be replaced even if the future is dropped.
    pub async fn set_tags(&self, tags: Tags) -> Result<(), GossipError> {
        match self.command(Command::SetTags(tags)).await? {
            Outcome::TagsSet(set) => Ok(set?),
            _ => Err(GossipError::Stopped),
        }
    }

    /// Sends `payload` to all members; they read it as [`ClusterEvent::Broadcast`](kinfolk_core::ClusterEvent). It is
    /// not told to ourselves. At most [`USER_PAYLOAD_MAX`](kinfolk_swim::codec::USER_PAYLOAD_MAX) bytes.
    ///
    /// # Errors
    /// [`GossipError::Command`] if it is too large or we have left, [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// It may be sent even if the future is dropped.
    pub async fn broadcast(&self, payload: Bytes) -> Result<(), GossipError> {
        match self.command(Command::Broadcast(payload)).await? {
            Outcome::Broadcast(sent) => Ok(sent?),
            _ => Err(GossipError::Stopped),
        }
    }

    /// Removes the tombstone of a failed or left member, here at once and at all others by gossip.
    /// `remembered` is what is known of it beside the registry; it counts where the registry does
    /// not know the member. Returns what was known of it.
    ///
    /// # Errors
    /// [`GossipError::Forget`] if the member still belongs, is not known, or is this one, or if we
    /// have left; [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// It may be forgotten even if the future is dropped.
    pub async fn forget(
        &self,
        id: NodeId,
        remembered: Option<Arc<NodeStatus>>,
    ) -> Result<Arc<NodeStatus>, GossipError> {
        match self.command(Command::Forget { id, remembered }).await? {
            Outcome::Forgotten(forgotten) => Ok(forgotten?),
            _ => Err(GossipError::Stopped),
        }
    }

    /// Hands over a verdict of the health checker.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// The verdict is lost if the future is dropped while the queue is full.
    pub async fn health_verdict(&self, verdict: HealthVerdict) -> Result<(), GossipError> {
        self.asks.send(Ask::Health(verdict)).await.map_err(|_| GossipError::Stopped)
    }

    /// Says that the incarnations up to this one may be taken: they are written down.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// It is not said if the future is dropped while the queue is full.
    pub async fn reserved(&self, up_to: Incarnation) -> Result<(), GossipError> {
        self.asks.send(Ask::Reserved(up_to)).await.map_err(|_| GossipError::Stopped)
    }

    /// What we have found out about a member, and what we were told of it: the latest findings with their evidence, the
    /// oldest first, at most 8. Empty for a member that never gave cause for any.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// Nothing is left behind.
    pub async fn explain(&self, id: NodeId) -> Result<Vec<Evidence>, GossipError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Explain(id, answer)).await.map_err(|_| GossipError::Stopped)?;
        answered.await.map_err(|_| GossipError::Stopped)
    }

    /// The members that do not answer this one, or that are suspect in its view, ordered by name.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// Nothing is left behind.
    pub async fn suspicions(&self) -> Result<Vec<SuspicionStatus>, GossipError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Suspicions(answer)).await.map_err(|_| GossipError::Stopped)?;
        answered.await.map_err(|_| GossipError::Stopped)
    }

    /// Counters.
    pub fn stats(&self) -> GossipStats {
        self.counters.read(&self.swim.lock())
    }

    /// How the group stands: it changes whenever that does, and is closed when the driver has ended.
    pub fn partition(&self) -> watch::Receiver<PartitionStatus> {
        self.partition.clone()
    }

    /// Ends the driver and whatever it has on its way, without a word to anybody, and does not wait for it.
    pub fn signal_stop(&self) {
        self.stop.send_replace(true);
    }

    /// As [`signal_stop`](Self::signal_stop), and waits until the driver has ended. Calling it again only waits.
    ///
    /// # Cancel safety
    /// The driver ends even if the future is dropped.
    pub async fn stop(&self) {
        self.signal_stop();
        self.ended().await;
    }

    /// Waits until the driver has ended.
    ///
    /// # Cancel safety
    /// Nothing is left behind.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        // Nothing is ever sent: the channel closes when the driver has ended.
        while ended.changed().await.is_ok() {}
    }

    async fn command(&self, command: Command) -> Result<Outcome, GossipError> {
        let (end, ended) = oneshot::channel();
        self.asks.send(Ask::Command(command, end)).await.map_err(|_| GossipError::Stopped)?;
        ended.await.map_err(|_| GossipError::Stopped)
    }
}
