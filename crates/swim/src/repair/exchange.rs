//! The exchange of whole views, page by page in the order of names: the second step of a join (`join.rs`), and what repairs
//! whatever gossip has lost.
//!
//! The one who begins sends its nodes and asks for the other's until both are through. The one who answers keeps no
//! state: each request says where to go on.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{NodeAddr, NodeId, NodeStatus};

use super::Repair;
use crate::context::{Context, DELIVERED_WITHIN};
use crate::interface::input::CommandId;
use crate::interface::output::Outcome;
use crate::interface::priority::Priority;
use crate::purpose::{Cursor, Purpose, Session};
use crate::timer::Timer;
use crate::wire::buckets::Buckets;
use crate::wire::codec::{self, PAGE_BYTES_MAX};
use crate::wire::message::{Message, Update};

/// How many pages one exchange may take: far beyond the largest registry, so that no peer can keep us asking.
const PAGES_MAX: u32 = 4_096;

/// When a member that has just joined exchanges views once more, give or take a half.
const CATCH_UP_AFTER: Duration = Duration::from_secs(1);

/// A page of nodes, in the order of names.
#[derive(Debug)]
pub(crate) struct Page {
    pub nodes: Vec<Arc<NodeStatus>>,
    /// Whether more come after the last one.
    pub more: bool,
}

impl Page {
    /// After those `first`, which are none of it: the members that we know in those buckets after that name, as many as
    /// fit, but at least one.
    pub(crate) fn of(
        cx: &Context,
        first: Vec<Arc<NodeStatus>>,
        after: Option<&NodeId>,
        only: Buckets,
    ) -> Self {
        let room = PAGE_BYTES_MAX.saturating_sub(first.iter().map(codec::encoded_len).sum());
        let snapshot = cx.members.snapshot();
        let begin = snapshot.nodes().partition_point(|node| Some(&node.id) <= after);
        let belongs =
            |node: &&Arc<NodeStatus>| (node.state.is_member() || node.id == cx.me) && only.hold(&node.id);
        let mut rest = snapshot.nodes()[begin..].iter().filter(belongs).peekable();
        let mut bytes = 0;
        let mut fits = |node: &&Arc<NodeStatus>| {
            let first = bytes == 0;
            bytes += codec::encoded_len(node);
            first || bytes <= room
        };
        let mut nodes = first;
        while let Some(node) = rest.next_if(&mut fits) {
            nodes.push(Arc::clone(node));
        }
        Self { nodes, more: rest.peek().is_some() }
    }
}

/// Exchanges whole views with a member.
pub(super) fn begin_with(cx: &mut Context, peer: &NodeStatus) {
    let mut session = Session::new(None, peer.id.clone(), peer.addr);
    // What we hold against the peer goes first, so that its page is a refutation already.
    session.corrections.extend((!peer.state.is_member()).then(|| peer.without_description().into()));
    next_page(cx, session);
}

/// Asks for the next page and sends ours along.
pub(super) fn next_page(cx: &mut Context, mut session: Session) {
    let mut nodes = std::mem::take(&mut session.corrections);
    if let Cursor::After(after) = &session.sent {
        let corrections = nodes.len();
        let page = Page::of(cx, nodes, after.as_ref(), session.only);
        nodes = page.nodes;
        let last = nodes[corrections..].last().map(|node| node.id.clone());
        session.sent = if page.more { Cursor::After(last) } else { Cursor::End };
    }
    let (after, want) = match &session.received {
        Cursor::After(after) => (after.clone(), true),
        Cursor::End => (None, false),
    };
    session.pages_left -= 1;
    let message = Message::Sync { nodes, after, want, only: session.only };
    let (to, addr) = (session.peer.clone(), session.addr);
    cx.ask_plainly((&to, addr), message, Purpose::Sync(session), DELIVERED_WITHIN);
}

impl Repair {
    /// A page of the peer has been taken in: its last name, whether more follow, and the tombstones that contradict it. Goes
    /// on, or ends the exchange.
    pub(crate) fn took_page(
        &mut self,
        cx: &mut Context,
        mut session: Session,
        (last, more): (Option<NodeId>, bool),
    ) {
        session.received = match (session.received, last) {
            (Cursor::After(before), Some(last)) if more && Some(&last) > before.as_ref() => {
                Cursor::After(Some(last))
            }
            _ => Cursor::End,
        };
        let through =
            session.sent == Cursor::End && session.received == Cursor::End && session.corrections.is_empty();
        if !through && session.pages_left > 0 {
            return next_page(cx, session);
        }
        cx.stats.syncs += 1;
        if let Some(command) = session.command {
            self.sync_soon(cx);
            // Only now do we know how many there are, and so how often our own statement has to be sent.
            if let Some(status) = cx.mine() {
                let update = Update::Node { status, accusers: Vec::new() };
                cx.news(update, Priority::Medium, None);
            }
            let members = cx.members.member_count();
            cx.done(command, Outcome::Joined { members });
        }
    }

    /// Others may have joined at the same moment, unknown to the one we joined through: one more exchange, with a
    /// random member or a neighbour, soon catches up on them.
    fn sync_soon(&mut self, cx: &mut Context) {
        cx.timers.cancel(self.next_sync);
        let soon = CATCH_UP_AFTER.mul_f64(0.5 + cx.rng.unit()).min(cx.config.sync_interval);
        self.next_sync = cx.timers.schedule(cx.now + soon, Timer::Sync);
    }
}

impl Session {
    pub(super) fn new(command: Option<CommandId>, peer: NodeId, addr: NodeAddr) -> Self {
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
    pub(super) fn joining(command: CommandId, alone: bool, peer: NodeId, addr: NodeAddr) -> Self {
        Self { alone, ..Self::new(Some(command), peer, addr) }
    }

    /// The same about the members in these buckets alone.
    pub(super) fn only(self, only: Buckets) -> Self {
        Self { only, ..self }
    }
}
