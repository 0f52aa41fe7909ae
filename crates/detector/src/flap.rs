//! Flap damping. A member that fails and returns again and again causes one event instead of many.
//! Only events are delayed; the registry is always up to date.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kinfolk_core::{Change, Instant, NodeId, NodeState};

use crate::config::{SHORTEST, in_range};
use crate::error::ConfigError;

/// When a member counts as flapping, and for how long its state must then stay the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlapPolicy {
    /// The number of returns within `window` from which a member counts as flapping. Default 3; at
    /// least 2.
    pub returns: u32,
    /// The time within which returns are counted. Default 10 min; 1 ms to 24 h.
    pub window: Duration,
    /// For how long the state of a flapping member must not change until the member has settled.
    /// Default 1 min; 1 ms to 24 h. It doubles with each further return.
    pub quiet: Duration,
    /// The upper bound of `quiet` while it doubles. Default 10 min; `quiet` to 24 h.
    pub quiet_max: Duration,
}

impl Default for FlapPolicy {
    fn default() -> Self {
        Self {
            returns: 3,
            window: Duration::from_mins(10),
            quiet: Duration::from_mins(1),
            quiet_max: Duration::from_mins(10),
        }
    }
}

impl FlapPolicy {
    /// Checks every range.
    ///
    /// # Errors
    /// [`ConfigError`], which names the field and its range. Durations are 1 ms to 24 h.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.returns < 2 {
            return Err(ConfigError::FlapReturns { found: self.returns });
        }
        in_range("flap window", self.window, SHORTEST)?;
        in_range("flap quiet", self.quiet, SHORTEST)?;
        in_range("flap quiet_max", self.quiet_max, self.quiet)
    }
}

/// Which events a change causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventDamping {
    /// The usual events.
    All,
    /// The usual events, and one that says that the member flaps from now on.
    Flapping {
        /// How often the member has returned within the window.
        returns: u32,
        /// For how long its state must not change.
        quiet: Duration,
    },
    /// No event: the member flaps.
    Muted,
}

/// Counts how often each member returns from failure. At most [`MEMBERS_MAX`](Self::MEMBERS_MAX)
/// members are remembered. For one more, the damper forgets the member that does not flap and whose
/// last return is the oldest. If all flap, the new member is not damped.
#[derive(Debug, Clone)]
pub struct FlapDamper {
    policy: FlapPolicy,
    members: BTreeMap<NodeId, Returning>,
}

#[derive(Debug, Clone, Default)]
struct Returning {
    /// The times of its returns; at most as many as the policy needs.
    returns: VecDeque<Instant>,
    /// While the member flaps: for how long its state must not change, and until when.
    flapping: Option<(Duration, Instant)>,
}

impl FlapDamper {
    /// The most members that are remembered. This bounds the memory, whatever the group does.
    pub const MEMBERS_MAX: usize = 256;

    /// A damper that has seen no change.
    pub fn new(policy: FlapPolicy) -> Self {
        Self { policy, members: BTreeMap::new() }
    }

    /// A member changed at `now`. Returns which events the change causes.
    ///
    /// A return is a change from `Failed` to alive or suspect. A member that leaves on purpose has
    /// settled.
    pub fn changed(&mut self, now: Instant, change: &Change) -> EventDamping {
        let Change::Applied { before: Some(before), after } = change else { return EventDamping::All };
        if after.state == NodeState::Left {
            self.members.remove(&after.id);
            return EventDamping::All;
        }
        let returned = before.state == NodeState::Failed && after.state.is_member();
        if returned && !self.make_room(&after.id) {
            return EventDamping::All;
        }
        let policy = self.policy;
        if returned {
            let member = self.members.entry(after.id.clone()).or_default();
            member.returned(now, &policy);
            if let Some(quiet) = member.begins(now, &policy) {
                return EventDamping::Flapping { returns: policy.returns, quiet };
            }
        }
        let Some(member) = self.members.get_mut(&after.id) else { return EventDamping::All };
        let Some((quiet, until)) = &mut member.flapping else { return EventDamping::All };
        // New tags or a new incarnation do not lengthen the quiet time: the member stayed in its
        // state.
        if before.state != after.state {
            if returned {
                *quiet = quiet.saturating_mul(2).min(policy.quiet_max);
            }
            *until = now + *quiet;
        }
        EventDamping::Muted
    }

    /// When a flapping member will have settled if nothing changes; `None` if it does not flap.
    pub fn settles_at(&self, id: &NodeId) -> Option<Instant> {
        self.members.get(id)?.flapping.map(|(_, until)| until)
    }

    /// Whether this member has settled by `now`. If so, its next change causes events again.
    pub fn settle(&mut self, now: Instant, id: &NodeId) -> bool {
        let settled = self.settles_at(id).is_some_and(|until| now >= until);
        if settled {
            self.members.remove(id);
        }
        settled
    }

    /// The tombstone of this member was reaped: forgets its returns too.
    pub fn forget(&mut self, id: &NodeId) {
        self.members.remove(id);
    }

    /// Whether there is room for this member. If necessary, forgets another member first.
    fn make_room(&mut self, id: &NodeId) -> bool {
        if self.members.contains_key(id) || self.members.len() < Self::MEMBERS_MAX {
            return true;
        }
        let calm = self.members.iter().filter(|(_, member)| member.flapping.is_none());
        let oldest = calm.min_by_key(|(_, member)| member.returns.back()).map(|(id, _)| id.clone());
        oldest.is_some_and(|id| self.members.remove(&id).is_some())
    }
}

impl Returning {
    fn returned(&mut self, now: Instant, policy: &FlapPolicy) {
        self.returns.push_back(now);
        let most = usize::try_from(policy.returns).unwrap_or(usize::MAX);
        while self.returns.len() > most
            || self.returns.front().is_some_and(|at| now.since(*at) > policy.window)
        {
            self.returns.pop_front();
        }
    }

    /// Whether the member starts to flap with this return. If so, returns for how long its state
    /// must not change.
    fn begins(&mut self, now: Instant, policy: &FlapPolicy) -> Option<Duration> {
        let enough = usize::try_from(policy.returns).is_ok_and(|most| self.returns.len() >= most);
        if self.flapping.is_some() || !enough {
            return None;
        }
        self.flapping = Some((policy.quiet, now + policy.quiet));
        Some(policy.quiet)
    }
}
