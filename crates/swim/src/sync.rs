//! The exchange of whole views, page by page in the order of names: the second step of a join
//! (`joining.rs`), and what repairs whatever gossip has lost.
//!
//! The one who begins sends its nodes and asks for the other's until both are through. The one who answers keeps no
//! state: each request says where to go on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Instant, NodeAddr, NodeId, NodeState, NodeStatus};

use crate::codec;
use crate::compare::Buckets;
use crate::corrections::room_beside;
use crate::input::{CommandId, ReplyId};
use crate::machine::Machine;
use crate::message::{Message, Update};
use crate::on_change::Spread;
use crate::output::{Outcome, Output};
use crate::queue::Priority;
use crate::requests::Purpose;
use crate::timer::Timer;

/// How many pages one exchange may take: far beyond the largest registry, so that no peer can keep us asking.
const PAGES_MAX: u32 = 4_096;

/// When a member that has just joined exchanges views once more, give or take a half.
const CATCH_UP_AFTER: Duration = Duration::from_secs(1);

/// An exchange that we began.
#[derive(Debug)]
pub(crate) struct Session {
    /// Set if the application asked for it, as a join.
    pub command: Option<CommandId>,
    /// Whether we joined with nobody at our side: what we learn is then no news to the group. Else two groups meet.
    alone: bool,
    peer: NodeId,
    addr: NodeAddr,
    /// How far our nodes are sent.
    sent: Cursor,
    /// How far the peer's are received.
    received: Cursor,
    /// Tombstones of members that the peer's last page has alive.
    corrections: Vec<Arc<NodeStatus>>,
    pages_left: u32,
    only: Buckets,
}

/// How far one direction has got.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cursor {
    /// All up to this name; none yet.
    After(Option<NodeId>),
    End,
}

impl Machine {
    pub(crate) fn on_sync_due(&mut self, now: Instant) {
        if self.has_left() {
            return;
        }
        self.next_sync = self.timers.schedule(now + self.config.sync_interval, Timer::Sync);
        self.requests.drop_periodic_sync();
        let Some(peer) = self.random_members(1, None).pop() else { return };
        self.compare_or_exchange(&peer);
    }

    /// Exchanges views with a member; in `Mode::Verified` only if they differ, and only what differs.
    pub(crate) fn compare_or_exchange(&mut self, peer: &NodeStatus) {
        if self.config.is_verified() {
            self.glance_at(peer);
        } else {
            let mut session = Session::new(None, peer.id.clone(), peer.addr);
            // What we hold against the peer goes first, so that its page is a refutation already.
            session.corrections.extend((!peer.state.is_member()).then(|| peer.without_description().into()));
            self.exchange(session);
        }
    }

    /// Asks for the next page and sends ours along.
    pub(crate) fn exchange(&mut self, mut session: Session) {
        let mut nodes = std::mem::take(&mut session.corrections);
        if let Cursor::After(after) = &session.sent {
            let page = self.page(after.as_ref(), session.only, room_beside(&nodes));
            session.sent =
                page.1.then(|| page.0.last().map(|node| node.id.clone())).map_or(Cursor::End, Cursor::After);
            nodes.extend(page.0);
        }
        let (after, want) = match &session.received {
            Cursor::After(after) => (after.clone(), true),
            Cursor::End => (None, false),
        };
        session.pages_left -= 1;
        let only = session.only;
        let (to, addr) = (session.peer.clone(), session.addr);
        let request = Some(self.requests.add(Purpose::Sync(session)));
        let message = Message::Sync { nodes, after, want, only };
        self.output(Output::Send { to, addr, message, request, within: Self::DELIVERED_WITHIN });
    }

    pub(crate) fn on_page(
        &mut self,
        now: Instant,
        from: &NodeId,
        mut session: Session,
        nodes: Vec<Arc<NodeStatus>>,
        more: bool,
    ) {
        let last = nodes.last().map(|node| node.id.clone());
        session.corrections = self.corrections(now, &nodes);
        if let Cursor::After(before) = &session.received {
            self.watch_missed(now, (before.as_ref(), &nodes, more), session.only);
        }
        let spread = if session.alone { Spread::Nobody } else { Spread::AllBut(from) };
        self.take_in_and_complete(now, from, nodes, spread);
        session.received = match (session.received, last) {
            (Cursor::After(before), Some(last)) if more && Some(&last) > before.as_ref() => {
                Cursor::After(Some(last))
            }
            _ => Cursor::End,
        };
        let through =
            session.sent == Cursor::End && session.received == Cursor::End && session.corrections.is_empty();
        if !through && session.pages_left > 0 {
            return self.exchange(session);
        }
        self.stats.syncs += 1;
        if let Some(command) = session.command {
            self.sync_soon(now);
            // Only now do we know how many there are, and so how often our own statement has to be sent.
            if let Some(status) = self.registry.get(&self.me.id) {
                self.queue.push(Update::Node { status, accusers: Vec::new() }, Priority::Medium);
            }
            let members = self.registry.member_count();
            self.done(command, Outcome::Joined { members });
        }
    }

    /// Others may have joined at the same moment, unknown to the one we joined through: one more exchange, with a
    /// random member, soon catches up on them.
    fn sync_soon(&mut self, now: Instant) {
        self.timers.cancel(self.next_sync);
        let soon = CATCH_UP_AFTER.mul_f64(0.5 + self.rng.unit()).min(self.config.sync_interval);
        self.next_sync = self.timers.schedule(now + soon, Timer::Sync);
    }

    /// A peer has sent this page of what it knows. Those of our members that should be on it and
    /// are not may be gone for long, and nobody else watches them.
    fn watch_missed(
        &mut self,
        now: Instant,
        (after, page, more): (Option<&NodeId>, &[Arc<NodeStatus>], bool),
        only: Buckets,
    ) {
        if !self.config.is_verified() {
            return;
        }
        let end = page.last().map(|node| &node.id).filter(|_| more);
        let theirs: BTreeSet<&NodeId> = page.iter().map(|node| &node.id).collect();
        let is_missed = |ours: &&Arc<NodeStatus>| {
            Some(&ours.id) > after
                && end.is_none_or(|end| ours.id <= *end)
                && self.is_missed_by_peer(now, ours)
                && only.hold(&ours.id)
                && !theirs.contains(&ours.id)
        };
        let snapshot = self.registry.snapshot();
        let missed: Vec<NodeId> =
            snapshot.nodes().iter().filter(is_missed).map(|node| node.id.clone()).collect();
        self.watch_beside(now, missed);
    }

    /// A peer sends a page of its nodes and asks for one of ours.
    pub(crate) fn on_sync(
        &mut self,
        now: Instant,
        from: &NodeId,
        to: ReplyId,
        nodes: Vec<Arc<NodeStatus>>,
        (after, want, only): (Option<NodeId>, bool, Buckets),
    ) {
        let mut answer = self.corrections(now, &nodes);
        // First theirs is taken in: if it makes us refute something, our page says so already.
        self.take_in_and_complete(now, from, nodes, Spread::AllBut(from));
        let (page, more) =
            if want { self.page(after.as_ref(), only, room_beside(&answer)) } else { (Vec::new(), false) };
        // The last one says where to go on.
        answer.extend(page);
        self.output(Output::Reply { to, message: Message::Page { nodes: answer, more } });
    }

    fn take_in_and_complete(
        &mut self,
        now: Instant,
        from: &NodeId,
        nodes: Vec<Arc<NodeStatus>>,
        spread: Spread<'_>,
    ) {
        self.take_in(now, from, &nodes, spread);
        for node in nodes {
            self.complete(from, &node.id);
        }
    }

    /// Takes in a page of nodes from `from`.
    pub(crate) fn take_in(
        &mut self,
        now: Instant,
        from: &NodeId,
        nodes: &[Arc<NodeStatus>],
        spread: Spread<'_>,
    ) {
        // A newcomer knows nobody, and believes the member that it joins through.
        let is_newcomer = matches!(spread, Spread::Nobody) && self.has_started_lately(now);
        for status in nodes {
            if self.refuses(now, from, (&status.id, status.incarnation))
                || self.is_forgotten(now, from, status)
                || self.is_of_no_use(status)
                || self.put_to_its_subject(now, from, status)
                || !is_newcomer && self.asks_for_introduction(now, from, status)
            {
                continue;
            }
            // Who holds a member for suspect need not accuse it: else each exchange would add a voice that is none.
            let accusers = match status.state {
                NodeState::Failed => vec![from.clone()],
                NodeState::Alive | NodeState::Suspect | NodeState::Left => Vec::new(),
            };
            self.on_claim(now, status, accusers, spread);
        }
    }

    /// The members that we know in those buckets after that name, as many as fit into so many bytes
    /// but at least one, and whether more come.
    fn page(&self, after: Option<&NodeId>, only: Buckets, room: usize) -> (Vec<Arc<NodeStatus>>, bool) {
        let snapshot = self.registry.snapshot();
        let begin = snapshot.nodes().partition_point(|node| Some(&node.id) <= after);
        let mine = |node: &&Arc<NodeStatus>| self.is_for_pages(node) && only.hold(&node.id);
        let mut nodes = snapshot.nodes()[begin..].iter().filter(mine).peekable();
        let mut bytes = 0;
        let mut fits = |node: &&Arc<NodeStatus>| {
            let first = bytes == 0;
            bytes += codec::encoded_len(node);
            first || bytes <= room
        };
        let mut page = Vec::new();
        while let Some(node) = nodes.next_if(&mut fits) {
            page.push(Arc::clone(node));
        }
        (page, nodes.peek().is_some())
    }
}

impl Session {
    pub(crate) fn new(command: Option<CommandId>, peer: NodeId, addr: NodeAddr) -> Self {
        let begin = Cursor::After(None);
        let (sent, received) = (begin.clone(), begin);
        Self {
            command,
            alone: false,
            peer,
            addr,
            sent,
            received,
            corrections: Vec::new(),
            pages_left: PAGES_MAX,
            only: Buckets::ALL,
        }
    }

    /// The second step of a join.
    pub(crate) fn joining(command: CommandId, alone: bool, peer: NodeId, addr: NodeAddr) -> Self {
        Self { alone, ..Self::new(Some(command), peer, addr) }
    }

    /// The same about the members in these buckets alone.
    pub(crate) fn only(self, only: Buckets) -> Self {
        Self { only, ..self }
    }
}
