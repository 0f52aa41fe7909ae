//! What this member says about itself: tags, services, condition, coordinate. Each change starts
//! from the latest description, so that no change of several tasks is lost.

use kinfolk_core::{About, Condition, Coordinate, Health};
use parking_lot::Mutex;

/// The description and its revision. The registry is not its source: the protocol may hold a new
/// description back, for example until an incarnation is written.
#[derive(Debug)]
pub(crate) struct OwnDescription {
    latest: Mutex<Latest>,
}

#[derive(Debug)]
struct Latest {
    about: About,
    revision: u64,
    /// The revision that stated the condition last. The condition itself does not tell: a renewed
    /// maintenance may have the same length and note as the one before.
    condition_stated: u64,
}

impl OwnDescription {
    /// The description of a member that starts.
    pub(crate) fn new(about: About) -> Self {
        Self { latest: Mutex::new(Latest { about, revision: 0, condition_stated: 0 }) }
    }

    /// The latest description.
    pub(crate) fn get(&self) -> About {
        self.latest.lock().about.clone()
    }

    /// Changes the description, but not the condition. Returns it with its revision; the protocol
    /// ignores one with a lower revision, should two changes overtake each other on the way to it.
    ///
    /// # Errors
    /// The error of `change`, which has changed nothing then.
    pub(crate) fn change<E>(
        &self,
        change: impl FnOnce(&About) -> Result<About, E>,
    ) -> Result<(About, u64), E> {
        let mut latest = self.latest.lock();
        latest.about = change(&latest.about)?;
        latest.revision += 1;
        Ok((latest.about.clone(), latest.revision))
    }

    /// Changes the coordinate. `None` during a maintenance, which changes nothing: the other
    /// members count its time again with each new description.
    pub(crate) fn move_to(&self, coordinate: Coordinate) -> Option<(About, u64)> {
        let mut latest = self.latest.lock();
        if latest.about.condition.health() == Health::Maintenance {
            return None;
        }
        latest.about = latest.about.clone().with_coordinate(Some(coordinate));
        latest.revision += 1;
        Some((latest.about.clone(), latest.revision))
    }

    /// States the condition, even if it is the same as before.
    pub(crate) fn state_condition(&self, condition: Condition) -> (About, u64) {
        self.latest.lock().state_condition(condition)
    }

    /// Replaces the condition that was stated with revision `stated`. `None` if another one was
    /// stated since; that one stays.
    pub(crate) fn replace_condition(&self, stated: u64, condition: Condition) -> Option<(About, u64)> {
        let mut latest = self.latest.lock();
        (latest.condition_stated == stated).then(|| latest.state_condition(condition))
    }
}

impl Latest {
    fn state_condition(&mut self, condition: Condition) -> (About, u64) {
        self.about.condition = condition;
        self.revision += 1;
        self.condition_stated = self.revision;
        (self.about.clone(), self.revision)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinfolk_core::{Tags, TagsError};

    use super::*;

    #[test]
    fn each_change_starts_from_the_one_before() {
        let own = OwnDescription::new(About::default());
        let with = |key: &str| {
            own.change(|about| Ok::<_, TagsError>(About { tags: about.tags.with(key, "")?, ..about.clone() }))
        };
        assert_eq!(with("a").unwrap().1, 1);
        assert_eq!(with("b").unwrap().1, 2);
        assert_eq!(own.get().tags, Tags::new([("a", ""), ("b", "")]).unwrap());
    }

    #[test]
    fn failed_change_changes_nothing() {
        let own = OwnDescription::new(About::default());
        assert_eq!(own.change(|_| Err(TagsError::EmptyKey)), Err(TagsError::EmptyKey));
        assert_eq!(own.change(|about| Ok::<_, TagsError>(about.clone())).unwrap().1, 1);
    }

    #[test]
    fn coordinate_waits_for_the_end_of_a_maintenance() {
        let own = OwnDescription::new(About::default());
        let at = |micros| Coordinate::new([micros; 4], 100, 200).unwrap();
        let (about, revision) = own.move_to(at(7)).unwrap();
        assert_eq!((about.coordinate(), revision), (Some(at(7)), 1));
        let (about, stated) = own.state_condition(Condition::maintenance(Duration::from_mins(1), "disk"));
        assert_eq!(about.coordinate(), Some(at(7)), "each change keeps the coordinate");
        assert_eq!(own.move_to(at(8)), None);
        assert_eq!((own.get().coordinate(), own.get()), (Some(at(7)), about));
        own.replace_condition(stated, Condition::Passing).unwrap();
        assert_eq!(own.move_to(at(8)).unwrap().0.coordinate(), Some(at(8)));
    }

    #[test]
    fn condition_that_was_stated_again_stays() {
        let own = OwnDescription::new(About::default());
        let busy = || Condition::warning("busy");
        let (_, first) = own.state_condition(busy());
        own.change(|about| Ok::<_, TagsError>(about.clone())).unwrap();
        let (_, second) = own.state_condition(busy());
        assert_eq!(own.replace_condition(first, Condition::Passing), None);
        assert_eq!(own.get().condition, busy());
        own.change(|about| Ok::<_, TagsError>(about.clone())).unwrap();
        let (about, revision) = own.replace_condition(second, Condition::Passing).unwrap();
        assert_eq!((about.condition, revision), (Condition::Passing, 5));
    }
}
