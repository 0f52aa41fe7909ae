//! Members that fail and return again and again: told once, instead of one event after another. What is known of them is
//! not delayed, only what is told.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kinfolk_core::{Change, Instant, NodeId, NodeState};

use crate::config::{SHORTEST, in_range};
use crate::error::ConfigError;

/// When a member counts as flapping, and for how long it must be quiet then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlapPolicy {
    /// The return with this number within `window` is one too many. Default 3; at least 2.
    pub returns: u32,
    /// Within what time. Default 10 min; 1 ms to 24 h.
    pub window: Duration,
    /// For how long a flapping member must not change until it has settled. Default 1 min; 1 ms to 24 h. It doubles with each
    /// further return.
    pub quiet: Duration,
    /// The longest that `quiet` comes to be. Default 10 min; `quiet` to 24 h.
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

/// What to tell of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// What it means, as always.
    All,
    /// The same, and that from now on the member is flapping.
    Flapping {
        /// How often it has returned within the window.
        returns: u32,
        /// For how long it must be quiet.
        quiet: Duration,
    },
    /// Nothing of its coming and going: it is flapping.
    Muted,
}

/// Watches who returns from failure how often. Bounded: at most [`MEMBERS_MAX`](Self::MEMBERS_MAX) members are remembered;
/// for one more, the one that does not flap and whose last return is the oldest is forgotten, and if all flap the new one
/// is told as always.
#[derive(Debug, Clone)]
pub struct FlapDamper {
    policy: FlapPolicy,
    members: BTreeMap<NodeId, Returning>,
}

#[derive(Debug, Clone, Default)]
struct Returning {
    /// When it returned: at most as many times as the policy needs.
    returns: VecDeque<Instant>,
    /// While it flaps: for how long it must be quiet, and when it has been.
    flapping: Option<(Duration, Instant)>,
}

impl FlapDamper {
    /// How many members are remembered.
    pub const MEMBERS_MAX: usize = 256;

    /// One that has seen nothing.
    pub fn new(policy: FlapPolicy) -> Self {
        Self { policy, members: BTreeMap::new() }
    }

    /// A member has changed at `now`: what to tell of it.
    ///
    /// A return is a way back from `Failed` to the living. Whoever leaves on purpose has settled.
    pub fn changed(&mut self, now: Instant, change: &Change) -> Telling {
        let Change::Applied { before: Some(before), after } = change else { return Telling::All };
        if after.state == NodeState::Left {
            self.members.remove(&after.id);
            return Telling::All;
        }
        let returned = before.state == NodeState::Failed && after.state.is_member();
        if returned && !self.make_room(&after.id) {
            return Telling::All;
        }
        let policy = self.policy;
        if returned {
            let member = self.members.entry(after.id.clone()).or_default();
            member.returned(now, &policy);
            if let Some(quiet) = member.begins(now, &policy) {
                return Telling::Flapping { returns: policy.returns, quiet };
            }
        }
        let Some(member) = self.members.get_mut(&after.id) else { return Telling::All };
        let Some((quiet, until)) = &mut member.flapping else { return Telling::All };
        if before.state != after.state {
            if returned {
                *quiet = quiet.saturating_mul(2).min(policy.quiet_max);
            }
            *until = now + *quiet;
        }
        Telling::Muted
    }

    /// When a flapping member has settled if nothing changes; `None` if it does not flap.
    pub fn settles_at(&self, id: &NodeId) -> Option<Instant> {
        self.members.get(id)?.flapping.map(|(_, until)| until)
    }

    /// Whether this member has settled by `now`: then its next change is told again.
    pub fn settle(&mut self, now: Instant, id: &NodeId) -> bool {
        let settled = self.settles_at(id).is_some_and(|until| now >= until);
        if settled {
            self.members.remove(id);
        }
        settled
    }

    /// The tombstone of this member is forgotten, and so is all that it did.
    pub fn forget(&mut self, id: &NodeId) {
        self.members.remove(id);
    }

    /// Whether there is room for this member, if need be after another is forgotten.
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

    /// Whether this return is one too many; then for how long it must be quiet.
    fn begins(&mut self, now: Instant, policy: &FlapPolicy) -> Option<Duration> {
        let enough = usize::try_from(policy.returns).is_ok_and(|most| self.returns.len() >= most);
        if self.flapping.is_some() || !enough {
            return None;
        }
        self.flapping = Some((policy.quiet, now + policy.quiet));
        Some(policy.quiet)
    }
}
