//! The invariants: what must hold in every run, one rule in each file. Each invariant sees every
//! change of every view when it happens, and the end of the run.

mod bounded;
mod crash_known;
mod dissemination;
mod honest_stay;
mod incarnations;
mod no_false_failure;
mod no_resurrection;
mod nothing_forged;
mod nothing_invented;
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
pub use honest_stay::HonestStay;
pub use incarnations::Incarnations;
pub use no_false_failure::NoFalseFailure;
pub use no_resurrection::NoResurrection;
pub use nothing_forged::NothingForged;
pub use nothing_invented::NothingInvented;
pub use partition::PartitionHeld;
pub use pause_tolerated::PauseTolerated;
pub use precedence::Precedence;
pub use reaches_all::ReachesAll;
pub use views_agree::ViewsAgree;
pub use views_true::ViewsTrue;

use crate::observed::{Ending, Moment};

/// A rule that must hold in every run.
pub trait Invariant {
    /// The rule, as a violation prints it.
    fn name(&self) -> &'static str;

    /// Checks one moment.
    ///
    /// # Errors
    /// How the moment breaks the rule.
    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String>;

    /// Checks the end of the run.
    ///
    /// # Errors
    /// How the end breaks the rule.
    fn finish(&mut self, ending: &Ending<'_>) -> Result<(), String> {
        let _ = ending;
        Ok(())
    }
}
