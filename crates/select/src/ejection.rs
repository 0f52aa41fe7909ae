//! Outlier ejection: an instance whose calls fail several times in a row is not chosen for some
//! time. Only the calls of this caller count, not the health that the instance or the cluster
//! reports.

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
    /// The longest ejection. The time doubles with each ejection that follows another one. Default
    /// 5 min.
    pub longest: Duration,
    /// At most this percentage of the instances is ejected at a time. Default 50. More than 50
    /// counts as 50: fewer than half of the instances would fail under the load of all. Of two or
    /// more instances one may always be ejected.
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

/// The ejected instances of one service, as one caller sees them. It is pure: the caller gives the
/// time.
#[derive(Debug, Clone)]
pub struct Ejections {
    policy: EjectionPolicy,
    /// Only instances with a failure that still counts, so that the map is small.
    of: BTreeMap<NodeId, Record>,
    ejected: u64,
    spared: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Record {
    /// Failed calls in a row.
    failures: u32,
    /// Ejections that followed each other without a success between them.
    ejections: u32,
    /// The end of the last ejection.
    until: Option<Instant>,
}

impl Ejections {
    /// Begins without an ejected instance.
    pub fn new(policy: EjectionPolicy) -> Self {
        Self { policy, of: BTreeMap::new(), ejected: 0, spared: 0 }
    }

    /// Counts the end of a call to `node`, one of `instances` instances. Returns whether the call
    /// has ejected the instance.
    ///
    /// A success resets the count of failures and the doubling: the instance is well. If an
    /// instance fails after its ejection, a single failure ejects it again, for twice the time: it
    /// has just shown that it is not well yet.
    pub fn ended(&mut self, now: Instant, node: &NodeId, ok: bool, instances: usize) -> bool {
        if ok {
            // A call that began before the ejection may succeed during it. The ejection stays: one
            // success among failures proves nothing.
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

    /// The time at which the next ejection ends; `None` if no instance is ejected.
    pub fn next_return(&self, now: Instant) -> Option<Instant> {
        self.of.values().filter_map(|record| record.until).filter(|until| *until > now).min()
    }

    /// Removes the records of all other instances. Call it when the instances change; otherwise the
    /// records of removed members stay forever.
    pub fn retain(&mut self, is_instance: impl Fn(&NodeId) -> bool) {
        self.of.retain(|node, _| is_instance(node));
    }

    /// The number of ejections, and how often the policy's `share_max` forbade an ejection.
    pub fn counted(&self) -> (u64, u64) {
        (self.ejected, self.spared)
    }

    fn ejected_now(&self, now: Instant) -> usize {
        self.of.values().filter(|record| record.is_ejected(now)).count()
    }

    /// How many of this number of instances may be ejected at a time.
    fn at_most(&self, instances: usize) -> usize {
        let share = instances * usize::from(self.policy.share_max.min(50)) / 100;
        // 30 % of three instances is rounded down to none, but one broken instance of three must be
        // ejected. The last instance always stays.
        share.max(1).min(instances.saturating_sub(1))
    }
}

impl Record {
    fn is_ejected(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }
}
