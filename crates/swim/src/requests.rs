//! The requests of ours that wait for an answer, and what each was for.
//!
//! Bounded by construction: one probe with its helpers, [`RELAYS_MAX`] relays, [`DESCRIBES_MAX`] descriptions,
//! [`JOINS_MAX`] joins and one periodic exchange, one question for each open dispute, the pings of one trial, and those of
//! one leave. What a probe or a relay has asked is forgotten when its time is over, so that an answer which never comes
//! leaves nothing behind.

use kinfolk_core::{Instant, NodeId};

use crate::input::{ReplyId, RequestId};
use crate::joining::Joining;
use crate::sync::Session;
use crate::timer::TimerKey;

/// How many indirect probes we make for others at a time; one more is answered with a nack at once.
pub(crate) const RELAYS_MAX: usize = 256;
/// How many descriptions we ask for at a time; a further one waits for the next exchange of views.
pub(crate) const DESCRIBES_MAX: usize = 32;
/// How many joins run at a time; one more fails at once.
pub(crate) const JOINS_MAX: usize = 16;
/// How many members a leaving member tells directly; all others hear of it by gossip.
pub(crate) const LEAVE_TOLD_MAX: usize = 32;

/// What a request was for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// The direct probe that is under way.
    Probe,
    /// An indirect probe of it, through a helper.
    IndirectProbe,
    /// A probe of a subject, and when it was sent (`Mode::Verified`).
    Watch {
        /// Whom.
        id: NodeId,
        /// When.
        sent: Instant,
    },
    /// A question to a witness.
    Witness {
        /// About whom.
        id: NodeId,
        /// In which round.
        round: u64,
    },
    /// A probe of the subject of a verdict that came by an exchange.
    Dispute(NodeId),
    /// A probe of the trial of this number, before we come back.
    Comeback(u64),
    /// A probe for somebody else.
    Relay(Relay),
    /// A look at whether a random member's view differs.
    Glance,
    /// A comparison of the buckets of two views.
    Compare,
    /// Asking somebody to let us join through it.
    Join(Joining),
    /// Asking a member that only an exchange speaks of for its own statement.
    Introduction(NodeId),
    /// An exchange of views.
    Sync(Session),
    /// A description that was too large for gossip.
    Describe(Describe),
    /// Telling somebody that we leave.
    Leave,
}

impl Purpose {
    /// Whether it is a step of a join.
    pub(crate) fn is_join(&self) -> bool {
        match self {
            Self::Join(_) => true,
            Self::Sync(session) => session.command.is_some(),
            _ => false,
        }
    }
}

/// A description that we lack.
#[derive(Debug)]
pub(crate) struct Describe {
    /// Of whom.
    pub id: NodeId,
    /// Whether it was the member itself that we asked, who has it for certain.
    pub itself: bool,
}

/// A probe for somebody else.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Whom to answer.
    pub reply_to: ReplyId,
    /// Whether it wants to hear that there was no answer.
    pub nack: bool,
    /// Whether we found the member lossy when we were asked.
    pub lossy: bool,
    /// When its time is over.
    pub timer: TimerKey,
}

/// All that wait.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// In the order of their ids, which only grow. Mostly one or two.
    waiting: Vec<(RequestId, Purpose)>,
    made: u64,
}

impl Requests {
    /// The id that the next request will have, for a timer that is to be scheduled first.
    pub(crate) fn next_id(&self) -> RequestId {
        RequestId(self.made)
    }

    pub(crate) fn add(&mut self, purpose: Purpose) -> RequestId {
        let id = self.next_id();
        self.made += 1;
        self.waiting.push((id, purpose));
        id
    }

    pub(crate) fn take(&mut self, id: RequestId) -> Option<Purpose> {
        let place = self.waiting.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.waiting.remove(place).1)
    }

    pub(crate) fn count(&self, of: impl Fn(&Purpose) -> bool) -> usize {
        self.waiting.iter().filter(|(_, purpose)| of(purpose)).count()
    }

    /// Drops the periodic exchange of views that is still under way, if there is one.
    pub(crate) fn drop_periodic_sync(&mut self) {
        self.waiting.retain(|(_, purpose)| match purpose {
            Purpose::Glance | Purpose::Compare => false,
            Purpose::Sync(session) => session.command.is_some(),
            _ => true,
        });
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
