//! Tests of the contacts through the interface that the rest of the crate uses.

use kinfolk_core::{NodeAddr, NodeState, SharedNodeRegistry, Tags};

use super::members::{ABSENT_MAX, MEMBERS_MAX};
use super::seeds::SEEDS_MAX;
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

fn ports(targets: &Targets) -> Vec<u16> {
    targets.absent.iter().map(|addr| addr.socket().port()).collect()
}

/// A certificate for each member: these tests do not read it.
fn certificate(fingerprint: &Fingerprint) -> Bytes {
    Bytes::copy_from_slice(fingerprint.as_bytes())
}

fn blank() -> Record {
    let (cluster, node, ceiling) = ("test".parse().unwrap(), id("me"), Incarnation::ZERO);
    Record {
        cluster,
        node,
        ceiling,
        left: false,
        seeds: Vec::new(),
        members: Vec::new(),
        certificates: Vec::new(),
    }
}

#[test]
fn reaped_member_is_contacted_unless_it_left() {
    let nodes = [("a", 2, NodeState::Failed), ("b", 3, NodeState::Left), ("c", 4, NodeState::Alive)];
    let registry = registry(&nodes.map(|(name, port, state)| status(name, port, state)));
    let mut contacts = noted(&registry);
    assert!(ports(&contacts.targets(&registry.snapshot())).is_empty(), "the registry still knows both");
    for name in ["a", "b"] {
        registry.reap(&id(name), Incarnation::new(1)).unwrap();
    }
    contacts.note(&registry.snapshot());
    assert_eq!(ports(&contacts.targets(&registry.snapshot())), [2]);
}

#[test]
fn forgotten_member_is_not_contacted() {
    let registry = registry(&[status("a", 2, NodeState::Failed)]);
    let mut contacts = noted(&registry);
    registry.reap(&id("a"), Incarnation::new(1)).unwrap();
    contacts.note(&registry.snapshot());
    contacts.forget(&id("a"), Incarnation::ZERO);
    assert_eq!(ports(&contacts.targets(&registry.snapshot())), [2], "an earlier instance was forgotten");
    assert_eq!(
        contacts.status_of(&id("a")).map(|a| (a.addr.socket().port(), a.state)),
        Some((2, NodeState::Failed))
    );
    contacts.forget(&id("a"), Incarnation::new(1));
    contacts.note(&registry.snapshot());
    assert_eq!(
        (ports(&contacts.targets(&registry.snapshot())), contacts.status_of(&id("a"))),
        (vec![], None)
    );
}

#[test]
fn lonely_member_contacts_left_members() {
    let registry = registry(&[status("a", 2, NodeState::Left)]);
    let contacts = noted(&registry);
    assert_eq!(ports(&contacts.targets(&registry.snapshot())), [2]);
    let record = contacts.record(&blank(), Incarnation::new(9), |fingerprint| Some(certificate(fingerprint)));
    let again = self::registry(&[]);
    let mut contacts = Contacts::new(id("me"), Some(&record));
    contacts.note(&again.snapshot());
    assert_eq!(ports(&contacts.targets(&again.snapshot())), [2]);
    let _ = again.apply(status("b", 3, NodeState::Alive));
    assert!(ports(&contacts.targets(&again.snapshot())).is_empty());
}

#[test]
fn address_taken_over_by_a_member_is_not_contacted() {
    let registry = registry(&[status("a", 2, NodeState::Failed)]);
    let mut contacts = noted(&registry);
    registry.reap(&id("a"), Incarnation::new(1)).unwrap();
    let _ = registry.apply(status("b", 2, NodeState::Alive));
    contacts.note(&registry.snapshot());
    assert!(ports(&contacts.targets(&registry.snapshot())).is_empty());
}

#[test]
fn address_belongs_to_its_member_until_it_fails() {
    let registry = registry(&[status("a", 2, NodeState::Alive)]);
    let mut contacts = noted(&registry);
    let outside: SocketAddr = "192.0.2.1:9".parse().unwrap();
    assert!(!contacts.is_of_member(&registry.snapshot(), outside));
    contacts.note_address_owner(outside, id("a"));
    assert!(contacts.is_of_member(&registry.snapshot(), outside));
    let _ = registry.apply(status("a", 2, NodeState::Failed));
    assert!(!contacts.is_of_member(&registry.snapshot(), outside));
}

#[test]
fn left_member_contacts_none_until_a_seed_is_given() {
    let registry = registry(&[status("a", 2, NodeState::Alive)]);
    let mut contacts = noted(&registry);
    contacts.leave();
    contacts.note(&registry.snapshot());
    contacts.add_seeds(&["late:1".to_owned()]);
    let record = contacts.record(&blank(), Incarnation::new(9), |fingerprint| Some(certificate(fingerprint)));
    assert!(record.left && record.members.len() == 1, "{record:?}");

    let again = self::registry(&[]);
    let mut contacts = Contacts::new(id("me"), Some(&record));
    contacts.note(&again.snapshot());
    assert!(contacts.has_left());
    assert_eq!(contacts.targets(&again.snapshot()), Targets::default());
    contacts.add_seeds(&["seed:1".to_owned()]);
    assert_eq!(ports(&contacts.targets(&again.snapshot())), [2]);
}

#[test]
fn stopped_member_contacts_others_after_restart() {
    let registry = registry(&[status("a", 2, NodeState::Alive)]);
    let mut contacts = noted(&registry);
    let _ = registry.apply(status("me", 1, NodeState::Left));
    contacts.note(&registry.snapshot());
    let record = contacts.record(&blank(), Incarnation::new(9), |fingerprint| Some(certificate(fingerprint)));
    assert!(!record.left);
    let contacts = Contacts::new(id("me"), Some(&record));
    assert_eq!(ports(&contacts.targets(&self::registry(&[]).snapshot())), [2]);
}

#[test]
fn first_seeds_replace_those_of_the_previous_instance() {
    let seeds = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let previous = Record { seeds: seeds(&["old:1"]), ..blank() };
    let mut contacts = Contacts::new(id("me"), Some(&previous));
    contacts.add_seeds(&[]);
    assert_eq!(contacts.seeds.all(), ["old:1"]);
    contacts.add_seeds(&seeds(&["a:1", "b:1"]));
    contacts.add_seeds(&seeds(&["c:1", "a:1"]));
    assert_eq!(contacts.seeds.all(), ["b:1", "c:1", "a:1"]);
    contacts.add_seeds(&(0..SEEDS_MAX).map(|n| format!("n{n}:1")).collect::<Vec<_>>());
    assert_eq!((contacts.seeds.all().len(), contacts.seeds.all()[0].as_str()), (SEEDS_MAX, "n0:1"));
    contacts.add_seeds(&seeds(&["d:1"]));
    assert_eq!((contacts.seeds.all().len(), contacts.seeds.all()[0].as_str()), (SEEDS_MAX, "n1:1"));
}

#[test]
fn replaced_seeds_are_the_only_ones() {
    let seeds = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let previous = Record { seeds: seeds(&["old:1"]), ..blank() };
    let mut contacts = Contacts::new(id("me"), Some(&previous));
    contacts.replace_seeds(&seeds(&["a:1", "b:1"]));
    contacts.replace_seeds(&seeds(&["b:1", "c:1"]));
    assert_eq!(contacts.seeds.all(), ["b:1", "c:1"]);
    contacts.replace_seeds(&[]);
    assert!(contacts.seeds.all().is_empty());
    contacts.leave();
    contacts.replace_seeds(&seeds(&["d:1"]));
    assert!(contacts.has_left(), "only a join brings a member back that left");
}

#[test]
fn absent_and_failed_members_are_dropped_first() {
    let name = |n: usize| format!("n{n}");
    let member = |n: usize, state| status(&name(n), u16::try_from(1_000 + n).unwrap(), state);
    let absent: Vec<_> = (0..ABSENT_MAX + 5).map(|n| member(n, NodeState::Failed)).collect();
    let registry = registry(&absent);
    let mut contacts = noted(&registry);
    for node in &absent {
        registry.reap(&node.id, node.incarnation).unwrap();
        contacts.note(&registry.snapshot());
    }
    assert_eq!(contacts.members.count(), ABSENT_MAX);
    assert!(contacts.status_of(&id("n4")).is_none() && contacts.status_of(&id("n5")).is_some());

    for n in 1_000..1_000 + MEMBERS_MAX {
        let _ = registry.apply(member(n, if n == 1_000 { NodeState::Failed } else { NodeState::Alive }));
    }
    contacts.note(&registry.snapshot());
    assert_eq!(contacts.members.count(), MEMBERS_MAX, "all are kept, one of them failed");
    let _ = registry.apply(member(3_000, NodeState::Alive));
    contacts.note(&registry.snapshot());
    assert_eq!(contacts.members.count(), MEMBERS_MAX);
    assert!(contacts.members.iter().all(|(_, member)| member.state().is_member()));
}

#[test]
fn member_without_certificate_is_not_recorded() {
    let nodes = [status("a", 2, NodeState::Failed), status("b", 3, NodeState::Alive)];
    let record = noted(&registry(&nodes)).record(&blank(), Incarnation::new(9), |_| None);
    assert!(record.members.is_empty() && record.certificates.is_empty());
}

#[test]
fn record_restores_the_members() {
    let nodes = [status("a", 2, NodeState::Failed), status("b", 3, NodeState::Alive)];
    let record = noted(&registry(&nodes))
        .record(&blank(), Incarnation::new(9), |fingerprint| Some(certificate(fingerprint)));
    assert_eq!(record.members[0].id, id("b"), "alive members come first");
    let contacts = Contacts::new(id("me"), Some(&record));
    assert_eq!(ports(&contacts.targets(&registry(&[]).snapshot())), [2, 3]);
    assert_eq!(
        contacts.record(&record, record.ceiling, |fingerprint| Some(certificate(fingerprint))),
        record
    );
}

#[test]
fn seeds_are_not_contacted_during_a_join() {
    let registry = registry(&[]);
    let contacts: SharedContacts = Arc::new(noted(&registry).into());
    contacts.lock().add_seeds(&["a:1".to_owned()]);
    let seeds = || contacts.lock().targets(&registry.snapshot()).seeds;
    assert_eq!(seeds(), ["a:1"]);
    let (first, second) = (Contacts::join_begins(&contacts), Contacts::join_begins(&contacts));
    assert!(seeds().is_empty());
    drop(first);
    assert!(seeds().is_empty(), "another join is under way");
    assert_eq!(
        contacts
            .lock()
            .record(&blank(), Incarnation::ZERO, |fingerprint| Some(certificate(fingerprint)))
            .seeds,
        ["a:1"],
        "the record has the seed all the same"
    );
    drop(second);
    assert_eq!(seeds(), ["a:1"]);
}
