//! Addresses to contact after a partition or a restart: the configured seeds, the members, and
//! former members that the registry has removed. They are only addresses: the process there may
//! have ended long ago.
//!
//! [`Contacts`] only delegates. Each file below owns one part of the state. `targets.rs` owns none
//! and chooses from the others.
//!
//! ```text
//!   a join adds     a view is noted     a member answers at       a leave, a seed
//!      seeds               |                an address                   |
//!        v                 v                     v                       v
//!    seeds.rs          members.rs        address_owners.rs         own_leave.rs
//!    the seeds      the known members     the member that       whether this member
//!        |                 |            answered at an address   contacts any other
//!        |                 |                     |                       |
//!        '-----------------+----------.----------'-----------------------'
//!                                     v
//!                                targets.rs      the addresses to contact next
//! ```

mod address_owners;
mod members;
mod own_leave;
mod seeds;
mod targets;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use kinfolk_core::signed::Fingerprint;
use kinfolk_core::{Incarnation, NodeId, NodeStatus, Snapshot};
use parking_lot::Mutex;

use self::address_owners::AddressOwners;
use self::members::Members;
use self::own_leave::OwnLeave;
use self::seeds::Seeds;
pub(crate) use self::targets::Targets;
use crate::record::Record;

/// The contacts, shared between tasks. No task holds the lock across an await, so that none blocks
/// another one.
pub(crate) type SharedContacts = Arc<Mutex<Contacts>>;

#[derive(Debug)]
pub(crate) struct Contacts {
    me: NodeId,
    seeds: Seeds,
    members: Members,
    owners: AddressOwners,
    own_leave: OwnLeave,
}

impl Contacts {
    /// The contacts from the record of the previous instance, if there is one.
    pub(crate) fn new(me: NodeId, previous: Option<&Record>) -> Self {
        let (seeds, members, left) = previous.map_or((&[][..], &[][..], false), |previous| {
            (&previous.seeds, &previous.members, previous.left)
        });
        Self {
            me,
            seeds: Seeds::from_previous_instance(seeds),
            members: Members::from_previous_instance(members),
            owners: AddressOwners::default(),
            own_leave: OwnLeave::from_previous_instance(left),
        }
    }

    /// Adds the seeds of a join. The first seeds of an instance replace those of the previous one.
    pub(crate) fn add_seeds(&mut self, seeds: &[String]) {
        if seeds.is_empty() {
            return;
        }
        self.own_leave.seed_given();
        self.seeds.add(seeds);
    }

    /// Replaces the seeds. It is no join: a member that left still contacts nobody.
    pub(crate) fn replace_seeds(&mut self, seeds: &[String]) {
        self.seeds.replace(seeds);
    }

    /// Notes that a join begins. It ends when the returned guard is dropped.
    pub(crate) fn join_begins(contacts: &SharedContacts) -> JoinGuard {
        contacts.lock().seeds.join_begins();
        JoinGuard(Arc::clone(contacts))
    }

    /// Notes that this member leaves on purpose, so that its next instance waits for a seed.
    pub(crate) fn leave(&mut self) {
        self.own_leave.leave();
    }

    /// Notes which member answered at an address.
    pub(crate) fn note_address_owner(&mut self, addr: SocketAddr, node: NodeId) {
        self.owners.note(addr, node);
    }

    /// Removes all notes of which member answered where: another process may have an address now.
    pub(crate) fn clear_address_owners(&mut self) {
        self.owners.clear();
    }

    /// Removes a member that the group has forgotten up to this incarnation. This member does not
    /// contact its address again.
    pub(crate) fn forget(&mut self, id: &NodeId, incarnation: Incarnation) {
        self.members.forget(id, incarnation);
    }

    /// The status of a member, as far as it is kept here: without tags.
    pub(crate) fn status_of(&self, id: &NodeId) -> Option<Arc<NodeStatus>> {
        self.members.status_of(id)
    }

    /// Notes which members are in the view, and which are not in it any more.
    pub(crate) fn note(&mut self, view: &Snapshot) {
        self.members.note(&self.me, view);
    }

    /// The addresses to contact, chosen by this view. None after this member has left.
    pub(crate) fn targets(&self, view: &Snapshot) -> Targets {
        // This member leaves if its own entry is `Left`, and has been shut down if there is no
        // entry. A contact would be a new join.
        if self.has_left() || !view.get(&self.me).is_some_and(|mine| mine.state.is_member()) {
            return Targets::default();
        }
        Targets::of(&self.seeds, &self.members, &self.owners, view)
    }

    /// Whether a member that is alive or suspect in this view has the address, as far as is known.
    pub(crate) fn is_of_member(&self, view: &Snapshot, addr: SocketAddr) -> bool {
        self.owners.is_of_member(view, addr)
    }

    /// Whether this member left, and was not given a seed since then.
    pub(crate) fn has_left(&self) -> bool {
        self.own_leave.has_left()
    }

    /// How many members are kept, and whether this member contacts none because it left.
    pub(crate) fn remembered(&self) -> (usize, bool) {
        (self.members.count(), self.has_left())
    }

    /// The record for the state directory. `written` is the record that is there now. It has the
    /// members whose certificates are known: the next instance could not verify the others.
    pub(crate) fn record(
        &self,
        written: &Record,
        ceiling: Incarnation,
        certificate: impl Fn(&Fingerprint) -> Option<Bytes>,
    ) -> Record {
        let known = self.members.known().into_iter();
        let with_certificate =
            known.filter_map(|member| Some((certificate(&member.proof.certificate)?, member)));
        let (certificates, members) = with_certificate.unzip();
        Record {
            cluster: written.cluster.clone(),
            node: self.me.clone(),
            ceiling,
            left: self.has_left(),
            seeds: self.seeds.all().to_vec(),
            members,
            certificates,
        }
    }
}

/// Marks a join that is under way. While one exists, only joins contact the seeds.
#[derive(Debug)]
pub(crate) struct JoinGuard(SharedContacts);

impl Drop for JoinGuard {
    fn drop(&mut self) {
        self.0.lock().seeds.join_ends();
    }
}
