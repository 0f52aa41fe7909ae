//! All invariants of a run, and the first violation of any of them.

use std::fmt;

use kinfolk_core::Instant;

use crate::invariants::Invariant;
use crate::observed::{Ending, Moment};

/// The violation of an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The name of the invariant.
    pub invariant: &'static str,
    /// When it happened.
    pub at: Instant,
    /// What happened.
    pub how: String,
}

/// The invariants of a run. Only the first violation counts, because later ones may follow from it.
#[derive(Default)]
pub struct Checks {
    invariants: Vec<Box<dyn Invariant>>,
    broken: Option<Violation>,
}

impl Checks {
    /// Checks with these invariants.
    pub fn new(invariants: Vec<Box<dyn Invariant>>) -> Self {
        Self { invariants, broken: None }
    }

    /// Passes a moment to every invariant.
    pub fn observe(&mut self, moment: &Moment<'_>) {
        for invariant in &mut self.invariants {
            if let Err(how) = invariant.observe(moment) {
                let violation = Violation { invariant: invariant.name(), at: moment.now, how };
                self.broken.get_or_insert(violation);
            }
        }
    }

    /// Passes the end of the run to every invariant.
    pub fn finish(&mut self, ending: &Ending<'_>) {
        for invariant in &mut self.invariants {
            if let Err(how) = invariant.finish(ending) {
                let violation = Violation { invariant: invariant.name(), at: ending.now, how };
                // The end reports a violation only if the run itself had none.
                self.broken.get_or_insert(violation);
            }
        }
    }

    /// Records a violation that the world itself found.
    pub fn violate(&mut self, invariant: &'static str, at: Instant, how: String) {
        self.broken.get_or_insert(Violation { invariant, at, how });
    }

    /// The first violation.
    pub fn broken(&self) -> Option<&Violation> {
        self.broken.as_ref()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken at {:?}: {}", self.invariant, self.at, self.how)
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.invariants.iter().map(|invariant| invariant.name()).collect();
        f.debug_struct("Checks").field("invariants", &names).field("broken", &self.broken).finish()
    }
}
