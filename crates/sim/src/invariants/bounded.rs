//! The memory of a member is bounded. Its update queue holds at most one claim for each known or
//! forgotten node, and a fixed number of broadcasts. A fixed number of its requests wait.

use kinfolk_swim::GossipQueue;

use super::Invariant;
use crate::observed::{Moment, Observed};

/// Checks the bound on queues after each input; see the module.
#[derive(Debug, Default)]
pub struct Bounded;

impl Bounded {
    /// The highest number of requests of one member that may wait.
    ///
    /// The machine tracks about 350 at a time: 256 relays, 32 introductions, 32 pings of a leave,
    /// 16 joins, a probe, and an exchange. The driver keeps a request that the machine has given up
    /// until its deadline, which is as long again. 1,024 leaves room for both.
    pub const REQUESTS_MAX: usize = 1_024;
}

impl Invariant for Bounded {
    fn name(&self) -> &'static str {
        "what a member holds is bounded"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        let Observed::Load { node, stats, known, requests } = &moment.what else { return Ok(()) };
        // The queue holds at most one claim about each node, so the number of nodes bounds it.
        if stats.queued > known + stats.forgotten_names + stats.revocations_kept + GossipQueue::BROADCASTS_MAX
        {
            return Err(format!("{node} knows {known} nodes, and its queue holds {} updates", stats.queued));
        }
        if *requests > Self::REQUESTS_MAX {
            return Err(format!("{node} has {requests} waiting requests"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_swim::SwimStats;

    use super::super::testing::{A, show, truth};
    use super::*;

    fn load(queued: usize, requests: usize) -> Result<(), String> {
        let stats = SwimStats { queued, ..SwimStats::default() };
        show(&mut Bounded, &truth(1), 1, Observed::Load { node: A, stats: &stats, known: 5, requests })
    }

    #[test]
    fn queue_over_its_bound_is_caught() {
        assert!(load(5 + GossipQueue::BROADCASTS_MAX, 0).is_ok());
        assert!(load(6 + GossipQueue::BROADCASTS_MAX, 0).is_err());
    }

    #[test]
    fn requests_over_their_bound_are_caught() {
        assert!(load(0, Bounded::REQUESTS_MAX).is_ok());
        assert!(load(0, Bounded::REQUESTS_MAX + 1).is_err());
    }
}
