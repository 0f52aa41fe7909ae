//! What every owner may use and no owner keeps: the time, the configuration, the view of the
//! members, timers, random numbers, local health, and counters. Also the two ways in which an
//! owner has something done: outputs and [facts](Fact).
//!
//! ```text
//!   an owner's method ──┬─ output(..)   the driver does it
//!                       └─ fact(..)     another owner does it, after the method returns
//! ```
//!
//! Outputs and facts of one method take effect in the order in which the method made them. All
//! consequences of a fact happen before the next fact of that method. The simulator replays a
//! seed to the byte, so this order must not vary.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Cause, ClusterEvent, Instant, NodeAddr, NodeId, NodeState, NodeStatus, Rng};
#[cfg(test)]
use kinfolk_core::{Incarnation, SharedNodeRegistry, Tags};
use kinfolk_detector::{Lateness, LocalHealth};

use crate::absences::Absences;
use crate::fact::{Ask, Fact, Piggyback};
use crate::interface::config::SwimConfig;
use crate::interface::delivery::{Delivery, Dial, Traffic};
use crate::interface::input::{CommandId, ReplyId, RequestId};
use crate::interface::output::{Outcome, Output};
use crate::interface::priority::Priority;
use crate::interface::stats::SwimStats;
use crate::purpose::Purpose;
use crate::roster::Roster;
use crate::timer::Timers;
use crate::view::View;
use crate::wire::message::{Message, Update};

/// The deadline of messages for which no period of the protocol sets one. Gossip is dropped when
/// it is not delivered by then, and a request fails when it has no answer by then.
pub(crate) const DELIVERED_WITHIN: Duration = Duration::from_secs(5);

/// What every owner may use.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Context {
    // `repr(C)` keeps this order. Every input reads the first fields, so they share few cache
    // lines.
    pub timers: Timers,
    /// The time of the input that is being handled.
    pub now: Instant,
    pub config: Arc<SwimConfig>,
    pub members: View,
    outputs: VecDeque<Output>,
    /// A stack of the waiting facts, with the next fact on top. Behind it come the facts of the
    /// method that runs now, in the order in which it made them.
    facts: Vec<Fact>,
    /// The number of waiting facts at the start of `facts`.
    waiting: usize,
    requests_made: u64,
    has_left: bool,
    /// The members other than this one. Only the machine changes it, when the view changes.
    pub roster: Roster,
    /// The members in maintenance. Follows the view, as the roster does.
    pub absences: Absences,
    pub health: LocalHealth,
    /// How late this member handles its timers and messages.
    pub lateness: Lateness,
    pub stats: SwimStats,
    pub rng: Rng,
    /// The name of this member.
    pub me: NodeId,
}

impl Context {
    pub(crate) fn new(config: Arc<SwimConfig>, me: NodeId, members: View, rng: Rng, now: Instant) -> Self {
        Self {
            timers: Timers::default(),
            now,
            health: LocalHealth::new(config.local_health_max),
            lateness: Lateness::default(),
            config,
            members,
            outputs: VecDeque::new(),
            facts: Vec::new(),
            waiting: 0,
            requests_made: 0,
            has_left: false,
            roster: Roster::default(),
            absences: Absences::default(),
            stats: SwimStats::default(),
            rng,
            me,
        }
    }

    /// Leaves something for another owner to do after this method returns.
    #[inline]
    pub(crate) fn fact(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Queues an update to pass on. `teller` is the member that sent it, if any. It needs no copy.
    pub(crate) fn disseminate(&mut self, update: Update, priority: Priority, teller: Option<NodeId>) {
        self.fact(Fact::Disseminate { update: update.into(), priority, teller });
    }

    /// Puts the facts of the method that just returned on the stack, the first one on top. Returns
    /// the number of waiting facts.
    pub(crate) fn stack_facts(&mut self) -> usize {
        // The stack is popped from the end, so the first fact must be the last element.
        self.facts[self.waiting..].reverse();
        self.waiting = self.facts.len();
        self.waiting
    }

    /// Whether the method that just returned has left facts.
    #[inline]
    pub(crate) fn has_new_facts(&self) -> bool {
        self.facts.len() > self.waiting
    }

    /// The number of waiting facts.
    pub(crate) fn waiting_facts(&self) -> usize {
        self.waiting
    }

    /// Takes the next fact off the stack.
    pub(crate) fn next_fact(&mut self) -> Option<Fact> {
        let fact = self.facts.pop();
        self.waiting = self.facts.len();
        fact
    }

    /// Gives the driver something to do.
    pub(crate) fn output(&mut self, output: Output) {
        if self.has_new_facts() {
            // The method made facts before this output. Their consequences go first.
            self.facts.push(Fact::Output(output.into()));
        } else {
            self.outputs.push_back(output);
        }
    }

    /// Takes the next output for the driver.
    #[inline]
    pub(crate) fn pop_output(&mut self) -> Option<Output> {
        let next = self.outputs.pop_front();
        if next.is_none() {
            // Start at the front again, so that the next outputs use the same memory.
            self.outputs.clear();
        }
        next
    }

    /// Reports an event to the application.
    pub(crate) fn event(&mut self, event: ClusterEvent) {
        self.output(Output::Event(event));
    }

    /// Reports the outcome of a command.
    pub(crate) fn done(&mut self, id: CommandId, outcome: Outcome) {
        self.output(Output::Done { id, outcome });
    }

    /// Answers a peer's request.
    pub(crate) fn reply(&mut self, to: ReplyId, message: Message) {
        self.output(Output::Reply { to, message });
    }

    /// Declines a request of a peer.
    pub(crate) fn decline(&mut self, to: ReplyId) {
        self.output(Output::Decline { to });
    }

    /// Sends updates alone. The receiver does not answer.
    pub(crate) fn send_gossip(&mut self, to: &NodeStatus, gossip: Vec<Update>, dial: Dial) {
        let message = Message::Gossip { gossip };
        let (to, addr) = (to.id.clone(), to.addr);
        let delivery = Delivery { within: DELIVERED_WITHIN, dial, traffic: Traffic::Gossip, prompt: false };
        self.output(Output::Send { to, addr, message, request: None, delivery });
    }

    /// Sends a request with the updates that wait for this member. An answer later than `within`
    /// is too late.
    pub(crate) fn ask(
        &mut self,
        to: &Arc<NodeStatus>,
        message: Message,
        purpose: Purpose,
        within: Duration,
    ) -> RequestId {
        let piggyback = Piggyback::For(Arc::clone(to));
        self.ask_at((&to.id, to.addr), (message, piggyback), purpose, within)
    }

    /// Sends a request without further updates. The receiver may be unknown here.
    pub(crate) fn ask_plainly(
        &mut self,
        (to, addr): (&NodeId, NodeAddr),
        message: Message,
        purpose: Purpose,
        within: Duration,
    ) -> RequestId {
        self.ask_at((to, addr), (message, Piggyback::Nothing), purpose, within)
    }

    /// Sends a request to an address, with the updates that `piggyback` selects.
    pub(crate) fn ask_at(
        &mut self,
        (to, addr): (&NodeId, NodeAddr),
        (message, piggyback): (Message, Piggyback),
        purpose: Purpose,
        within: Duration,
    ) -> RequestId {
        let request = self.next_request();
        self.requests_made += 1;
        let delivery = Delivery {
            within,
            dial: purpose.dial(),
            traffic: purpose.traffic(),
            prompt: purpose.is_prompt(),
        };
        let output = Output::Send { to: to.clone(), addr, message, request: Some(request), delivery };
        self.facts.push(Fact::Ask(Box::new(Ask { request, output, piggyback, purpose })));
        request
    }

    /// The id of the next request. A caller that schedules a timer before the request needs it.
    pub(crate) fn next_request(&self) -> RequestId {
        RequestId(self.requests_made)
    }

    /// Puts a member into this state by this member's own evidence.
    pub(crate) fn judge(&mut self, node: &NodeStatus, state: NodeState, cause: Cause) {
        let (status, cause) = (node.with_state(state).into(), cause.into());
        self.facts.push(Fact::Judged { status, cause });
    }

    /// The statuses of up to `count` random members, without this member and `except`.
    pub(crate) fn random_members(&mut self, count: usize, except: Option<&NodeId>) -> Vec<Arc<NodeStatus>> {
        let ids = self.roster.random(count, except, &mut self.rng);
        ids.iter().filter_map(|id| self.members.get(id)).collect()
    }

    /// The entry of this member in the view.
    pub(crate) fn mine(&self) -> Option<Arc<NodeStatus>> {
        self.members.get(&self.me)
    }

    /// Records that something was done this much too late. Local health rises by 1 when a time of
    /// lateness begins, and not again while it lasts.
    #[inline]
    pub(crate) fn was_late(&mut self, by: Duration) {
        let before = self.is_late();
        self.lateness.observe(self.now, by);
        if !before && self.is_late() {
            self.stats.times_late += 1;
            self.health.raise(1);
        }
    }

    /// Whether this member is in maintenance, so that its silence proves nothing.
    pub(crate) fn is_absent(&self, id: &NodeId) -> bool {
        self.absences.is_absent(self.now, id)
    }

    /// Whether this member is too late to judge others. Their answers may wait in its own queue.
    #[inline]
    pub(crate) fn is_late(&self) -> bool {
        self.lateness.is_late(self.now)
    }

    /// `tolerated_pause`, scaled by local health: this member waits longer when it is unhealthy.
    pub(crate) fn tolerated_pause(&self) -> Duration {
        self.health.scale(self.config.tolerated_pause)
    }

    /// Whether this member has announced its leave.
    pub(crate) fn has_left(&self) -> bool {
        self.has_left
    }

    /// Records that this member has announced its leave.
    pub(crate) fn leave(&mut self) {
        self.has_left = true;
    }
}

#[cfg(test)]
impl Context {
    /// The context of a member named `me` at the origin of the clock. It knows the members in
    /// `others`, all at incarnation 1.
    pub(crate) fn of_others(config: SwimConfig, others: &[(&str, NodeState)]) -> Self {
        let status = |name: &str, state| {
            let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
            let id = NodeId::new(name).unwrap();
            NodeStatus::alive(id, addr, Incarnation::new(1), Tags::empty()).with_state(state)
        };
        let registry = SharedNodeRegistry::new();
        let _ = registry.apply(status("me", NodeState::Alive));
        for (name, state) in others {
            let _ = registry.apply(status(name, *state));
        }
        let (me, view) = (NodeId::new("me").unwrap(), View::of(&registry));
        let mut cx = Self::new(config.into(), me.clone(), view, Rng::from_seed(1), Instant::ORIGIN);
        let others = registry.snapshot();
        let others = others.members().map(|node| node.id.clone()).filter(|id| *id != me);
        cx.roster = Roster::of(others, &mut cx.rng);
        cx
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The facts that one method makes.
    fn makes(cx: &mut Context, names: &[&str]) -> usize {
        for name in names {
            cx.fact(Fact::CompareWith(NodeId::new(name).unwrap()));
        }
        cx.stack_facts()
    }

    fn next(cx: &mut Context) -> Option<String> {
        match cx.next_fact()? {
            Fact::CompareWith(id) => Some(id.to_string()),
            other => panic!("unexpected: {other:?}"),
        }
    }

    #[test]
    fn facts_of_a_fact_go_before_those_that_wait() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[]);
        assert_eq!((makes(&mut cx, &["a", "b"]), cx.waiting_facts()), (2, 2));
        assert_eq!(next(&mut cx).as_deref(), Some("a"));
        assert_eq!((cx.waiting_facts(), makes(&mut cx, &["c", "d"])), (1, 3));
        let rest: String = std::iter::from_fn(|| next(&mut cx)).collect();
        assert_eq!((rest.as_str(), cx.waiting_facts()), ("cdb", 0));
    }
}
