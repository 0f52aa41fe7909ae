//! The accused that this member does not know. Their accusations wait for their statements, as
//! those that are ahead of a joining member's view. Names can be invented, so each accuser has its
//! share of the places, and they push out no accusation of a member.

use std::collections::{BTreeMap, VecDeque};

use kinfolk_core::NodeId;

/// How many unknown members one accuser may accuse at a time: those that it watches, in a small
/// group that has just met another one. One more replaces the first.
const OF_EACH_MAX: usize = 16;
/// How many there are of all accusers. One more replaces the first of the accuser with the most.
const MAX: usize = 256;

/// The unknown members that each accuser has accused, in that order.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    of: BTreeMap<NodeId, VecDeque<NodeId>>,
    count: usize,
}

impl Strangers {
    /// `accuser` accuses an unknown member for the first time. Returns the accuser and the subject
    /// of the accusation that makes room.
    pub(super) fn add(&mut self, accuser: &NodeId, subject: &NodeId) -> Option<(NodeId, NodeId)> {
        let own = self.of.entry(accuser.clone()).or_default();
        own.push_back(subject.clone());
        self.count += 1;
        let from = if own.len() > OF_EACH_MAX {
            accuser.clone()
        } else if self.count > MAX {
            self.of.iter().max_by_key(|(_, subjects)| subjects.len()).map(|(accuser, _)| accuser.clone())?
        } else {
            return None;
        };
        let first = self.of.get_mut(&from)?.pop_front()?;
        self.removed_one(&from);
        Some((from, first))
    }

    /// This member is known now, or its accusations are gone.
    pub(super) fn remove(&mut self, subject: &NodeId) {
        if self.count == 0 {
            return;
        }
        let by: Vec<NodeId> = self
            .of
            .iter()
            .filter(|(_, subjects)| subjects.contains(subject))
            .map(|(id, _)| id.clone())
            .collect();
        for accuser in by {
            if let Some(subjects) = self.of.get_mut(&accuser) {
                // Each accuser has one accusation of a subject.
                subjects.retain(|other| other != subject);
            }
            self.removed_one(&accuser);
        }
    }

    fn removed_one(&mut self, accuser: &NodeId) {
        self.count -= 1;
        if self.of.get(accuser).is_some_and(VecDeque::is_empty) {
            self.of.remove(accuser);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn add(strangers: &mut Strangers, accuser: &str, number: usize) -> Option<(String, String)> {
        let made_room = strangers.add(&id(accuser), &id(&format!("s{number}")));
        made_room.map(|(accuser, subject)| (accuser.to_string(), subject.to_string()))
    }

    #[test]
    fn accuser_pushes_out_only_its_own() {
        let mut strangers = Strangers::default();
        assert_eq!(add(&mut strangers, "b", 0), None);
        assert!((0..OF_EACH_MAX).all(|number| add(&mut strangers, "liar", number).is_none()));
        assert_eq!(add(&mut strangers, "liar", OF_EACH_MAX), Some(("liar".into(), "s0".into())));
        assert_eq!((strangers.count, strangers.of.len()), (OF_EACH_MAX + 1, 2));
    }

    #[test]
    fn accuser_with_the_most_makes_room_at_the_bound() {
        let mut strangers = Strangers::default();
        let liars = MAX / OF_EACH_MAX;
        for number in 0..MAX {
            assert_eq!(add(&mut strangers, &format!("liar-{}", number % liars), number), None);
        }
        let (accuser, _) = add(&mut strangers, "b", 0).unwrap();
        assert!(accuser.starts_with("liar"), "{accuser}");
        assert_eq!(strangers.count, MAX);
    }

    #[test]
    fn subject_that_is_known_takes_no_place() {
        let mut strangers = Strangers::default();
        for accuser in ["a", "b"] {
            add(&mut strangers, accuser, 1);
        }
        add(&mut strangers, "b", 2);
        strangers.remove(&id("s1"));
        assert_eq!((strangers.count, strangers.of.len()), (1, 1));
        strangers.remove(&id("s2"));
        strangers.remove(&id("s2"));
        assert_eq!((strangers.count, strangers.of.len()), (0, 0));
    }
}
