//! Address changes of other members. If an address goes back and forth, two processes have the same
//! name and certificate, and each outranks the statement of the other while both run. The
//! application receives one event at once, then at most one each minute with a count. The registry
//! always holds the latest statement.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Instant, NodeAddr, NodeId, NodeStatus};

/// A conflict that continues is reported at most this often. It ends when the address has not
/// changed for this time.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// The last address change of each member that has moved. Removed with the member's tombstone.
#[derive(Debug, Default)]
pub(super) struct AddressMoves {
    of: BTreeMap<NodeId, AddressMove>,
}

/// The last address change of a member.
#[derive(Debug)]
struct AddressMove {
    at: Instant,
    /// The address before the change.
    from: NodeAddr,
    /// The number of unreported changes, if the address goes back and forth.
    conflict: Option<u64>,
}

/// How to report a change of a member's address or tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MoveReport {
    /// As an ordinary update.
    Update,
    /// As a conflict: the address went back to the one before, so two processes have the name.
    Conflict,
    /// Not now: the conflict continues and is reported later.
    Withheld,
}

/// The state of a conflict after a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConflictState {
    /// The conflict continues with this number of unreported changes. Check again at `until`.
    Continues {
        changes: u64,
        until: Instant,
    },
    Over,
}

impl AddressMoves {
    /// The claim `after` about another member replaced `before`.
    pub(super) fn changed(&mut self, now: Instant, before: &NodeStatus, after: &NodeStatus) -> MoveReport {
        if before.addr == after.addr {
            return MoveReport::Update;
        }
        let moved = AddressMove { at: now, from: before.addr, conflict: None };
        let Some(last) = self.of.insert(after.id.clone(), moved) else { return MoveReport::Update };
        // A member that moves does not return to its old address within a minute. Two processes of
        // one name make the address do so: each outranks the other once in ten seconds.
        let goes_back = last.from == after.addr && now.since(last.at) < REPORT_INTERVAL;
        let (conflict, report) = match last.conflict {
            Some(unreported) => (Some(unreported + 1), MoveReport::Withheld),
            None if goes_back => (Some(0), MoveReport::Conflict),
            None => (None, MoveReport::Update),
        };
        if let Some(moved) = self.of.get_mut(&after.id) {
            moved.conflict = conflict;
        }
        report
    }

    /// The state of the conflict about `id`; `None` if there is none.
    pub(super) fn conflict_state(&mut self, now: Instant, id: &NodeId) -> Option<ConflictState> {
        let AddressMove { at, conflict, .. } = self.of.get_mut(id)?;
        let changes = std::mem::take(conflict.as_mut()?);
        // `at` is the last change, so a minute without a change ends the conflict.
        if now.since(*at) >= REPORT_INTERVAL {
            self.of.remove(id);
            return Some(ConflictState::Over);
        }
        Some(ConflictState::Continues { changes, until: now + REPORT_INTERVAL })
    }

    /// Forgets a member whose tombstone is removed.
    pub(super) fn forget(&mut self, id: &NodeId) {
        self.of.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{Incarnation, NodeAddr, NodeId, Tags};

    use super::*;

    fn at_port(port: u16) -> NodeStatus {
        let addr = NodeAddr::new(([127, 0, 0, 1], port).into());
        NodeStatus::alive(NodeId::new("a").unwrap(), addr, Incarnation::new(1), Tags::empty())
    }

    /// At the end of the interval it is an ordinary update.
    #[test]
    fn address_back_within_interval_is_a_conflict() {
        for (after, verdict) in [
            (REPORT_INTERVAL.saturating_sub(std::time::Duration::from_nanos(1)), MoveReport::Conflict),
            (REPORT_INTERVAL, MoveReport::Update),
        ] {
            let mut moves = AddressMoves::default();
            assert_eq!(moves.changed(Instant::ORIGIN, &at_port(1), &at_port(2)), MoveReport::Update);
            assert_eq!(
                moves.changed(Instant::ORIGIN + after, &at_port(2), &at_port(1)),
                verdict,
                "{after:?}"
            );
        }
    }

    #[test]
    fn third_address_within_interval_is_an_update() {
        let mut moves = AddressMoves::default();
        let soon = Instant::ORIGIN + Duration::from_secs(1);
        assert_eq!(moves.changed(Instant::ORIGIN, &at_port(1), &at_port(2)), MoveReport::Update);
        assert_eq!(moves.changed(soon, &at_port(2), &at_port(3)), MoveReport::Update);
        assert_eq!(moves.changed(soon, &at_port(3), &at_port(2)), MoveReport::Conflict);
    }

    #[test]
    fn forgotten_member_has_no_former_address() {
        let mut moves = AddressMoves::default();
        assert_eq!(moves.changed(Instant::ORIGIN, &at_port(1), &at_port(2)), MoveReport::Update);
        moves.forget(&NodeId::new("a").unwrap());
        assert_eq!(moves.changed(Instant::ORIGIN, &at_port(2), &at_port(1)), MoveReport::Update);
    }
}
