//! The one loop: it owns the machine, feeds it whatever happens, and carries out what it wants. It never waits for a
//! peer, and no other task touches the machine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{EventBus, Incarnation, Instant, NodeId};
use kinfolk_detector::{Evidence, HealthChecker, HealthVerdict, PartitionStatus, SuspicionStatus};
use kinfolk_swim::{
    Command, CommandId, Input, Machine, Outcome, Output, RefusedClaim, RefusedJoin, SwimStats,
};
use kinfolk_transport::Peer;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::carrier::Carrier;
use crate::clock::Clock;
use crate::error::date;
use crate::inbound::{Arrivals, Questions};
use crate::outbox::Outbox;
use crate::protocol::OnForgotten;

/// How often the machine is told what the wall clock says: soon enough after somebody sets it
/// right.
const WALL_CLOCK_READ_EVERY: Duration = Duration::from_secs(1);

/// The driver tells the machine of a message that waited for so long or longer: this member is late.
/// Half of the lateness that makes a member judge nobody.
const WAITED_LONG: Duration = Duration::from_millis(50);

/// By how much our lateness changes before it is told again.
const LATENESS_GRAIN: Duration = Duration::from_millis(20);

/// What the handle asks of the driver.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A command of the application, and where its end is told.
    Command(Command, oneshot::Sender<Outcome>),
    /// A verdict of the health checker.
    Health(HealthVerdict),
    /// How far our incarnation may rise.
    Reserved(Incarnation),
    /// What was found out about a member.
    Explain(NodeId, oneshot::Sender<Vec<Evidence>>),
    /// What is held against members now.
    Suspicions(oneshot::Sender<Vec<SuspicionStatus>>),
}

/// All that the loop works with.
pub(crate) struct Driver<C, I: Arrivals> {
    pub machine: Machine,
    pub clock: Clock,
    /// Whether it was last logged that the others declared this member failed.
    pub declared_failed: bool,
    /// How late we were when it was last told.
    pub told_lateness: Duration,
    /// When the wall clock is read next.
    pub read_wall_clock_at: Instant,
    pub arrivals: I,
    pub questions: Questions<I::Answerer>,
    pub outbox: Outbox<C>,
    pub replies: mpsc::Receiver<Input>,
    pub asks: mpsc::Receiver<Ask>,
    pub ends: Ends,
    /// Is told which incarnation should be reserved.
    pub wanted: Option<watch::Sender<Incarnation>>,
    pub stop: watch::Receiver<bool>,
    /// Whether messages are taken in.
    pub awake: watch::Receiver<bool>,
    pub forgotten: Option<OnForgotten>,
    pub events: EventBus,
    pub health: HealthChecker,
    pub stats: Arc<Mutex<SwimStats>>,
    pub partition: watch::Sender<PartitionStatus>,
}

/// Where the ends of commands are told. Bounded by the machine, which runs a bounded number at a time.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    waiting: HashMap<CommandId, oneshot::Sender<Outcome>>,
    given: u64,
}

impl<C: Carrier, I: Arrivals> Driver<C, I> {
    /// Runs until it is told to stop, or until nobody is left who could tell it anything.
    pub(crate) async fn run(mut self) {
        loop {
            // Whatever a start or a step has put out, before waiting.
            self.carry_out();
            let Some(input) = self.next_input().await else { return };
            if let Input::Message { from, .. } | Input::Reply { from, .. } = &input {
                self.heard_from(from);
            }
            let now = self.clock.now();
            self.read_wall_clock(now);
            self.machine.handle(now, input);
            self.tell_lateness(now);
            self.log_standing();
            *self.stats.lock() = self.machine.stats();
            let partition = self.machine.partition();
            self.partition.send_if_modified(|known| std::mem::replace(known, partition) != partition);
        }
    }

    /// Waits for the next thing that happens. Our own work comes before that of peers, so that a flood from outside
    /// cannot keep our answers, commands and timers waiting.
    async fn next_input(&mut self) -> Option<Input> {
        loop {
            let due = self.machine.next_timeout().map(|at| self.clock.to_tokio(at));
            let timer = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => return None,
                Some(input) = self.replies.recv() => return Some(input),
                ask = self.asks.recv() => {
                    if let Some(input) = asked(self.clock.now(), ask?, &mut self.ends, &self.machine) {
                        return Some(input);
                    }
                }
                clear = self.outbox.clear() => return Some(clear),
                () = timer => return Some(Input::Timeout),
                arrival = self.arrivals.next() => {
                    let arrival = arrival?;
                    // A question that is dropped is declined, which the peer learns at once.
                    if !*self.awake.borrow() {
                        continue;
                    }
                    let (now, by) = (self.clock.now(), arrival.waited);
                    if by >= WAITED_LONG {
                        self.machine.handle(now, Input::Late { by });
                    }
                    if let Some(input) = self.questions.take_in(now, arrival) {
                        return Some(input);
                    }
                }
            }
        }
    }

    /// Says when the others declare this member failed, and when it is back: nobody else on this
    /// machine knows.
    fn log_standing(&mut self) {
        let declared_failed = self.machine.is_declared_failed();
        match (std::mem::replace(&mut self.declared_failed, declared_failed), declared_failed) {
            (false, true) => tracing::warn!(
                "other members declared this member failed; it returns once seven of eight probes to its neighbours are answered"
            ),
            (true, false) => tracing::info!("this member has refuted its failure"),
            _ => {}
        }
    }

    /// Tells the carrier how late this member is. An answer may wait here for as long, so the carrier
    /// must not give its connection up.
    fn tell_lateness(&mut self, now: Instant) {
        let late = self.machine.lateness(now);
        // Lateness decays all the time. The carrier needs no small changes.
        if late.abs_diff(self.told_lateness) >= LATENESS_GRAIN {
            self.told_lateness = late;
            self.outbox.set_lateness(late);
        }
    }

    fn read_wall_clock(&mut self, now: Instant) {
        if now >= self.read_wall_clock_at {
            self.read_wall_clock_at = now + WALL_CLOCK_READ_EVERY;
            self.machine.handle(now, Input::WallClock { since_epoch: self.clock.since_epoch() });
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { to, addr, message, request, delivery } => {
                    let to = Peer::new(to, addr);
                    if let Some(end) = self.outbox.send(to, &message, request, delivery) {
                        self.machine.handle(self.clock.now(), end);
                    }
                }
                Output::Reply { to, message } => {
                    if let Some(answerer) = self.questions.answered(to) {
                        self.outbox.answer(answerer, &message);
                    }
                }
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
                Output::Refused(claim) => warn_of(&claim),
                Output::RefusedJoin(join) => warn_of_join(&join),
                Output::Forgotten { id, incarnation } => {
                    if let Some(told) = &self.forgotten {
                        told.call(&id, incarnation);
                    }
                }
                Output::Event(event) => self.events.publish(&event),
                Output::Done { id, outcome } => self.ends.tell(id, outcome),
            }
        }
        if let Some(congested) = self.outbox.congestion() {
            self.machine.handle(self.clock.now(), congested);
        }
    }

    fn heard_from(&self, peer: &NodeId) {
        if let Some(recovered) = self.health.heartbeat(peer, self.clock.now()) {
            self.events.publish(&recovered);
        }
    }
}

fn warn_of(claim: &RefusedClaim) {
    let RefusedClaim { from, about, claimed, clock, refused } = claim;
    tracing::warn!(
        %from,
        %about,
        claimed_ms = claimed.get(),
        clock_ms = clock.get(),
        refused,
        "refused a claim with an incarnation more than 24 h ahead of the clock; check the clock here, and the clock and the \
         program of the sender"
    );
}

fn warn_of_join(RefusedJoin { from, theirs, ours }: &RefusedJoin) {
    let read = |clock: &Incarnation| date(Duration::from_millis(clock.get()));
    tracing::warn!(
        %from,
        its_clock = read(theirs),
        our_clock = read(ours),
        "refused a join: the two clocks differ by more than 24 h; set the wrong one right"
    );
}

/// What an ask means to the machine; nothing, if it can be answered at once.
fn asked(now: Instant, ask: Ask, ends: &mut Ends, machine: &Machine) -> Option<Input> {
    match ask {
        Ask::Health(HealthVerdict { id, claim, cause, .. }) => Some(Input::Health { id, claim, cause }),
        Ask::Reserved(up_to) => Some(Input::Reserved { up_to }),
        Ask::Command(command, end) => Some(ends.command(command, end)),
        Ask::Explain(id, answer) => {
            // The caller may have dropped its future. Ignore the error.
            let _ = answer.send(machine.explain(&id));
            None
        }
        Ask::Suspicions(answer) => {
            let _ = answer.send(machine.suspicion_status(now));
            None
        }
    }
}

impl Ends {
    fn command(&mut self, command: Command, end: oneshot::Sender<Outcome>) -> Input {
        let id = CommandId(self.given);
        self.given += 1;
        self.waiting.insert(id, end);
        Input::Command { id, command }
    }

    fn tell(&mut self, id: CommandId, outcome: Outcome) {
        if let Some(end) = self.waiting.remove(&id) {
            // Whoever asked may have gone; then nobody needs to know.
            let _ = end.send(outcome);
        }
    }
}
