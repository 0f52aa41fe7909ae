//! The event loop. It owns the machine, passes each input to it, and performs its outputs. It never
//! waits for a peer, and no other task accesses the machine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::Revocation;
use kinfolk_core::{EventBus, Incarnation, Instant, NodeId, RegistryView};
use kinfolk_detector::{Evidence, HealthChecker, HealthVerdict, PartitionStatus, SuspicionStatus};
use kinfolk_swim::{
    Command, CommandId, Input, Machine, NoReply, Outcome, Output, RefusedClaim, RefusedJoin, Signer,
    SwimStats,
};
use kinfolk_transport::{NodeIdentity, Peer, RevokedCertificates};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::carrier::Carrier;
use crate::clock::Clock;
use crate::error::date;
use crate::inbound::{Arrival, Arrivals, PeerRequests, Received};
use crate::outbox::{End, Outbox};
use crate::protocol::{OnForgotten, OnRevoked};
use crate::verification::{Admitted, Certificates, Checked, Then, Unchecked, Verification, wire};

/// How often the driver passes the wall clock to the machine. After an operator corrects the clock,
/// the machine uses the new time within 1 s.
const WALL_CLOCK_READ_EVERY: Duration = Duration::from_secs(1);

/// A message that waited in the queue at least this long shows that this member is late. 50 ms is
/// half of the lateness from which on a member judges nobody (100 ms, `lateness.rs` of
/// kinfolk-detector).
const LATE_AFTER: Duration = Duration::from_millis(50);

/// The carrier receives the lateness again when it has changed by this much. Lateness decays all
/// the time, and the carrier needs no small changes.
const LATENESS_STEP: Duration = Duration::from_millis(20);

/// A call of the handle.
#[derive(Debug)]
pub(crate) enum Call {
    /// A command of the application, and the channel for its outcome.
    Command(Command, oneshot::Sender<Outcome>),
    /// A verdict of the health checker.
    Health(HealthVerdict),
    /// The highest incarnation that this member may take.
    Reserved(Incarnation),
    /// The certificate, the key, or the authorities of this member were replaced.
    Identity(NodeIdentity),
    /// A query for the findings about a member.
    Explain(NodeId, oneshot::Sender<Vec<Evidence>>),
    /// A query for the members that are suspect or do not answer.
    Suspicions(oneshot::Sender<Vec<SuspicionStatus>>),
}

/// What the driver waits for.
enum Woken<A> {
    /// A timer, or the end of back-pressure.
    Input(Input),
    Call(Call),
    /// A request of this member has ended.
    Ended(End),
    /// The verification of a message has ended.
    Checked(Checked),
    /// A frame of a peer.
    Arrived(Arrival<A>),
}

/// The event loop with all its state.
pub(crate) struct Driver<C, I: Arrivals> {
    pub machine: Machine,
    pub clock: Clock,
    /// Whether the last log line said that other members declared this member failed.
    pub declared_failed: bool,
    /// The lateness that the carrier received last.
    pub reported_lateness: Duration,
    /// When the driver reads the wall clock next.
    pub read_wall_clock_at: Instant,
    pub arrivals: I,
    pub requests: PeerRequests<I::Answerer>,
    pub outbox: Outbox<C>,
    pub replies: mpsc::Receiver<End>,
    pub verification: Verification,
    /// The certificates that this member can give to others.
    pub certificates: Certificates,
    /// Says which certificates are in use.
    pub registry: RegistryView,
    pub calls: mpsc::Receiver<Call>,
    pub commands: PendingCommands,
    /// Receives the incarnation that the machine wants reserved.
    pub wanted: Option<watch::Sender<Incarnation>>,
    pub stop: watch::Receiver<bool>,
    /// False while the member is dormant: the driver then declines every message.
    pub awake: watch::Receiver<bool>,
    pub forgotten: Option<OnForgotten>,
    /// The revocations that the transport and the verification apply.
    pub revoked: RevokedCertificates,
    pub on_revoked: Option<OnRevoked>,
    /// The identity of this member.
    pub identity: NodeIdentity,
    pub events: EventBus,
    pub health: HealthChecker,
    pub stats: Arc<Mutex<SwimStats>>,
    pub partition: watch::Sender<PartitionStatus>,
}

/// The commands that have no outcome yet. The machine runs a bounded number of commands at a time,
/// which bounds this map too.
#[derive(Debug, Default)]
pub(crate) struct PendingCommands {
    waiting: HashMap<CommandId, oneshot::Sender<Outcome>>,
    started: u64,
}

impl<C: Carrier, I: Arrivals> Driver<C, I> {
    /// Runs until a stop is requested, the last handle is dropped, or the transport is closed.
    pub(crate) async fn run(mut self) {
        loop {
            // Before the wait: a start leaves outputs too, and a later input must not delay them.
            self.perform_outputs();
            let Some(input) = self.next_input().await else { return };
            // Both a message and a reply prove that their sender is alive.
            if let Input::Message { from, .. } | Input::Reply { from, .. } = &input {
                self.record_heartbeat(from);
            }
            let now = self.clock.now();
            // Before the input, because the machine checks claims against the wall clock.
            self.read_wall_clock(now);
            self.machine.handle(now, input);
            self.report_lateness(now);
            self.log_declared_failed();
            *self.stats.lock() = self.machine.stats();
            let partition = self.machine.partition();
            // Only a change notifies: an application that waits for one must not wake at each step.
            self.partition.send_if_modified(|known| std::mem::replace(known, partition) != partition);
        }
    }

    /// Waits for the next input of the machine.
    async fn next_input(&mut self) -> Option<Input> {
        loop {
            let input = match self.wait().await? {
                Woken::Input(input) | Woken::Ended(End::Input(input)) => Some(input),
                Woken::Call(Call::Identity(identity)) => Some(self.rotate(&identity)),
                Woken::Call(call) => input_of(self.clock.now(), call, &mut self.commands, &self.machine),
                Woken::Ended(End::Answered(unchecked)) => self.admit(unchecked),
                Woken::Checked(checked) => Some(self.checked(checked)),
                Woken::Arrived(arrival) => self.receive(arrival),
            };
            if input.is_some() {
                return input;
            }
        }
    }

    /// Waits until something happens. This member's own work comes before the messages of peers. So
    /// a flood of messages cannot delay replies, commands, and timers.
    async fn wait(&mut self) -> Option<Woken<I::Answerer>> {
        let due = self.machine.next_timeout().map(|at| self.clock.to_tokio(at));
        let timer = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => None,
            Some(checked) = self.verification.next() => Some(Woken::Checked(checked)),
            Some(end) = self.replies.recv() => Some(Woken::Ended(end)),
            call = self.calls.recv() => call.map(Woken::Call),
            clear = self.outbox.back_pressure_ends() => Some(Woken::Input(clear)),
            () = timer => Some(Woken::Input(Input::Timeout)),
            arrival = self.arrivals.next() => arrival.map(Woken::Arrived),
        }
    }

    /// Takes in a frame. Returns an input for the machine if the frame is a message that has
    /// nothing to verify.
    fn receive(&mut self, arrival: Arrival<I::Answerer>) -> Option<Input> {
        // Dropping a request declines it, and its sender learns this at once. A time-out would look
        // like a failure of this member.
        if !*self.awake.borrow() {
            return None;
        }
        let (now, by) = (self.clock.now(), arrival.waited);
        if by >= LATE_AFTER {
            self.machine.handle(now, Input::Late { by });
        }
        match self.requests.accept(now, arrival)? {
            Received::Message(unchecked) => self.admit(unchecked),
            Received::WantCertificates(wanted, answerer) => {
                let known = wanted.iter().filter_map(|wanted| self.certificates.get(wanted));
                let answer = wire::certificates(known.map(|known| known.der().clone()));
                self.outbox.answer_with(answerer, answer);
                None
            }
        }
    }

    /// Gives a message to the verification. Returns its input if there is nothing to verify.
    fn admit(&mut self, unchecked: Unchecked) -> Option<Input> {
        match self.verification.admit(unchecked) {
            Admitted::Proved(input) => Some(input),
            Admitted::Waiting => None,
            // A limit of this member, so nothing is said about the peer.
            Admitted::Dropped(then) => self.not_taken(then, NoReply::Local),
        }
    }

    /// The verification of a message has ended.
    fn checked(&mut self, checked: Checked) -> Input {
        match checked {
            Checked::Proved(input) => input,
            Checked::Forged(from, then) => {
                let forged = Input::Forged { from };
                let Some(ended) = self.not_taken(then, NoReply::Refused) else { return forged };
                self.machine.handle(self.clock.now(), forged);
                ended
            }
        }
    }

    /// A message does not reach the machine. A request is declined. An answer ends its request.
    fn not_taken(&mut self, then: Then, why: NoReply) -> Option<Input> {
        match then {
            Then::Message(reply_to) => {
                // Dropping the answerer declines the request.
                drop(reply_to.and_then(|to| self.requests.remove(to)));
                None
            }
            Then::Reply(request) => Some(Input::NoReply { request, why }),
        }
    }

    /// This member has another identity. Returns the input that makes the machine sign with it.
    fn rotate(&mut self, identity: &NodeIdentity) -> Input {
        self.identity = identity.clone();
        self.verification.trust(identity.authorities());
        // Before the statement: those who receive it ask for the certificate.
        self.certificates.insert(identity.certificate(), &self.registry);
        Input::Signer(Signer(Arc::new(identity.signer())))
    }

    /// Logs when other members declare this member failed, and when it refutes. Without these lines
    /// an operator of this host would not see it.
    fn log_declared_failed(&mut self) {
        let declared_failed = self.machine.is_declared_failed();
        match (std::mem::replace(&mut self.declared_failed, declared_failed), declared_failed) {
            // Other members could not reach this member. It refutes when it reaches its
            // neighbours again. What to do: check the network link of this host, and its CPU load.
            (false, true) => tracing::warn!(
                "other members declared this member failed; it returns when seven of eight probes to its \
                 neighbours are answered; check its network link and its load"
            ),
            // This member reached enough neighbours and refuted the claim that it failed.
            // What to do: nothing.
            (true, false) => tracing::info!("this member refuted its failure"),
            _ => {}
        }
    }

    /// Reports to the carrier how late this member is. An answer may wait as long in a queue here,
    /// so the carrier must not close the connection meanwhile.
    fn report_lateness(&mut self, now: Instant) {
        let late = self.machine.lateness(now);
        if late.abs_diff(self.reported_lateness) >= LATENESS_STEP {
            self.reported_lateness = late;
            self.outbox.set_lateness(late);
        }
    }

    fn read_wall_clock(&mut self, now: Instant) {
        if now >= self.read_wall_clock_at {
            self.evict_revoked(now);
            self.read_wall_clock_at = now + WALL_CLOCK_READ_EVERY;
            self.machine.handle(now, Input::WallClock { since_epoch: self.clock.since_epoch() });
        }
    }

    fn perform_outputs(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { to, addr, message, request, delivery } => {
                    let to = Peer::new(to, addr);
                    // A full outbox ends a request at once. The machine must learn this: each
                    // request needs exactly one end.
                    if let Some(end) = self.outbox.send(to, &message, request, delivery) {
                        self.machine.handle(self.clock.now(), end);
                    }
                }
                Output::Reply { to, message } => {
                    // The request may have expired meanwhile. Then there is no answerer any more.
                    if let Some(answerer) = self.requests.remove(to) {
                        self.outbox.answer(answerer, &message);
                    }
                }
                // Dropping the answerer declines the request.
                Output::Decline { to } => drop(self.requests.remove(to)),
                Output::CheckPort { check, node, addr } => {
                    if let Some(end) = self.outbox.check_port(Peer::new(node, addr), check) {
                        self.machine.handle(self.clock.now(), end);
                    }
                }
                Output::Watch { subjects } => self.health.watch(&subjects, self.clock.now()),
                Output::Reserve { at_least } => {
                    if let Some(wanted) = &self.wanted {
                        wanted.send_replace(at_least);
                    }
                }
                Output::RefusedClaim(claim) => log_refused_claim(&claim),
                Output::RefusedJoin(join) => log_refused_join(&join),
                Output::Forgotten { id, incarnation } => {
                    if let Some(on_forgotten) = &self.forgotten {
                        on_forgotten.call(&id, incarnation);
                    }
                }
                Output::Revoked(revocation) => self.revoke(&revocation),
                Output::Event(event) => self.events.publish(&event),
                Output::Done { id, outcome } => self.commands.finish(id, outcome),
            }
        }
        // After all outputs: the last of them may have taken the last permit.
        if let Some(input) = self.outbox.back_pressure_begins() {
            self.machine.handle(self.clock.now(), input);
        }
    }

    /// A revocation is new here.
    fn revoke(&mut self, revocation: &Revocation) {
        self.outbox.revoke(revocation);
        if let Some(on_revoked) = &self.on_revoked {
            on_revoked.call(revocation);
        }
        self.evict_revoked(self.clock.now());
        if self.revoked.contains(&self.identity.certificate()) {
            // An authority has revoked the certificate of this member, for example because its key
            // was stolen. All other members refuse it. What to do: if the member is to go on, issue
            // a new certificate with a new key (`kinfolk ca renew`), and replace the files.
            tracing::error!(
                node = %revocation.node,
                "the certificate of this member is revoked, and the other members refuse it; issue a new one and \
                 replace its files"
            );
        }
    }

    /// Removes the members whose certificate is revoked. It looks again each second: a statement
    /// may have been verified before the revocation came, or its certificate was not known then.
    fn evict_revoked(&mut self, now: Instant) {
        for id in self.revoked.nodes() {
            let known = self.registry.get(&id).map(|known| known.proof.certificate);
            let certificate = known.and_then(|fingerprint| self.certificates.get(&fingerprint));
            if let Some(certificate) = certificate.filter(|certificate| self.revoked.contains(certificate)) {
                let certificate = certificate.fingerprint();
                self.machine.handle(now, Input::Evict { id, certificate });
            }
        }
    }

    fn record_heartbeat(&self, peer: &NodeId) {
        if let Some(recovered) = self.health.heartbeat(peer, self.clock.now()) {
            self.events.publish(&recovered);
        }
    }
}

fn log_refused_claim(claim: &RefusedClaim) {
    let RefusedClaim { from, about, claimed, clock, refused } = claim;
    // A member sent a claim that lies too far in the future. This member ignored it and did not
    // pass it on. At most one line a minute; `refused` counts the claims since the last line.
    // What to do: compare the clock of this host with the clock of the sender, and correct the
    // wrong one. If both are right, check which program the sender runs.
    tracing::warn!(
        %from,
        %about,
        claimed_ms = claimed.get(),
        clock_ms = clock.get(),
        refused,
        "refused a claim with an incarnation more than 24 h ahead of this member's clock; check the clock of \
         this host, and the clock and the program of the sender"
    );
}

fn log_refused_join(RefusedJoin { from, theirs, ours }: &RefusedJoin) {
    let read = |clock: &Incarnation| date(Duration::from_millis(clock.get()));
    // A member tried to join through this one, and the two wall clocks differ too much. At most one
    // line a minute. What to do: correct the wrong clock.
    tracing::warn!(
        %from,
        its_clock = read(theirs),
        our_clock = read(ours),
        "refused a join: the two clocks differ by more than 24 h; correct the wrong clock"
    );
}

/// Converts a call to an input of the machine. Answers a query at once and returns `None`: a query
/// changes nothing, so it needs no step of the machine.
fn input_of(now: Instant, call: Call, commands: &mut PendingCommands, machine: &Machine) -> Option<Input> {
    match call {
        Call::Health(HealthVerdict { id, claim, cause, .. }) => Some(Input::Health { id, claim, cause }),
        // `next_input` takes it.
        Call::Identity(_) => None,
        Call::Reserved(up_to) => Some(Input::Reserved { up_to }),
        Call::Command(command, outcome) => Some(commands.start(command, outcome)),
        Call::Explain(id, answer) => {
            // The caller may have dropped its future. Ignore the error.
            let _ = answer.send(machine.explain(&id));
            None
        }
        Call::Suspicions(answer) => {
            let _ = answer.send(machine.suspicion_status(now));
            None
        }
    }
}

impl PendingCommands {
    fn start(&mut self, command: Command, outcome: oneshot::Sender<Outcome>) -> Input {
        let id = CommandId(self.started);
        self.started += 1;
        self.waiting.insert(id, outcome);
        Input::Command { id, command }
    }

    fn finish(&mut self, id: CommandId, outcome: Outcome) {
        if let Some(caller) = self.waiting.remove(&id) {
            // The caller may have dropped its future. Ignore the error.
            let _ = caller.send(outcome);
        }
    }
}
