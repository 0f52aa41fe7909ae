//! The handle. It starts the driver, and lets the application join, leave, change tags, broadcast,
//! and stop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::signed::Revocation;
use kinfolk_core::{About, EventBus, Fill, Incarnation, NodeId, NodeStatus, RegistryWriter, Rng};
use kinfolk_detector::{Evidence, HealthChecker, HealthVerdict, PartitionStatus, SuspicionStatus};
use kinfolk_swim::{Command, CommandId, Input, Machine, Outcome, Revoked, SwimConfig, SwimStats};
use kinfolk_transport::{NodeIdentity, Peer, RevokedCertificates, WallClock};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::carrier::Carrier;
use crate::clock::Clock;
use crate::config::GossipConfig;
use crate::driver::{Call, Driver, PendingCommands};
use crate::error::{GossipError, JoinRefusal};
use crate::inbound::{Arrivals, PeerRequests};
use crate::outbox::{Outbox, Permits};
use crate::stats::{Counters, GossipQueues, GossipStats};
use crate::verification::{Certificates, Verification};

/// What the protocol shares with the layers around it.
#[derive(Debug)]
pub struct Parts {
    /// The view of the group. The protocol adds this member to it.
    pub registry: RegistryWriter,
    /// The bus for events.
    pub events: EventBus,
    /// Receives each heartbeat. The caller passes its verdicts to [`SwimProtocol::health_verdict`].
    pub health: HealthChecker,
    /// The clock. The health checker must use the same one.
    pub clock: Clock,
    /// The reservation of incarnations in a state directory. With `None` this member may take any
    /// incarnation.
    pub reserve: Option<Reserve>,
    /// The identity of this member: it signs what the member states, and verifies what others do.
    pub identity: NodeIdentity,
    /// The certificates of other members that are known at the start. The protocol adds those that
    /// it receives.
    pub certificates: Certificates,
    /// The clock by which certificates are valid: that of the transport.
    pub certificate_clock: WallClock,
    /// The revocations that are known at the start, each verified. The transport shares them.
    pub revoked: RevokedCertificates,
    /// Receives each revocation that is new here.
    pub on_revoked: Option<OnRevoked>,
    /// Whether the protocol declines every message until [`SwimProtocol::wake`]. So a member that
    /// left on purpose stays out of the group when its process starts again.
    pub dormant: bool,
    /// Is called when the group forgets a member, on request of this member or of another one.
    pub forgotten: Option<OnForgotten>,
}

/// A callback for each forgotten member. Its arguments are the member, and the incarnation up to
/// which it is forgotten. It must not block: the driver waits for it.
pub struct OnForgotten(Box<Callback>);

type Callback = dyn Fn(&NodeId, Incarnation) + Send;

impl OnForgotten {
    /// Wraps `call`.
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

/// A callback for each revocation that is new here. It must not block: the driver waits for it.
pub struct OnRevoked(Box<dyn Fn(&Revocation) + Send>);

impl OnRevoked {
    /// Wraps `call`.
    pub fn new(call: impl Fn(&Revocation) + Send + 'static) -> Self {
        Self(Box::new(call))
    }

    pub(crate) fn call(&self, revocation: &Revocation) {
        (self.0)(revocation);
    }
}

impl fmt::Debug for OnRevoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnRevoked").finish_non_exhaustive()
    }
}

/// Connects the protocol with the code that writes its incarnation to disk. The protocol takes no
/// incarnation before it is written, so that no crash can set the incarnation back (decision 9).
#[derive(Debug)]
pub struct Reserve {
    /// The highest incarnation that this member may take at first. At least its first incarnation.
    pub up_to: Incarnation,
    /// Receives the incarnation that the protocol needs, if it is above the reserved ones. The
    /// caller writes it and answers with [`SwimProtocol::reserved`]. The protocol's statement waits
    /// for this.
    pub wanted: watch::Sender<Incarnation>,
}

/// A running protocol. Clones share it. It stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct SwimProtocol {
    id: NodeId,
    calls: mpsc::Sender<Call>,
    stop: Arc<watch::Sender<bool>>,
    awake: Arc<watch::Sender<bool>>,
    /// Carries no value. It closes when the driver has ended.
    ended: watch::Receiver<()>,
    swim: Arc<Mutex<SwimStats>>,
    counters: Arc<Counters>,
    permits: Permits,
    partition: watch::Receiver<PartitionStatus>,
}

/// The result of a leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaveReport {
    /// The number of members that this member notified directly, at most 32. All others receive the
    /// leave by gossip.
    pub notified: usize,
    /// The number of notified members that confirmed the leave.
    pub confirmed: usize,
}

impl SwimProtocol {
    /// Starts the protocol for the member `me`, whose state must be alive. `seed` is the seed of
    /// the random number generator.
    ///
    /// # Errors
    /// [`GossipError::Config`] if a setting is out of its range.
    ///
    /// # Panics
    /// If the state of `me` is not alive, if `me` is not the member of the identity, or there is no
    /// tokio runtime.
    pub fn start<C: Carrier, I: Arrivals>(
        (swim, config): (SwimConfig, GossipConfig),
        me: NodeStatus,
        seed: u64,
        (carrier, arrivals): (C, I),
        parts: Parts,
    ) -> Result<Self, GossipError> {
        swim.validate()?;
        assert_eq!(&me.id, parts.identity.id(), "a member starts under the name in its certificate");
        let Parts { registry, events, health, clock, reserve, identity, .. } = parts;
        let Parts { certificates, certificate_clock, revoked, on_revoked, dormant, forgotten, .. } = parts;
        let (id, view) = (me.id.clone(), registry.view());
        let known = view.clone();
        let signer = Arc::new(identity.signer());
        let mut machine = Machine::new(swim, me, signer, registry, Rng::from_seed(seed), clock.now());
        let wanted = reserve.map(|Reserve { up_to, wanted }| {
            // Before the first input, so that no claim can raise the incarnation above the written
            // one.
            machine.handle(clock.now(), Input::Reserved { up_to });
            wanted
        });
        machine.handle(clock.now(), Input::WallClock { since_epoch: clock.since_epoch() });
        for (number, revocation) in revoked.all().into_iter().enumerate() {
            // Known before the first message. The driver waits for no outcome of these.
            let id = CommandId(u64::MAX - number as u64);
            machine.handle(clock.now(), Input::Command { id, command: Command::Revoke(revocation) });
        }
        let counters = Arc::new(Counters::default());
        certificates.insert(identity.certificate(), &view);
        let verification = Verification::start(
            &identity,
            (view, certificates.clone()),
            carrier.clone(),
            (clock, certificate_clock, Arc::clone(&counters)),
            revoked.clone(),
        );
        let (outbox, replies) =
            Outbox::new(carrier, config.outbox_max, config.answers_max, Arc::clone(&counters));
        let permits = outbox.permits();
        let requests = PeerRequests::new(config.answers_max, Arc::clone(&counters));
        // A tokio channel with a capacity of 0 panics.
        let (calls, received) = mpsc::channel(config.commands_max.max(1));
        let (stop, stopped) = watch::channel(false);
        let (awake, awoken) = watch::channel(!dormant);
        let (running, ended) = watch::channel(());
        let stats = Arc::new(Mutex::new(machine.stats()));
        let (partition_sender, partition) = watch::channel(machine.partition());
        let driver = Driver {
            machine,
            clock,
            declared_failed: false,
            reported_lateness: Duration::ZERO,
            read_wall_clock_at: clock.now(),
            arrivals,
            requests,
            outbox,
            replies,
            verification,
            certificates,
            registry: known,
            calls: received,
            commands: PendingCommands::default(),
            wanted,
            stop: stopped,
            awake: awoken,
            forgotten,
            revoked,
            on_revoked,
            identity: identity.clone(),
            events,
            health,
            stats: Arc::clone(&stats),
            partition: partition_sender,
        };
        tokio::spawn(async move {
            driver.run().await;
            // After the driver: `ended` then means that the driver and its outbox are dropped.
            drop(running);
        });
        Ok(Self {
            id,
            calls,
            stop: Arc::new(stop),
            awake: Arc::new(awake),
            ended,
            swim: stats,
            counters,
            permits,
            partition,
        })
    }

    /// The name of this member.
    pub fn id(&self) -> &NodeId {
        &self.id
    }

    /// Ends the [dormant](Parts::dormant) state: the driver accepts messages from now on.
    pub fn wake(&self) {
        self.awake.send_replace(true);
    }

    /// Joins the group through `peer`: both members exchange views. Returns the number of members
    /// that this member then knows, itself included.
    ///
    /// # Errors
    /// [`GossipError::Join`] with the cause if the join failed, [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// The exchange continues when the future is dropped.
    pub async fn join(&self, peer: &Peer) -> Result<usize, GossipError> {
        match self.command(Command::Join { id: peer.id.clone(), addr: peer.addr }).await? {
            Outcome::Joined { members } => Ok(members),
            Outcome::JoinFailed { why } => Err(GossipError::Join { peer: peer.id.clone(), why: why.into() }),
            // No other outcome ends a join. `Local` blames nobody.
            _ => Err(GossipError::Join { peer: peer.id.clone(), why: JoinRefusal::Local }),
        }
    }

    /// Leaves the group. Notifies up to 32 members directly, and waits until each has confirmed the
    /// leave or 2 s have passed. A second call returns the present state of the first leave.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// The leave continues when the future is dropped.
    pub async fn leave(&self) -> Result<LeaveReport, GossipError> {
        match self.command(Command::Leave).await? {
            Outcome::Left { confirmed, notified } => Ok(LeaveReport { notified, confirmed }),
            _ => Err(GossipError::Stopped),
        }
    }

    /// Replaces what this member says about itself. `revision` orders the calls of several tasks: a
    /// call with a lower revision than an earlier one changes nothing.
    ///
    /// # Errors
    /// [`GossipError::Command`] if this member has left, [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// The description may be replaced even if the future is dropped.
    pub async fn describe(&self, about: About, revision: u64) -> Result<(), GossipError> {
        match self.command(Command::Describe { about, revision }).await? {
            Outcome::Described(described) => Ok(described?),
            _ => Err(GossipError::Stopped),
        }
    }

    /// Sends `payload` to all other members. They receive it as
    /// [`ClusterEvent::Broadcast`](kinfolk_core::ClusterEvent). At most
    /// [`USER_PAYLOAD_MAX`](kinfolk_swim::codec::USER_PAYLOAD_MAX) bytes.
    ///
    /// # Errors
    /// [`GossipError::Command`] if it is too large or this member has left,
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// The broadcast may be sent even if the future is dropped.
    pub async fn broadcast(&self, payload: Bytes) -> Result<(), GossipError> {
        match self.command(Command::Broadcast(payload)).await? {
            Outcome::Broadcast(sent) => Ok(sent?),
            _ => Err(GossipError::Stopped),
        }
    }

    /// Removes the tombstone of a failed or left member, here at once and at all others by gossip.
    /// `remembered` is the caller's own record of the member. It is used if the registry does not
    /// know the member. Returns the last known status of the member.
    ///
    /// # Errors
    /// [`GossipError::Forget`] if the member is alive or suspect, is not known, or is this member,
    /// or if this member has left, or if too many updates wait; [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// The member may be forgotten even if the future is dropped.
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

    /// Asks a member whether its view differs from this member's, and exchanges views if it does.
    /// Returns whether the member is asked: not while another comparison runs, and not if it is no
    /// living member here. It returns before the answer comes.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// The member may be asked even if the future is dropped.
    pub async fn compare(&self, member: NodeId) -> Result<bool, GossipError> {
        match self.command(Command::Compare(member)).await? {
            Outcome::Comparing(asked) => Ok(asked),
            _ => Err(GossipError::Stopped),
        }
    }

    /// Keeps a revocation, and sends it to all members. The caller has verified it. Its member is
    /// removed from the view, here at once.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// The revocation may be kept even if the future is dropped.
    pub async fn revoke(&self, revocation: Revocation) -> Result<Revoked, GossipError> {
        match self.command(Command::Revoke(revocation)).await? {
            Outcome::Revoked(revoked) => Ok(revoked),
            _ => Err(GossipError::Stopped),
        }
    }

    /// Passes a verdict of the health checker to the driver.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// If the future is dropped while the queue is full, the driver does not receive the verdict.
    pub async fn health_verdict(&self, verdict: HealthVerdict) -> Result<(), GossipError> {
        self.calls.send(Call::Health(verdict)).await.map_err(|_| GossipError::Stopped)
    }

    /// Signs with the key of this identity from now on, and verifies with its authorities. If the
    /// certificate is a new one, this member states itself again, so that all others learn of it.
    /// The transport must have the identity already.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// If the future is dropped while the queue is full, the driver does not receive the identity.
    pub async fn rotate(&self, identity: NodeIdentity) -> Result<(), GossipError> {
        self.calls.send(Call::Identity(identity)).await.map_err(|_| GossipError::Stopped)
    }

    /// Allows the protocol to take incarnations up to `up_to`. The caller has written them to disk.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// If the future is dropped while the queue is full, the driver does not receive the value.
    pub async fn reserved(&self, up_to: Incarnation) -> Result<(), GossipError> {
        self.calls.send(Call::Reserved(up_to)).await.map_err(|_| GossipError::Stopped)
    }

    /// Returns the latest findings about a member with their evidence: this member's own findings,
    /// and claims that it received. Oldest first, at most 8. Empty if there is no finding about the
    /// member.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the driver.
    pub async fn explain(&self, id: NodeId) -> Result<Vec<Evidence>, GossipError> {
        let (answer, answered) = oneshot::channel();
        self.calls.send(Call::Explain(id, answer)).await.map_err(|_| GossipError::Stopped)?;
        answered.await.map_err(|_| GossipError::Stopped)
    }

    /// Returns the members that do not answer this one, or that are suspect in its view, ordered by
    /// name.
    ///
    /// # Errors
    /// [`GossipError::Stopped`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the driver.
    pub async fn suspicions(&self) -> Result<Vec<SuspicionStatus>, GossipError> {
        let (answer, answered) = oneshot::channel();
        self.calls.send(Call::Suspicions(answer)).await.map_err(|_| GossipError::Stopped)?;
        answered.await.map_err(|_| GossipError::Stopped)
    }

    /// The counters of the driver and of the machine, and the queues of the driver.
    pub fn stats(&self) -> GossipStats {
        let calls = Fill::with_room(self.calls.max_capacity(), self.calls.capacity());
        let swim = *self.swim.lock();
        self.counters.read(&swim, GossipQueues { calls, ..self.permits.queues() })
    }

    /// The partition status. The channel changes when the status changes, and closes when the
    /// driver has ended.
    pub fn partition(&self) -> watch::Receiver<PartitionStatus> {
        self.partition.clone()
    }

    /// Stops the driver and cancels its messages. Notifies no other member, and does not wait.
    pub fn signal_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Does the same as [`signal_stop`](Self::signal_stop), then waits until the driver has ended.
    /// A second call only waits.
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
    /// Dropping the future has no effect on the driver.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        // No value is ever sent. The channel closes when the driver has ended.
        while ended.changed().await.is_ok() {}
    }

    async fn command(&self, command: Command) -> Result<Outcome, GossipError> {
        let (end, ended) = oneshot::channel();
        self.calls.send(Call::Command(command, end)).await.map_err(|_| GossipError::Stopped)?;
        ended.await.map_err(|_| GossipError::Stopped)
    }
}
