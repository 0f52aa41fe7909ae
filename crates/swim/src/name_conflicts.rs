//! Two processes with one name: both use the same certificate. Each outranks the other's statement,
//! so the name changes its address for as long as both run. The application receives one event at
//! once, and then at most one a minute with a count. The registry always holds the latest
//! statement.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Change, ClusterEvent, Instant, NodeAddr, NodeId, NodeStatus};

use crate::machine::Machine;
use crate::output::Output;
use crate::timer::Timer;

/// How often this member outranks another process of its name. Without a bound the two would answer
/// each other for ever.
const CONTEND_INTERVAL: Duration = Duration::from_secs(10);
/// How often a conflict that goes on is reported. It ends when the address has not changed for as
/// long.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// The conflicts about this member's name, and about the names of others.
#[derive(Debug, Default)]
pub(crate) struct NameConflicts {
    /// When this member last outranked another process of its name.
    contended_at: Option<Instant>,
    /// When its application last received an event of that.
    reported_at: Option<Instant>,
    /// How often it did so since.
    unreported: u64,
    /// The last change of address of each other member that changed it. Removed with the tombstone
    /// of the member.
    moves: BTreeMap<NodeId, Move>,
}

/// The last change of a member's address.
#[derive(Debug)]
struct Move {
    at: Instant,
    /// The address before.
    from: NodeAddr,
    /// How many changes were not reported, if the address goes back and forth.
    conflict: Option<u64>,
}

/// What to say of a change of a member's address or tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is an update like any other.
    Update,
    /// The address went back to the one before: two processes have the name.
    Conflict,
    /// The conflict goes on, and is reported later.
    Withheld,
}

/// How a conflict stands after a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It goes on: so many changes were not reported. Look again then.
    GoesOn {
        changes: u64,
        until: Instant,
    },
    Over,
}

impl NameConflicts {
    /// Whether this member may outrank another process of its name now.
    fn may_contend(&mut self, now: Instant) -> bool {
        if self.contended_at.is_some_and(|last| now.since(last) < CONTEND_INTERVAL) {
            return false;
        }
        self.contended_at = Some(now);
        self.unreported += 1;
        true
    }

    /// The number of conflicts to report now, if it is time.
    fn report(&mut self, now: Instant) -> Option<u64> {
        if self.reported_at.is_some_and(|last| now.since(last) < REPORT_INTERVAL) {
            return None;
        }
        self.reported_at = Some(now);
        Some(std::mem::take(&mut self.unreported))
    }

    /// Another member's statement took the place of `before`.
    fn changed(&mut self, now: Instant, before: &NodeStatus, after: &NodeStatus) -> Verdict {
        if before.addr == after.addr {
            return Verdict::Update;
        }
        let moved = Move { at: now, from: before.addr, conflict: None };
        let Some(last) = self.moves.insert(after.id.clone(), moved) else { return Verdict::Update };
        let goes_back = last.from == after.addr && now.since(last.at) < REPORT_INTERVAL;
        let (conflict, verdict) = match last.conflict {
            Some(unreported) => (Some(unreported + 1), Verdict::Withheld),
            None if goes_back => (Some(0), Verdict::Conflict),
            None => (None, Verdict::Update),
        };
        if let Some(moved) = self.moves.get_mut(&after.id) {
            moved.conflict = conflict;
        }
        verdict
    }

    /// How the conflict about `id` stands; `None` if there is none.
    fn standing(&mut self, now: Instant, id: &NodeId) -> Option<Standing> {
        let Move { at, conflict, .. } = self.moves.get_mut(id)?;
        let changes = std::mem::take(conflict.as_mut()?);
        if now.since(*at) >= REPORT_INTERVAL {
            self.moves.remove(id);
            return Some(Standing::Over);
        }
        Some(Standing::GoesOn { changes, until: now + REPORT_INTERVAL })
    }

    /// Forgets a member whose tombstone is removed.
    pub(crate) fn forget(&mut self, id: &NodeId) {
        self.moves.remove(id);
    }
}

impl Machine {
    /// Another process claims this member's name: a former instance, which one statement outranks,
    /// or one that uses the same certificate. Whether this member may outrank it now.
    pub(crate) fn may_contend(&mut self, now: Instant, claim: &NodeStatus) -> bool {
        if !self.name_conflicts.may_contend(now) {
            return false;
        }
        self.stats.name_conflicts += 1;
        if let Some(count) = self.name_conflicts.report(now) {
            self.conflict_event(claim, count);
        }
        true
    }

    /// Whether the application should receive an update of this change. If the address goes back
    /// and forth, it receives a conflict instead.
    pub(crate) fn is_update_told(&mut self, now: Instant, change: &Change) -> bool {
        let Change::Applied { before: Some(before), after } = change else { return true };
        match self.name_conflicts.changed(now, before, after) {
            Verdict::Update => return true,
            Verdict::Withheld => {}
            Verdict::Conflict => {
                self.timers.schedule(now + REPORT_INTERVAL, Timer::NameConflict(after.id.clone()));
                self.conflict_event(after, 1);
            }
        }
        false
    }

    /// A minute of a conflict has passed.
    pub(crate) fn on_name_conflict_due(&mut self, now: Instant, id: &NodeId) {
        let Some(standing) = self.name_conflicts.standing(now, id) else { return };
        let node = self.registry.get(id).filter(|node| node.state.is_member());
        match (standing, node) {
            (Standing::GoesOn { changes, until }, node) => {
                self.timers.schedule(until, Timer::NameConflict(id.clone()));
                if let Some(node) = node.filter(|_| changes > 0) {
                    self.conflict_event(&node, changes);
                }
            }
            // The application has received no update since the conflict began.
            (Standing::Over, Some(node)) => self.output(Output::Event(ClusterEvent::NodeUpdated { node })),
            (Standing::Over, None) => {}
        }
    }

    fn conflict_event(&mut self, claim: &NodeStatus, count: u64) {
        let (id, addr) = (claim.id.clone(), claim.addr);
        self.output(Output::Event(ClusterEvent::NameConflict { id, addr, count }));
    }
}
