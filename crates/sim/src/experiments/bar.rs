//! The promise about an experiment, its result, and whether the result meets it.

use super::row::Row;

/// A promise and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// The promise.
    pub promise: String,
    /// The result.
    pub found: String,
    /// Whether the result meets the promise.
    pub met: bool,
    /// The reason, if the promise is known to be missed. Then the page prints the reason, and the
    /// miss is no failure.
    pub known_miss: Option<String>,
}

impl Bar {
    /// A promise, the result, and whether it meets the promise.
    pub fn new(promise: impl Into<String>, found: impl Into<String>, met: bool) -> Self {
        Self { promise: promise.into(), found: found.into(), met, known_miss: None }
    }

    /// Marks the bar as a known miss, with the reason.
    #[must_use]
    pub fn missed_because(mut self, why: impl Into<String>) -> Self {
        self.known_miss = Some(why.into());
        self
    }

    /// Whether the promise is missed without being a known miss.
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
