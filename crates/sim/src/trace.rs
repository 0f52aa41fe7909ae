//! The trace: one aligned line for each event. Two runs of a seed give the same bytes. A trace that
//! is off costs nothing, because it formats nothing.

use std::fmt::{self, Write as _};

use kinfolk_core::signed::Accusation;
use kinfolk_core::{Instant, NodeState, NodeStatus};
use kinfolk_swim::{Message, Update};

use crate::node::NodeIndex;

/// The lines of one run; `None` if the trace is off.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Option<String>,
}

impl Trace {
    /// A trace that keeps nothing.
    pub fn off() -> Self {
        Self { lines: None }
    }

    /// A trace that keeps every line.
    pub fn on() -> Self {
        Self { lines: Some(String::new()) }
    }

    /// All lines so far, each with its line end.
    pub fn text(&self) -> &str {
        self.lines.as_deref().unwrap_or_default()
    }

    /// Adds a line: the time, the node (`None` for the world), the kind of event, and its details.
    pub(crate) fn line(
        &mut self,
        now: Instant,
        node: Option<NodeIndex>,
        kind: &str,
        what: impl fmt::Display,
    ) {
        let Some(lines) = &mut self.lines else { return };
        let time = now.since_origin();
        let (seconds, micros) = (time.as_secs(), time.subsec_micros());
        let written = match node {
            Some(node) => writeln!(lines, "{seconds:>6}.{micros:06}  {node:<6}  {kind:<7}  {what}"),
            None => writeln!(lines, "{seconds:>6}.{micros:06}  {:<6}  {kind:<7}  {what}", "*"),
        };
        written.expect("a string takes every line");
    }
}

/// Formats a message in one line.
pub(crate) struct OneLine<'a>(pub &'a Message);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Message::Ping { gossip, .. } => write!(f, "ping{}", Gossip(gossip)),
            Message::Ack { stranger: true, gossip, .. } => write!(f, "ack to a stranger{}", Gossip(gossip)),
            Message::Ack { stranger: false, gossip, .. } => write!(f, "ack{}", Gossip(gossip)),
            Message::PingReq { target, within_ms, nack, gossip, .. } => {
                let nack = if *nack { ", nack" } else { "" };
                write!(f, "ping-req {target} ({within_ms} ms{nack}){}", Gossip(gossip))
            }
            Message::Nack { closed, lossy, .. } => {
                let say = |what: bool, text: &'static str| if what { text } else { "" };
                write!(f, "nack{}{}", say(*closed, ", port closed"), say(*lossy, ", lossy"))
            }
            Message::Gossip { gossip } => write!(f, "gossip{}", Gossip(gossip)),
            Message::Sync { nodes, after, want, .. } => {
                write!(f, "sync {} nodes", nodes.len())?;
                match after {
                    // A member that wants no reply sends the last page of an exchange.
                    _ if !want => write!(f, ", wants none"),
                    Some(after) => write!(f, ", wants those after {after}"),
                    None => Ok(()),
                }
            }
            Message::Join { .. } => write!(f, "join"),
            Message::Welcome { reception, .. } => write!(f, "welcome {reception:?}"),
            Message::Compare { .. } => write!(f, "compare"),
            Message::Differ { .. } => write!(f, "differ"),
            Message::Describe { id } => write!(f, "describe {id}"),
            Message::Page { nodes, more } => {
                write!(f, "page {} nodes{}", nodes.len(), if *more { ", more to come" } else { "" })
            }
        }
    }
}

struct Gossip<'a>(&'a [Update]);

impl fmt::Display for Gossip<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, update) in self.0.iter().enumerate() {
            write!(f, "{}", if at == 0 { ": " } else { ", " })?;
            match update {
                Update::Accusation(accusation) => {
                    let Accusation { accuser, subject, incarnation, charge, .. } = accusation;
                    write!(f, "{accuser} accuses {subject}@{incarnation} {charge:?}")?;
                }
                Update::Node { status, accusers } => {
                    write!(f, "{} {}", status.id, View(Some(status)))?;
                    if !accusers.is_empty() {
                        write!(f, " (by {})", accusers.len())?;
                    }
                }
                Update::Forget { status, up_to } => write!(f, "forget {} @{up_to}", status.id)?,
                Update::Revocation(revocation) => write!(f, "revoke {}", revocation.node)?,
                Update::User(user) => write!(f, "broadcast {} of {}", user.number, user.origin)?,
            }
        }
        Ok(())
    }
}

/// Formats what a view knows of a node.
pub(crate) struct View<'a>(pub Option<&'a NodeStatus>);

impl fmt::Display for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(status) = self.0 else { return write!(f, "unknown") };
        let described =
            if status.is_complete() || status.state != NodeState::Alive { "" } else { " undescribed" };
        write!(f, "{} @{}{described}", status.state, status.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use kinfolk_core::{Incarnation, NodeAddr, Tags};

    use super::*;

    #[test]
    fn lines_are_aligned() {
        let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
        let status = Arc::new(NodeStatus::alive(NodeIndex(3).id(), addr, Incarnation::new(5), Tags::empty()));
        let gossip = vec![Update::Node { status, accusers: vec![NodeIndex(1).id()] }];
        let mut trace = Trace::on();
        let at = |ms| Instant::ORIGIN + Duration::from_millis(ms);
        trace.line(at(7), Some(NodeIndex(12)), "send", OneLine(&Message::Ping { digest: 0, gossip }));
        trace.line(at(1_234_567), None, "step", "n0001 crashes");
        let expected = concat!(
            "     0.007000  n0012   send     ping: n0003 alive @5 (by 1)\n",
            "  1234.567000  *       step     n0001 crashes\n",
        );
        assert_eq!(trace.text(), expected);
    }

    #[test]
    fn a_trace_that_is_off_keeps_nothing() {
        let mut trace = Trace::off();
        trace.line(Instant::ORIGIN, None, "step", "n0001 crashes");
        assert_eq!(trace.text(), "");
    }
}
