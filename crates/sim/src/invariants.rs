//! What must hold in every run, one rule a file. Each sees every change of every view as it happens, and the end.

mod bounded;
mod crash_known;
mod incarnations;
mod news;
mod no_false_failure;
mod no_resurrection;
mod partition;
mod pause_tolerated;
mod precedence;
mod reaches_all;
#[cfg(test)]
mod testing;
mod views_agree;
mod views_true;

pub use bounded::Bounded;
pub use crash_known::CrashKnown;
pub use incarnations::Incarnations;
pub use no_false_failure::NoFalseFailure;
pub use no_resurrection::NoResurrection;
pub use partition::PartitionHeld;
pub use pause_tolerated::PauseTolerated;
pub use precedence::Precedence;
pub use reaches_all::ReachesAll;
pub use views_agree::ViewsAgree;
pub use views_true::ViewsTrue;

use crate::observed::{Ending, Moment};

/// A rule that must hold.
pub trait Invariant {
    /// The rule, as it is told when it is broken.
    fn name(&self) -> &'static str;

    /// Takes in one moment.
    ///
    /// # Errors
    /// How the rule was broken.
    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String>;

    /// Takes in the end of the run.
    ///
    /// # Errors
    /// How the rule was broken.
    fn finish(&mut self, ending: &Ending<'_>) -> Result<(), String> {
        let _ = ending;
        Ok(())
    }
}
