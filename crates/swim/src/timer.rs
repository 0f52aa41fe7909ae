//! When the machine has to act next. Timers are values in an ordered queue; nothing calls back.

use std::collections::BTreeMap;

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::input::RequestId;

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Timer {
    /// When to end the current probe and begin the next.
    Probe,
    /// When to ask helpers, because the direct probe of this request has no answer yet.
    ProbeTimeout(RequestId),
    /// When to tell a requester that the member that we probed for it (by this request) has not answered.
    Nack(RequestId),
    /// When to check the port of the subject whose probe this request is, if it has no answer yet (`Mode::Verified`).
    Knock(RequestId),
    /// When to probe this subject (`Mode::Verified`).
    Watch(NodeId),
    /// When the round of this number, about this subject, is over.
    Round(NodeId, u64),
    /// When to judge this subject, which we accuse.
    Verdict(NodeId),
    /// When to declare this suspected member failed.
    Suspicion(NodeId),
    /// When the subject of a verdict has had its time to refute it (`Mode::Verified`).
    Dispute(NodeId),
    /// When to send waiting updates to random members.
    Gossip,
    /// When to exchange views with a random member.
    Sync,
    /// When to count who is silent.
    Look,
    /// When to tell that this member flaps no more, unless it does.
    Settle(NodeId),
    /// When a trial of our own is over, or the next one begins.
    Comeback,
    /// When to contact a failed member.
    Heal,
    /// When to forget the tombstone of this member, if it is still of this incarnation.
    Reap(NodeId, Incarnation),
}

/// Names one scheduled timer, to cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey(Instant, u64);

/// All scheduled timers, by time and, at equal time, by the order of scheduling.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeMap<TimerKey, Timer>,
    scheduled: u64,
}

impl Timers {
    pub(crate) fn schedule(&mut self, at: Instant, timer: Timer) -> TimerKey {
        let key = TimerKey(at, self.scheduled);
        self.scheduled += 1;
        self.queue.insert(key, timer);
        key
    }

    pub(crate) fn cancel(&mut self, key: TimerKey) {
        self.queue.remove(&key);
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|(key, _)| key.0)
    }

    /// Takes the first timer that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_come_by_time_then_in_the_order_of_scheduling_and_not_early() {
        let at = |ms| Instant::ORIGIN + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.schedule(at(2), Timer::Sync);
        timers.schedule(at(1), Timer::Probe);
        let cancelled = timers.schedule(at(1), Timer::Sync);
        timers.schedule(at(1), Timer::Gossip);
        timers.cancel(cancelled);
        assert_eq!((timers.next(), timers.pop_due(at(0))), (Some(at(1)), None));
        let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(at(2))).collect();
        assert_eq!(due, [Timer::Probe, Timer::Gossip, Timer::Sync]);
    }
}
