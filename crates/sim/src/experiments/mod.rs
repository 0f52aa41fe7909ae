//! The experiments of the papers, each in its own file. The set-up is at the top of the file. Its
//! tables show the published figures beside the figures of this code. This file defines what an
//! experiment is, and lists all of them. The other files are shared: rows and tables, the page and
//! its plots, and statistics.
//!
//! ```text
//!   Experiment::run(&Settings) -> Page ── Table ── Row ──> JSON, one object for each row
//!        │                          ├──── Plot ──────────> docs/results/NAME-PLOT.svg
//!        └── side_by_side(jobs, ...)└──── Bar             all of it: Markdown
//! ```

mod bar;
mod coordinates;
mod hostile;
mod large;
mod lifeguard;
mod modes;
mod names;
mod overload;
mod page;
mod phi;
mod plot;
mod rapid;
mod row;
mod scale;
mod stats;
mod swim;
mod table;

pub use bar::Bar;
pub use page::Page;
pub use plot::{Axis, Plot};
pub use row::{Cell, Row};
pub use stats::{Sample, Share, ratio};
pub use table::{Column, Table};

use crate::side_by_side;

/// An experiment.
#[derive(Debug, Clone, Copy)]
pub struct Experiment {
    /// The name on the command line and of its page.
    pub name: &'static str,
    /// Runs the experiment.
    pub run: fn(&Settings) -> Page,
}

/// How to run an experiment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether to run the quick form, which takes less than a minute: fewer cells and seeds.
    pub quick: bool,
    /// The number of seeds of each cell, if not the experiment's own.
    pub seeds: Option<u64>,
}

impl Settings {
    /// The number of seeds of a cell: the requested number, or the default of the full or the quick
    /// form.
    pub fn seeds(&self, full: u64, quick: u64) -> u64 {
        self.seeds.unwrap_or(if self.quick { quick } else { full })
    }

    /// One of two values: for the full or the quick form.
    pub fn either<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// The arguments after the experiment's name on the command line.
    pub fn args(&self) -> String {
        let quick = if self.quick { " --quick" } else { "" };
        let seeds = self.seeds.map(|seeds| format!(" --seeds {seeds}")).unwrap_or_default();
        format!("{quick}{seeds}")
    }
}

impl Experiment {
    /// Every experiment.
    pub const ALL: [Self; 9] = [
        Self { name: "swim", run: swim::run },
        Self { name: "lifeguard", run: lifeguard::run },
        Self { name: "phi", run: phi::run },
        Self { name: "rapid", run: rapid::run },
        Self { name: "scale", run: scale::run },
        Self { name: "names", run: names::run },
        Self { name: "overload", run: overload::run },
        Self { name: "hostile", run: hostile::run },
        Self { name: "coordinates", run: coordinates::run },
    ];

    /// The experiment of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|experiment| experiment.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn experiments_are_found_by_name() {
        assert!(
            Experiment::ALL.iter().all(|one| Experiment::find(one.name).is_some_and(|f| f.name == one.name))
        );
        assert!(Experiment::find("nonsense").is_none());
    }

    #[test]
    fn requested_seeds_hold_in_both_forms() {
        let settings = |quick, seeds| Settings { quick, seeds };
        assert_eq!((settings(false, None).seeds(100, 5), settings(true, None).seeds(100, 5)), (100, 5));
        assert_eq!((settings(false, Some(7)).seeds(100, 5), settings(true, Some(7)).seeds(100, 5)), (7, 7));
        assert_eq!(settings(true, Some(7)).args(), " --quick --seeds 7");
    }
}
