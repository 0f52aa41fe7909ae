//! Outlier ejection: an instance whose calls fail again and again is not chosen for a time. The
//! caller's own experience counts here, whatever the instance or the cluster says of its health.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

/// When an instance is ejected, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EjectionPolicy {
    /// This many failed calls in a row eject an instance. Default 5; 0 counts as 1.
    pub consecutive_failures: u32,
    /// How long the first ejection lasts. Default 10 s.
    pub base: Duration,
    /// The longest ejection: the time doubles with each ejection that follows another. Default 5 min.
    pub longest: Duration,
    /// At most this percentage of the instances is ejected at a time. Default 50, at most 50: with
    /// less than half, the others would fail under the load of all. One instance of two or more may
    /// always be ejected.
    pub share_max: u8,
}

impl Default for EjectionPolicy {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            base: Duration::from_secs(10),
            longest: Duration::from_mins(5),
            share_max: 50,
        }
    }
}

/// The ejected instances of one service, as one caller sees them. Pure: the caller says the time.
#[derive(Debug, Clone)]
pub struct Ejections {
    policy: EjectionPolicy,
    /// Only instances with a failure that still counts: a member without is not in it.
    of: BTreeMap<NodeId, Record>,
    ejected: u64,
    spared: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Record {
    /// Failed calls in a row.
    failures: u32,
    /// Ejections that followed one another.
    ejections: u32,
    /// The end of the present ejection.
    until: Option<Instant>,
}

impl Ejections {
    /// None ejected.
    pub fn new(policy: EjectionPolicy) -> Self {
        Self { policy, of: BTreeMap::new(), ejected: 0, spared: 0 }
    }

    /// A call to `node`, one of `instances` instances, has ended. Returns whether the set of ejected
    /// instances has changed.
    ///
    /// A success ends the count of failures, and with it the doubling: the instance is well. A
    /// failure of an instance that was ejected before ejects it again after one more failure only,
    /// for twice the time: it has just shown that it is not well yet.
    pub fn ended(&mut self, now: Instant, node: &NodeId, ok: bool, instances: usize) -> bool {
        if ok {
            // A call that began before the ejection may succeed within it. The ejection stays: one
            // success among failures is no proof.
            if self.of.get(node).is_some_and(|record| !record.is_ejected(now)) {
                self.of.remove(node);
            }
            return false;
        }
        let room = self.ejected_now(now) < self.at_most(instances);
        let needed = self.policy.consecutive_failures.max(1);
        let record = self.of.entry(node.clone()).or_default();
        if record.is_ejected(now) {
            return false;
        }
        record.failures = record.failures.saturating_add(1);
        let needed = if record.ejections > 0 { 1 } else { needed };
        if record.failures < needed {
            return false;
        }
        if !room {
            self.spared += 1;
            return false;
        }
        let doubled = self.policy.base.saturating_mul(2_u32.saturating_pow(record.ejections));
        record.until = Some(now + doubled.min(self.policy.longest));
        record.ejections = record.ejections.saturating_add(1);
        record.failures = 0;
        self.ejected += 1;
        true
    }

    /// Whether `node` is ejected now.
    pub fn is_ejected(&self, now: Instant, node: &NodeId) -> bool {
        self.of.get(node).is_some_and(|record| record.is_ejected(now))
    }

    /// When the next ejection ends; `None` if nobody is ejected.
    pub fn next_return(&self, now: Instant) -> Option<Instant> {
        self.of.values().filter_map(|record| record.until).filter(|until| *until > now).min()
    }

    /// Forgets all instances but these, so that the records are bounded by the members.
    pub fn retain(&mut self, is_instance: impl Fn(&NodeId) -> bool) {
        self.of.retain(|node, _| is_instance(node));
    }

    /// How many ejections there were, and how many times the share of ejected instances forbade one.
    pub fn counted(&self) -> (u64, u64) {
        (self.ejected, self.spared)
    }

    fn ejected_now(&self, now: Instant) -> usize {
        self.of.values().filter(|record| record.is_ejected(now)).count()
    }

    /// How many of so many instances may be ejected at a time.
    fn at_most(&self, instances: usize) -> usize {
        let share = instances * usize::from(self.policy.share_max.min(50)) / 100;
        // A third of three is none, and yet one broken instance of three must go. The last one stays.
        share.max(1).min(instances.saturating_sub(1))
    }
}

impl Record {
    fn is_ejected(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }
}
