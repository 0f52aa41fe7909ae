//! What was promised of an experiment, what came out, and whether that is met.

use super::row::Row;

/// A promise and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// What is promised.
    pub promise: String,
    /// What came out.
    pub found: String,
    /// Whether it is met.
    pub met: bool,
    /// Set if it is known that it cannot be met, with the reason. Then it is told and no failure.
    pub known_miss: Option<String>,
}

impl Bar {
    /// A promise and whether what came out meets it.
    pub fn new(promise: impl Into<String>, found: impl Into<String>, met: bool) -> Self {
        Self { promise: promise.into(), found: found.into(), met, known_miss: None }
    }

    /// With the reason why it is missed, for one that is known to be.
    #[must_use]
    pub fn missed_because(mut self, why: impl Into<String>) -> Self {
        self.known_miss = Some(why.into());
        self
    }

    /// Whether it is missed and nobody knew.
    pub fn is_broken(&self) -> bool {
        !self.met && self.known_miss.is_none()
    }

    pub(super) fn row(&self) -> Row {
        let met = match (&self.known_miss, self.met) {
            (_, true) => "yes".to_owned(),
            (None, false) => "**no**".to_owned(),
            (Some(why), false) => format!("**no**: {why}"),
        };
        Row::new().with("promise", self.promise.as_str()).with("found", self.found.as_str()).with("met", met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unknown_miss_is_broken() {
        let bar = |met| Bar::new("a", "b", met);
        assert!(bar(false).is_broken() && !bar(true).is_broken());
        assert!(!bar(false).missed_because("c").is_broken() && !bar(true).missed_because("c").is_broken());
    }
}
