//! What this member says about itself: tags, services, condition. Each change starts from the
//! latest description, so that no change of several tasks is lost.

use kinfolk_core::About;
use parking_lot::Mutex;

/// The description and its revision. The registry is not its source: the protocol may hold a new
/// description back, for example until an incarnation is written.
#[derive(Debug)]
pub(crate) struct OwnDescription {
    latest: Mutex<(About, u64)>,
}

impl OwnDescription {
    /// The description of a member that starts.
    pub(crate) fn new(about: About) -> Self {
        Self { latest: Mutex::new((about, 0)) }
    }

    /// The latest description.
    pub(crate) fn get(&self) -> About {
        self.latest.lock().0.clone()
    }

    /// Changes the description. Returns it with its revision; the protocol ignores one with a lower
    /// revision, should two changes overtake each other on the way to it.
    ///
    /// # Errors
    /// The error of `change`, which has changed nothing then.
    pub(crate) fn change<E>(
        &self,
        change: impl FnOnce(&About) -> Result<About, E>,
    ) -> Result<(About, u64), E> {
        let mut latest = self.latest.lock();
        let about = change(&latest.0)?;
        *latest = (about, latest.1 + 1);
        Ok(latest.clone())
    }
}

#[cfg(test)]
mod tests {
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
}
