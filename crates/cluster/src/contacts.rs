//! Addresses to contact after a partition or a restart: the configured seeds, and the members of
//! now and of before, also those that the registry has removed. They are addresses, not members: a
//! process may have ended long ago.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use kinfolk_core::{Incarnation, NodeAddr, NodeId, NodeState, NodeStatus, Snapshot, Tags};
use parking_lot::Mutex;

use crate::memory::{Known, Record};

/// How many seeds are remembered; of more, those given last.
pub(crate) const SEEDS_MAX: usize = 64;
/// How many bytes a seed has at the most that is remembered: the longest name, a colon and a port.
const SEED_LEN_MAX: usize = 260;
/// How many members are remembered; of more, those who are alive before those who are not.
pub(crate) const MEMBERS_MAX: usize = 1_024;
/// How many of them the registry may have removed. Of more, those are kept that did not leave and
/// were removed last.
pub(crate) const ABSENT_MAX: usize = 256;
/// How many addresses are remembered that lead to a member which advertises another.
const REACHED_MAX: usize = 256;

/// The contacts, shared by all who read or note them. No lock is held over anything that waits.
pub(crate) type SharedContacts = Arc<Mutex<Contacts>>;

#[derive(Debug)]
pub(crate) struct Contacts {
    me: NodeId,
    seeds: Vec<String>,
    /// Whether `seeds` are those of the former life.
    inherited: bool,
    members: BTreeMap<NodeId, Remembered>,
    reached: BTreeMap<SocketAddr, NodeId>,
    /// Whether this member left and was not brought back since. Then it contacts nobody.
    left: bool,
    /// Whether it left in this instance, which cannot come back.
    left_now: bool,
    /// The version of the view that was noted last.
    noted: Option<u64>,
    /// Counts those who became absent.
    absences: u64,
}

#[derive(Debug)]
struct Remembered {
    addr: NodeAddr,
    incarnation: Incarnation,
    state: NodeState,
    /// Set if the registry does not know it: the lower, the longer.
    absent: Option<u64>,
}

/// Whom to contact.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sought {
    pub seeds: Vec<String>,
    /// Members that the registry has removed, or that left. The protocol contacts those that
    /// failed.
    pub absent: Vec<NodeAddr>,
}

impl Contacts {
    /// Those of a former life, if there was one.
    pub(crate) fn new(me: NodeId, former: Option<&Record>) -> Self {
        let mut contacts = Self {
            me,
            seeds: Vec::new(),
            inherited: true,
            members: BTreeMap::new(),
            reached: BTreeMap::new(),
            left: false,
            left_now: false,
            noted: None,
            absences: 0,
        };
        if let Some(Record { seeds, members, left, .. }) = former {
            contacts.left = *left;
            contacts.seeds.clone_from(seeds);
            // The dead are counted as absent for longer.
            for known in members.iter().rev() {
                let Known { addr, incarnation, state, .. } = *known;
                let absent = Some(contacts.absences);
                contacts.absences += 1;
                contacts.members.insert(known.id.clone(), Remembered { addr, incarnation, state, absent });
            }
        }
        contacts
    }

    /// Notes the seeds of a join. The first ones of a life take the place of those of the former life.
    pub(crate) fn given(&mut self, seeds: &[String]) {
        if seeds.is_empty() {
            return;
        }
        self.left = self.left_now;
        if std::mem::take(&mut self.inherited) {
            self.seeds.clear();
        }
        self.seeds.retain(|seed| !seeds.contains(seed));
        self.seeds.extend(seeds.iter().filter(|seed| seed.len() <= SEED_LEN_MAX).cloned());
        let surplus = self.seeds.len().saturating_sub(SEEDS_MAX);
        self.seeds.drain(..surplus);
    }

    /// Notes that this member leaves, so that its next instance waits for a seed.
    pub(crate) fn leaves(&mut self) {
        self.left = true;
        self.left_now = true;
    }

    /// Notes whom that address led to.
    pub(crate) fn reached(&mut self, addr: SocketAddr, node: NodeId) {
        if self.reached.len() < REACHED_MAX || self.reached.contains_key(&addr) {
            self.reached.insert(addr, node);
        }
    }

    /// Forgets whom the addresses led to: they may have changed hands.
    pub(crate) fn forget_reached(&mut self) {
        self.reached.clear();
    }

    /// Forgets a member that the group has forgotten up to this incarnation: its address is
    /// contacted no more.
    pub(crate) fn forget(&mut self, id: &NodeId, incarnation: Incarnation) {
        if self.members.get(id).is_some_and(|member| member.incarnation <= incarnation) {
            self.members.remove(id);
        }
    }

    /// What is remembered of that member.
    pub(crate) fn remembers(&self, id: &NodeId) -> Option<Arc<NodeStatus>> {
        let Remembered { addr, incarnation, state, .. } = *self.members.get(id)?;
        let status = NodeStatus::alive(id.clone(), addr, incarnation, Tags::empty()).with_state(state);
        Some(status.without_description().into())
    }

    /// Notes who is in the view, and who is there no more.
    pub(crate) fn note(&mut self, view: &Snapshot) {
        // A view without this member is left over from a shutdown. Ignore it.
        if view.get(&self.me).is_none() {
            return;
        }
        if self.noted.replace(view.version()) == Some(view.version()) {
            return;
        }
        for node in view.nodes() {
            self.note_node(node);
        }
        for (id, remembered) in &mut self.members {
            if remembered.absent.is_none() && view.get(id).is_none() {
                remembered.absent = Some(self.absences);
                self.absences += 1;
            }
        }
        self.keep_bounds();
    }

    fn note_node(&mut self, node: &NodeStatus) {
        if node.id == self.me {
            return;
        }
        let NodeStatus { addr, incarnation, state, .. } = *node;
        self.members.insert(node.id.clone(), Remembered { addr, incarnation, state, absent: None });
    }

    fn keep_bounds(&mut self) {
        let absent = self.members.values().filter(|member| member.absent.is_some()).count();
        let surplus = absent.saturating_sub(ABSENT_MAX);
        if surplus > 0 {
            // Those that left go first: they matter only when this member is alone.
            let rank = |(id, member): (&NodeId, &Remembered)| {
                member.absent.map(|since| (member.state != NodeState::Left, since, id.clone()))
            };
            let mut ranks: Vec<_> = self.members.iter().filter_map(rank).collect();
            ranks.sort_unstable();
            for (.., id) in ranks.drain(..surplus) {
                self.members.remove(&id);
            }
        }
        if self.members.len() > MEMBERS_MAX {
            // Each member keeps a different random subset, so that the group as a whole keeps all
            // addresses.
            let by_chance = |id: &NodeId| crc32fast::hash(format!("{} {id}", self.me).as_bytes());
            let rank = |(id, member): (&NodeId, &Remembered)| {
                (member.absent.is_some(), !member.state.is_member(), by_chance(id), id.clone())
            };
            let mut ranks: Vec<_> = self.members.iter().map(rank).collect();
            ranks.sort_unstable();
            for (.., id) in ranks.drain(MEMBERS_MAX..) {
                self.members.remove(&id);
            }
        }
    }

    /// The addresses to contact, judged by this view: none once this member has left.
    ///
    /// A member that left is contacted only while this member is alone. All members of a fleet that
    /// a service manager stops say that they leave; when they start again, each knows only members
    /// that left. A member that left for good declines.
    pub(crate) fn sought(&self, view: &Snapshot) -> Sought {
        if self.left || !view.get(&self.me).is_some_and(|mine| mine.state.is_member()) {
            return Sought::default();
        }
        let alone = view.members().nth(1).is_none();
        let is_sought = |id: &NodeId, member: &Remembered| match view.get(id) {
            None => alone || member.state != NodeState::Left,
            Some(known) => alone && known.state == NodeState::Left,
        };
        let absent = self.members.iter().filter(|(id, member)| is_sought(id, member));
        let absent =
            absent.map(|(_, member)| member.addr).filter(|addr| !self.is_with_us(view, addr.socket()));
        Sought { seeds: self.seeds.clone(), absent: absent.collect() }
    }

    /// Whether that address is one of a living member's, as far as is known.
    pub(crate) fn is_with_us(&self, view: &Snapshot, addr: SocketAddr) -> bool {
        let reached = self.reached.get(&addr).and_then(|id| view.get(id));
        reached.is_some_and(|node| node.state.is_member())
            || view.members().any(|node| node.addr.socket() == addr)
    }

    /// Whether this member left and was not given a seed since.
    pub(crate) fn has_left(&self) -> bool {
        self.left
    }

    /// How many members are remembered, and whether none is contacted because this member left.
    pub(crate) fn remembered(&self) -> (usize, bool) {
        (self.members.len(), self.left)
    }

    /// What to write down of it, after what was `written` before.
    pub(crate) fn record(&self, written: &Record, ceiling: Incarnation) -> Record {
        let known = |(id, member): (&NodeId, &Remembered)| Known {
            id: id.clone(),
            addr: member.addr,
            incarnation: member.incarnation,
            state: member.state,
        };
        let mut members: Vec<Known> = self.members.iter().map(known).collect();
        members.sort_by_key(|known| known.state);
        Record {
            cluster: written.cluster.clone(),
            node: self.me.clone(),
            ceiling,
            left: self.left,
            seeds: self.seeds.clone(),
            members,
        }
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::SharedNodeRegistry;

    use super::*;

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn status(name: &str, port: u16, state: NodeState) -> NodeStatus {
        let addr = NodeAddr::new(([127, 0, 0, 1], port).into());
        NodeStatus::alive(id(name), addr, Incarnation::new(1), Tags::empty()).with_state(state)
    }

    /// A registry in which `me` is alive.
    fn registry(others: &[NodeStatus]) -> SharedNodeRegistry {
        let registry = SharedNodeRegistry::new();
        let _ = registry.apply(status("me", 1, NodeState::Alive));
        for other in others {
            let _ = registry.apply(other.clone());
        }
        registry
    }

    fn noted(registry: &SharedNodeRegistry) -> Contacts {
        let mut contacts = Contacts::new(id("me"), None);
        contacts.note(&registry.snapshot());
        contacts
    }

    fn ports(sought: &Sought) -> Vec<u16> {
        sought.absent.iter().map(|addr| addr.socket().port()).collect()
    }

    fn blank() -> Record {
        let (cluster, node, ceiling) = ("town".parse().unwrap(), id("me"), Incarnation::ZERO);
        Record { cluster, node, ceiling, left: false, seeds: Vec::new(), members: Vec::new() }
    }

    #[test]
    fn a_reaped_member_is_contacted_unless_it_left() {
        let nodes = [("a", 2, NodeState::Failed), ("b", 3, NodeState::Left), ("c", 4, NodeState::Alive)];
        let registry = registry(&nodes.map(|(name, port, state)| status(name, port, state)));
        let mut contacts = noted(&registry);
        assert_eq!(ports(&contacts.sought(&registry.snapshot())), [], "the registry still knows both");
        for name in ["a", "b"] {
            registry.reap(&id(name), Incarnation::new(1)).unwrap();
        }
        contacts.note(&registry.snapshot());
        assert_eq!(ports(&contacts.sought(&registry.snapshot())), [2]);
    }

    #[test]
    fn a_forgotten_member_is_contacted_no_more() {
        let registry = registry(&[status("a", 2, NodeState::Failed)]);
        let mut contacts = noted(&registry);
        registry.reap(&id("a"), Incarnation::new(1)).unwrap();
        contacts.note(&registry.snapshot());
        contacts.forget(&id("a"), Incarnation::ZERO);
        assert_eq!(ports(&contacts.sought(&registry.snapshot())), [2], "that is an earlier instance");
        assert_eq!(
            contacts.remembers(&id("a")).map(|a| (a.addr.socket().port(), a.state)),
            Some((2, NodeState::Failed))
        );
        contacts.forget(&id("a"), Incarnation::new(1));
        contacts.note(&registry.snapshot());
        assert_eq!(
            (ports(&contacts.sought(&registry.snapshot())), contacts.remembers(&id("a"))),
            (vec![], None)
        );
    }

    #[test]
    fn a_lonely_member_contacts_those_that_left() {
        let registry = registry(&[status("a", 2, NodeState::Left)]);
        let contacts = noted(&registry);
        assert_eq!(ports(&contacts.sought(&registry.snapshot())), [2]);
        let record = contacts.record(&blank(), Incarnation::new(9));
        let again = self::registry(&[]);
        let mut contacts = Contacts::new(id("me"), Some(&record));
        contacts.note(&again.snapshot());
        assert_eq!(ports(&contacts.sought(&again.snapshot())), [2]);
        let _ = again.apply(status("b", 3, NodeState::Alive));
        assert_eq!(ports(&contacts.sought(&again.snapshot())), []);
    }

    #[test]
    fn an_address_that_a_living_member_has_taken_over_is_not_contacted() {
        let registry = registry(&[status("a", 2, NodeState::Failed)]);
        let mut contacts = noted(&registry);
        registry.reap(&id("a"), Incarnation::new(1)).unwrap();
        let _ = registry.apply(status("b", 2, NodeState::Alive));
        contacts.note(&registry.snapshot());
        assert_eq!(ports(&contacts.sought(&registry.snapshot())), []);
    }

    #[test]
    fn an_address_that_led_to_a_living_member_is_with_us_until_that_member_fails() {
        let registry = registry(&[status("a", 2, NodeState::Alive)]);
        let mut contacts = noted(&registry);
        let outside: SocketAddr = "192.0.2.1:9".parse().unwrap();
        assert!(!contacts.is_with_us(&registry.snapshot(), outside));
        contacts.reached(outside, id("a"));
        assert!(contacts.is_with_us(&registry.snapshot(), outside));
        let _ = registry.apply(status("a", 2, NodeState::Failed));
        assert!(!contacts.is_with_us(&registry.snapshot(), outside));
    }

    #[test]
    fn a_member_that_left_contacts_nobody_until_a_seed_is_given() {
        let registry = registry(&[status("a", 2, NodeState::Alive)]);
        let mut contacts = noted(&registry);
        contacts.leaves();
        contacts.note(&registry.snapshot());
        contacts.given(&["late:1".to_owned()]);
        let record = contacts.record(&blank(), Incarnation::new(9));
        assert!(record.left && record.members.len() == 1, "{record:?}");

        let again = self::registry(&[]);
        let mut contacts = Contacts::new(id("me"), Some(&record));
        contacts.note(&again.snapshot());
        assert!(contacts.has_left());
        assert_eq!(contacts.sought(&again.snapshot()), Sought::default());
        contacts.given(&["seed:1".to_owned()]);
        assert_eq!(ports(&contacts.sought(&again.snapshot())), [2]);
    }

    #[test]
    fn a_member_that_was_stopped_contacts_others_in_its_next_instance() {
        let registry = registry(&[status("a", 2, NodeState::Alive)]);
        let mut contacts = noted(&registry);
        let _ = registry.apply(status("me", 1, NodeState::Left));
        contacts.note(&registry.snapshot());
        let record = contacts.record(&blank(), Incarnation::new(9));
        assert!(!record.left);
        let contacts = Contacts::new(id("me"), Some(&record));
        assert_eq!(ports(&contacts.sought(&self::registry(&[]).snapshot())), [2]);
    }

    #[test]
    fn the_first_seeds_of_a_life_take_the_place_of_the_former_ones_and_more_are_added() {
        let seeds = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let former = Record { seeds: seeds(&["old:1"]), ..blank() };
        let mut contacts = Contacts::new(id("me"), Some(&former));
        contacts.given(&[]);
        assert_eq!(contacts.seeds, ["old:1"]);
        contacts.given(&seeds(&["a:1", "b:1"]));
        contacts.given(&seeds(&["c:1", "a:1"]));
        assert_eq!(contacts.seeds, ["b:1", "c:1", "a:1"]);
        contacts.given(&(0..SEEDS_MAX).map(|n| format!("n{n}:1")).collect::<Vec<_>>());
        assert_eq!((contacts.seeds.len(), contacts.seeds[0].as_str()), (SEEDS_MAX, "n0:1"));
        contacts.given(&seeds(&["d:1"]));
        assert_eq!((contacts.seeds.len(), contacts.seeds[0].as_str()), (SEEDS_MAX, "n1:1"));
    }

    #[test]
    fn of_too_many_the_absent_and_the_dead_are_forgotten_first() {
        let name = |n: usize| format!("n{n}");
        let member = |n: usize, state| status(&name(n), u16::try_from(1_000 + n).unwrap(), state);
        let absent: Vec<_> = (0..ABSENT_MAX + 5).map(|n| member(n, NodeState::Failed)).collect();
        let registry = registry(&absent);
        let mut contacts = noted(&registry);
        for node in &absent {
            registry.reap(&node.id, node.incarnation).unwrap();
            contacts.note(&registry.snapshot());
        }
        assert_eq!(contacts.members.len(), ABSENT_MAX);
        assert!(!contacts.members.contains_key(&id("n4")) && contacts.members.contains_key(&id("n5")));

        for n in 1_000..1_000 + MEMBERS_MAX {
            let _ = registry.apply(member(n, if n == 1_000 { NodeState::Failed } else { NodeState::Alive }));
        }
        contacts.note(&registry.snapshot());
        assert_eq!(contacts.members.len(), MEMBERS_MAX, "all are there, one of them dead");
        let _ = registry.apply(member(3_000, NodeState::Alive));
        contacts.note(&registry.snapshot());
        assert_eq!(contacts.members.len(), MEMBERS_MAX);
        assert!(contacts.members.values().all(|member| member.state.is_member()));
    }

    #[test]
    fn a_record_brings_back_whom_it_remembers() {
        let nodes = [status("a", 2, NodeState::Failed), status("b", 3, NodeState::Alive)];
        let record = noted(&registry(&nodes)).record(&blank(), Incarnation::new(9));
        assert_eq!(record.members[0].id, id("b"), "the living come first");
        let contacts = Contacts::new(id("me"), Some(&record));
        assert_eq!(ports(&contacts.sought(&registry(&[]).snapshot())), [2, 3]);
        assert_eq!(contacts.record(&record, record.ceiling), record);
    }

    #[test]
    fn an_emptied_registry_is_not_noted() {
        let registry = registry(&[status("a", 2, NodeState::Alive)]);
        let mut contacts = noted(&registry);
        registry.clear();
        contacts.note(&registry.snapshot());
        assert_eq!(contacts.members[&id("a")].absent, None);
    }
}
