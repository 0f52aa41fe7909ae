//! What the figures are expected to be, and whether they are. It judges one run; nothing fails by it.

use serde::Serialize;

use super::MEMBERS;
use super::machine::KNOWN;
use crate::case::Cell;

/// The most that a machine's step may take, in nanoseconds: a message with 20 updates that are all known.
const STEP_NS_MAX: f64 = 5_000.0;
/// By how many times it may take longer among ten times as many members.
const STEP_GROWTH_MAX: f64 = 1.5;

/// One expectation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// What is expected.
    pub claim: String,
    /// What was measured.
    pub measured: f64,
    /// Whether it is so.
    pub met: bool,
}

/// All expectations, against what was measured.
pub(super) fn judge(cells: &[Cell]) -> Vec<Bar> {
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

fn at_most(claim: String, most: f64, measured: f64) -> Bar {
    // What was not measured is not a number, and shows nothing.
    Bar { claim, measured, met: measured <= most }
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
    fn a_bar_is_met_at_its_very_value_and_not_past_it() {
        assert_eq!(judged(4_000.0, 5_000.0), [true, true]);
        assert_eq!(judged(4_000.0, 5_001.0), [false, true]);
        assert_eq!(judged(2_000.0, 3_000.0), [true, true]);
        assert_eq!(judged(2_000.0, 3_001.0), [true, false]);
        assert!(judge(&[]).iter().all(|bar| !bar.met), "nothing was measured, and nothing is shown");
    }
}
