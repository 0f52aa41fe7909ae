//! The exchange of views, page by page in the order of names. It is the second step of a join
//! (`join.rs`), and repairs what gossip has lost.
//!
//! The member that starts sends its nodes and asks for the peer's nodes, until both are complete.
//! The peer keeps no state, because each request says where to go on.

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

/// How many pages one exchange takes at most. The largest registry needs far fewer. The bound stops
/// an exchange with a peer that always reports more.
const PAGES_MAX: u32 = 4_096;

/// How long after a join the next exchange of views comes, varied by up to one half at random.
const CATCH_UP_AFTER: Duration = Duration::from_secs(1);

/// A page of nodes, in the order of names.
#[derive(Debug)]
pub(crate) struct Page {
    pub nodes: Vec<Arc<NodeStatus>>,
    /// Whether more come after the last one.
    pub more: bool,
}

impl Page {
    /// A page with the nodes `first`, then the known members in the buckets `only` whose name comes
    /// after `after`. As many members as fit, and at least one, so that each page makes progress.
    pub(crate) fn of(
        cx: &Context,
        first: Vec<Arc<NodeStatus>>,
        after: Option<&NodeId>,
        only: Buckets,
    ) -> Self {
        let room = PAGE_BYTES_MAX.saturating_sub(first.iter().map(codec::encoded_len).sum());
        let snapshot = cx.members.snapshot();
        let begin = snapshot.nodes().partition_point(|node| Some(&node.id) <= after);
        // Tombstones stay here: a join would cost far more with them. A peer that needs one gets it
        // as a correction.
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

/// Starts an exchange of whole views with a member.
pub(super) fn begin_with(cx: &mut Context, peer: &NodeStatus) {
    let mut session = Session::new(None, peer.id.clone(), peer.addr);
    // The claim against the peer goes first, so that its page already has the refutation.
    session.corrections.extend((!peer.state.is_member()).then(|| peer.without_description().into()));
    next_page(cx, session);
}

/// Asks for the next page of the peer, and sends the own next page with the request.
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
    /// Goes on after a page of the peer was taken in, or ends the exchange. `last` is the last name
    /// on the page, and `more` says whether further pages follow.
    pub(crate) fn took_page(
        &mut self,
        cx: &mut Context,
        mut session: Session,
        (last, more): (Option<NodeId>, bool),
    ) {
        // This answer is to a request that had only corrections. There is one such request at most:
        // a peer that never takes a correction must not keep the exchange alive.
        let had_corrections_alone = session.sent == Cursor::End && session.received == Cursor::End;
        // A page whose last name does not advance ends this direction: it would repeat for ever.
        session.received = match (session.received, last) {
            (Cursor::After(before), Some(last)) if more && Some(&last) > before.as_ref() => {
                Cursor::After(Some(last))
            }
            _ => Cursor::End,
        };
        let all_pages = session.sent == Cursor::End && session.received == Cursor::End;
        let through = all_pages && (session.corrections.is_empty() || had_corrections_alone);
        if !through && session.pages_left > 0 {
            return next_page(cx, session);
        }
        cx.stats.syncs += 1;
        if let Some(command) = session.command {
            self.sync_soon(cx);
            // Only now is the size of the group known, and so how often each update must be sent.
            // So the own statement is queued again.
            if let Some(status) = cx.mine() {
                let update = Update::Node { status, accusers: Vec::new() };
                cx.disseminate(update, Priority::Medium, None);
            }
            let members = cx.members.member_count();
            cx.done(command, Outcome::Joined { members });
        }
    }

    /// Schedules one more exchange soon after a join. Other members may have joined at the same
    /// time through another member, and this exchange finds them.
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

    /// The exchange that is the second step of a join.
    pub(super) fn joining(command: CommandId, alone: bool, peer: NodeId, addr: NodeAddr) -> Self {
        Self { alone, ..Self::new(Some(command), peer, addr) }
    }

    /// The same exchange, limited to the members in these buckets.
    pub(super) fn only(self, only: Buckets) -> Self {
        Self { only, ..self }
    }
}
