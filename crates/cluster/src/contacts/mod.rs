//! Addresses to contact after a partition or a restart: the configured seeds, and the members of
//! now and of before, also those that the registry has removed. They are addresses, not members: a
//! process may have ended long ago.
//!
//! [`Contacts`] only routes. Each file below owns one piece of what is remembered; `sought.rs` owns
//! nothing and chooses from the others.
//!
//! ```text
//!   a join gives      a view is noted      a contact leads       a leave, a seed
//!       seeds               |                to somebody               |
//!         v                 v                     v                    v
//!     seeds.rs         members.rs            reached.rs          departure.rs
//!     where to        whom we knew,        whose address it     whether anybody
//!     find them       and until when          really is        is contacted now
//!         |                 |                     |                    |
//!         '-----------------+----------.----------'--------------------'
//!                                      v
//!                                  sought.rs      whom to contact next
//! ```

mod departure;
mod members;
mod reached;
mod seeds;
mod sought;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use kinfolk_core::{Incarnation, NodeId, NodeStatus, Snapshot};
use parking_lot::Mutex;

use self::departure::Departure;
use self::members::Members;
use self::reached::Reached;
use self::seeds::Seeds;
pub(crate) use self::sought::Sought;
use crate::record::Record;

/// The contacts, shared by all who read or note them. No lock is held over anything that waits.
pub(crate) type SharedContacts = Arc<Mutex<Contacts>>;

#[derive(Debug)]
pub(crate) struct Contacts {
    me: NodeId,
    seeds: Seeds,
    members: Members,
    reached: Reached,
    departure: Departure,
}

impl Contacts {
    /// Those of a former life, if there was one.
    pub(crate) fn new(me: NodeId, former: Option<&Record>) -> Self {
        let (seeds, members, left) =
            former.map_or((&[][..], &[][..], false), |former| (&former.seeds, &former.members, former.left));
        Self {
            me,
            seeds: Seeds::inherited(seeds),
            members: Members::of_former_life(members),
            reached: Reached::default(),
            departure: Departure::of_former_life(left),
        }
    }

    /// Notes the seeds of a join. The first ones of a life take the place of those of the former life.
    pub(crate) fn given(&mut self, seeds: &[String]) {
        if seeds.is_empty() {
            return;
        }
        self.departure.seed_given();
        self.seeds.given(seeds);
    }

    /// A join is under way until what this returns is dropped.
    pub(crate) fn join_begins(contacts: &SharedContacts) -> JoinUnderWay {
        contacts.lock().seeds.join_begins();
        JoinUnderWay(Arc::clone(contacts))
    }

    /// Notes that this member leaves, so that its next instance waits for a seed.
    pub(crate) fn leaves(&mut self) {
        self.departure.leaves();
    }

    /// Notes whom that address led to.
    pub(crate) fn reached(&mut self, addr: SocketAddr, node: NodeId) {
        self.reached.note(addr, node);
    }

    /// Forgets whom the addresses led to: they may have changed hands.
    pub(crate) fn forget_reached(&mut self) {
        self.reached.forget();
    }

    /// Forgets a member that the group has forgotten up to this incarnation: its address is
    /// contacted no more.
    pub(crate) fn forget(&mut self, id: &NodeId, incarnation: Incarnation) {
        self.members.forget(id, incarnation);
    }

    /// What is remembered of that member.
    pub(crate) fn remembers(&self, id: &NodeId) -> Option<Arc<NodeStatus>> {
        self.members.status_of(id)
    }

    /// Notes who is in the view, and who is there no more.
    pub(crate) fn note(&mut self, view: &Snapshot) {
        self.members.note(&self.me, view);
    }

    /// The addresses to contact, judged by this view: none once this member has left.
    pub(crate) fn sought(&self, view: &Snapshot) -> Sought {
        if self.has_left() || !view.get(&self.me).is_some_and(|mine| mine.state.is_member()) {
            return Sought::default();
        }
        Sought::of(&self.seeds, &self.members, &self.reached, view)
    }

    /// Whether that address is one of a living member's, as far as is known.
    pub(crate) fn is_with_us(&self, view: &Snapshot, addr: SocketAddr) -> bool {
        self.reached.is_with_us(view, addr)
    }

    /// Whether this member left and was not given a seed since.
    pub(crate) fn has_left(&self) -> bool {
        self.departure.has_left()
    }

    /// How many members are remembered, and whether none is contacted because this member left.
    pub(crate) fn remembered(&self) -> (usize, bool) {
        (self.members.count(), self.has_left())
    }

    /// What to write down of it, after what was `written` before.
    pub(crate) fn record(&self, written: &Record, ceiling: Incarnation) -> Record {
        Record {
            cluster: written.cluster.clone(),
            node: self.me.clone(),
            ceiling,
            left: self.has_left(),
            seeds: self.seeds.all().to_vec(),
            members: self.members.known(),
        }
    }
}

/// While it lives, the seeds are contacted by a join alone.
#[derive(Debug)]
pub(crate) struct JoinUnderWay(SharedContacts);

impl Drop for JoinUnderWay {
    fn drop(&mut self) {
        self.0.lock().seeds.join_ends();
    }
}
