//! The expected figures, and whether a run meets them. The report shows both. A missed expectation
//! does not fail the run: the reader of the report judges.

use serde::Serialize;

use super::MEMBERS;
use super::machine::KNOWN;
use crate::case::Cell;

/// The longest time for a step of the protocol machine, in nanoseconds: it handles a message with
/// 20 updates that are all known.
const STEP_NS_MAX: f64 = 5_000.0;
/// How many times longer the step may take with ten times as many members. Its cost must hardly
/// depend on the size of the group.
const STEP_GROWTH_MAX: f64 = 1.5;

/// An expected figure, and the measured one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expectation {
    /// The expectation in words.
    pub claim: String,
    /// The measured figure.
    pub measured: f64,
    /// Whether the figure meets the expectation.
    pub met: bool,
}

/// All expectations, compared with the measured figures.
pub(super) fn judge(cells: &[Cell]) -> Vec<Expectation> {
    let median = |members: usize| {
        let name = format!("{KNOWN}, {members}");
        cells.iter().find(|cell| cell.name == name).map_or(f64::NAN, |cell| cell.ns.median)
    };
    let [small, large] = MEMBERS.map(median);
    let [few, many] = MEMBERS;
    vec![
        at_most(format!("{KNOWN}, {many} members, ns: below {STEP_NS_MAX}"), STEP_NS_MAX, large),
        at_most(
            format!("{KNOWN}, {many} members against {few}: at most {STEP_GROWTH_MAX} times"),
            STEP_GROWTH_MAX,
            large / small,
        ),
    ]
}

fn at_most(claim: String, most: f64, measured: f64) -> Expectation {
    // A figure that was not measured is NaN. Every comparison with NaN is false, so it meets
    // nothing.
    Expectation { claim, measured, met: measured <= most }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::Spread;

    fn judged(few_ns: f64, many_ns: f64) -> [bool; 2] {
        let [few, many] = MEMBERS;
        let cells = [(few, few_ns), (many, many_ns)]
            .map(|(members, ns)| Cell { name: format!("{KNOWN}, {members}"), ns: Spread::of([ns]) });
        [0, 1].map(|at| judge(&cells)[at].met)
    }

    #[test]
    fn expectation_is_met_at_its_bound() {
        assert_eq!(judged(4_000.0, 5_000.0), [true, true]);
        assert_eq!(judged(4_000.0, 5_001.0), [false, true]);
        assert_eq!(judged(2_000.0, 3_000.0), [true, true]);
        assert_eq!(judged(2_000.0, 3_001.0), [true, false]);
        assert!(
            judge(&[]).iter().all(|expectation| !expectation.met),
            "figures that were not measured meet nothing"
        );
    }
}
