//! What a member holds is bounded: one claim a node, known or forgotten, and a fixed number of
//! broadcasts in its queue, and a fixed number of
//! requests that wait.

use kinfolk_swim::GossipQueue;

use super::Invariant;
use crate::observed::{Moment, Observed};

/// See the file's head.
#[derive(Debug, Default)]
pub struct Bounded;

impl Bounded {
    /// How many requests of one member wait at the most. The machine has about 350 in mind at a time (256 relays, 32
    /// descriptions, 32 pings of a leave, 16 joins, a probe, an exchange); the driver holds those that the machine has
    /// given up for up to its deadline, which is as long again.
    pub const REQUESTS_MAX: usize = 1_024;
}

impl Invariant for Bounded {
    fn name(&self) -> &'static str {
        "what a member holds is bounded"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        let Observed::Load { node, stats, known, requests } = &moment.what else { return Ok(()) };
        if stats.queued > known + stats.forgotten_names + GossipQueue::BROADCASTS_MAX {
            return Err(format!("{node} knows {known} nodes and has {} updates in its queue", stats.queued));
        }
        if *requests > Self::REQUESTS_MAX {
            return Err(format!("{node} has {requests} requests that wait"));
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
    fn a_full_queue_is_right_and_one_update_more_is_caught() {
        assert!(load(5 + GossipQueue::BROADCASTS_MAX, 0).is_ok());
        assert!(load(6 + GossipQueue::BROADCASTS_MAX, 0).is_err());
    }

    #[test]
    fn the_last_request_that_is_allowed_is_right_and_one_more_is_caught() {
        assert!(load(0, Bounded::REQUESTS_MAX).is_ok());
        assert!(load(0, Bounded::REQUESTS_MAX + 1).is_err());
    }
}
