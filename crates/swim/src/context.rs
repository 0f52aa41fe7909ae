//! What every owner may use and none owns: the time, the configuration, the view of the members, timers, chance, our own
//! health, counters; and the two ways to have something done, outputs and [facts](Fact).
//!
//! ```text
//!   an owner's method ──┬─ output(..)   the driver does it
//!                       └─ fact(..)     the machine has another owner do it, once the method has returned
//! ```
//!
//! Whatever one method asks for happens in the order in which it asked. What follows from a fact happens before the next
//! fact of that method.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Cause, ClusterEvent, Instant, NodeAddr, NodeId, NodeState, NodeStatus, Rng};
#[cfg(test)]
use kinfolk_core::{Incarnation, SharedNodeRegistry, Tags};
use kinfolk_detector::{Lateness, LocalHealth};

use crate::fact::{Ask, Fact, Riding};
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

/// For how long gossip that nobody answers is worth delivering, and how long one waits for an answer where no period of
/// the protocol sets the time.
pub(crate) const DELIVERED_WITHIN: Duration = Duration::from_secs(5);

/// What every owner may use.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Context {
    // First what every input looks at, in this order, so that it takes few lines of the cache.
    pub timers: Timers,
    /// The time of the input that is being handled.
    pub now: Instant,
    pub config: Arc<SwimConfig>,
    pub members: View,
    outputs: VecDeque<Output>,
    /// First those that wait, the next one last; then those of the method that runs, in their order.
    facts: Vec<Fact>,
    waiting: usize,
    requests_made: u64,
    has_left: bool,
    /// The members other than ourselves. It follows the view: only the machine changes who is in it.
    pub roster: Roster,
    pub health: LocalHealth,
    /// How late we are with what we have to do.
    pub lateness: Lateness,
    pub stats: SwimStats,
    pub rng: Rng,
    /// Our name.
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
            stats: SwimStats::default(),
            rng,
            me,
        }
    }

    /// Another owner has something to do, once this method has returned.
    #[inline]
    pub(crate) fn fact(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// There is news to pass on, which `teller` has told us.
    pub(crate) fn news(&mut self, update: Update, priority: Priority, teller: Option<NodeId>) {
        self.fact(Fact::Disseminate { update: update.into(), priority, teller });
    }

    /// The facts of the method that has just returned wait, the first one on top. Returns how many wait now.
    pub(crate) fn stack_facts(&mut self) -> usize {
        self.facts[self.waiting..].reverse();
        self.waiting = self.facts.len();
        self.waiting
    }

    /// Whether the method that has just returned has left facts.
    #[inline]
    pub(crate) fn has_new_facts(&self) -> bool {
        self.facts.len() > self.waiting
    }

    /// How many facts wait.
    pub(crate) fn waiting_facts(&self) -> usize {
        self.waiting
    }

    /// The fact to follow next.
    pub(crate) fn next_fact(&mut self) -> Option<Fact> {
        let fact = self.facts.pop();
        self.waiting = self.facts.len();
        fact
    }

    /// The driver has something to do.
    pub(crate) fn output(&mut self, output: Output) {
        if self.has_new_facts() {
            // It comes after what the facts before it lead to.
            self.facts.push(Fact::Output(output.into()));
        } else {
            self.outputs.push_back(output);
        }
    }

    /// The next thing for the driver to do.
    #[inline]
    pub(crate) fn pop_output(&mut self) -> Option<Output> {
        let next = self.outputs.pop_front();
        if next.is_none() {
            // It begins anew at the front, so that the same memory is used again.
            self.outputs.clear();
        }
        next
    }

    /// Tells the application.
    pub(crate) fn event(&mut self, event: ClusterEvent) {
        self.output(Output::Event(event));
    }

    /// A command has ended.
    pub(crate) fn done(&mut self, id: CommandId, outcome: Outcome) {
        self.output(Output::Done { id, outcome });
    }

    /// Answers a peer's request.
    pub(crate) fn reply(&mut self, to: ReplyId, message: Message) {
        self.output(Output::Reply { to, message });
    }

    /// Sends updates that nobody answers.
    pub(crate) fn send_gossip(&mut self, to: &NodeStatus, gossip: Vec<Update>, dial: Dial) {
        let message = Message::Gossip { gossip };
        let (to, addr) = (to.id.clone(), to.addr);
        let delivery = Delivery { within: DELIVERED_WITHIN, dial, traffic: Traffic::Gossip };
        self.output(Output::Send { to, addr, message, request: None, delivery });
    }

    /// Sends a request whose answer is of use for that long, and which carries what waits for this member.
    pub(crate) fn ask(
        &mut self,
        to: &Arc<NodeStatus>,
        message: Message,
        purpose: Purpose,
        within: Duration,
    ) -> RequestId {
        let riding = Riding::For(Arc::clone(to));
        self.ask_at((&to.id, to.addr), (message, riding), purpose, within)
    }

    /// Sends a request as it is to a member that we may not know.
    pub(crate) fn ask_plainly(
        &mut self,
        (to, addr): (&NodeId, NodeAddr),
        message: Message,
        purpose: Purpose,
        within: Duration,
    ) -> RequestId {
        self.ask_at((to, addr), (message, Riding::Nothing), purpose, within)
    }

    pub(crate) fn ask_at(
        &mut self,
        (to, addr): (&NodeId, NodeAddr),
        (message, riding): (Message, Riding),
        purpose: Purpose,
        within: Duration,
    ) -> RequestId {
        let request = self.next_request();
        self.requests_made += 1;
        let delivery = Delivery { within, dial: purpose.dial(), traffic: purpose.traffic() };
        let output = Output::Send { to: to.clone(), addr, message, request: Some(request), delivery };
        self.facts.push(Fact::Ask(Box::new(Ask { request, output, riding, purpose })));
        request
    }

    /// The id that the next request will have, for a timer that is to be scheduled first.
    pub(crate) fn next_request(&self) -> RequestId {
        RequestId(self.requests_made)
    }

    /// A member is in this state by our own evidence.
    pub(crate) fn judge(&mut self, node: &NodeStatus, state: NodeState, cause: Cause) {
        let (status, cause) = (node.with_state(state).into(), cause.into());
        self.facts.push(Fact::Judged { status, cause });
    }

    /// The statuses of random members other than ourselves.
    pub(crate) fn random_members(&mut self, count: usize, except: Option<&NodeId>) -> Vec<Arc<NodeStatus>> {
        let ids = self.roster.random(count, except, &mut self.rng);
        ids.iter().filter_map(|id| self.members.get(id)).collect()
    }

    /// Our own entry in the view.
    pub(crate) fn mine(&self) -> Option<Arc<NodeStatus>> {
        self.members.get(&self.me)
    }

    /// Something that was due was done so much too late. That counts against our own health once, when it begins.
    #[inline]
    pub(crate) fn was_late(&mut self, by: Duration) {
        let before = self.is_late();
        self.lateness.observe(self.now, by);
        if !before && self.is_late() {
            self.stats.times_late += 1;
            self.health.raise(1);
        }
    }

    /// Whether we are too late with what we have to do to judge others.
    #[inline]
    pub(crate) fn is_late(&self) -> bool {
        self.lateness.is_late(self.now)
    }

    /// `tolerated_pause`, longer the less we trust ourselves.
    pub(crate) fn tolerated_pause(&self) -> Duration {
        self.health.scale(self.config.tolerated_pause)
    }

    /// Whether we have said that we leave.
    pub(crate) fn has_left(&self) -> bool {
        self.has_left
    }

    /// From now on we have said that we leave.
    pub(crate) fn leave(&mut self) {
        self.has_left = true;
    }
}

#[cfg(test)]
impl Context {
    /// That of the member `me`, at the origin of the clock, which knows these others, at incarnation 1.
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
