//! The expected figures, and whether a run meets them. The report shows both. A missed expectation
//! does not fail the run: the reader of the report judges.

use serde::Serialize;

use super::lookup::LookupCell;
use super::throughput::Ratio;

/// The longest time for a lookup, in nanoseconds.
const LOOKUP_NS_MAX: f64 = 300.0;
/// How many times longer a lookup may take than with one connection and one thread. It may take
/// twice as long for two reasons: fifty connections do not fit in the fastest cache, and two
/// threads exchange the cache line of the lock.
const FLAT: f64 = 2.0;

/// An expected figure, and the measured one.
#[derive(Debug, Clone, Serialize)]
pub struct Expectation {
    /// The expectation in words.
    pub claim: String,
    /// The measured figure: the worst of all cells of this expectation.
    pub measured: f64,
    /// Whether the figure meets the expectation.
    pub met: bool,
}

/// All expectations, compared with the measured figures.
pub(super) fn judge(ratios: &[Ratio], lookups: &[LookupCell]) -> Vec<Expectation> {
    let mut expectations = Vec::new();
    for (callers, least) in [(64, 40.0), (8, 7.0)] {
        let cells = ratios.iter().filter(|ratio| ratio.callers == callers && ratio.delay_ms == 5);
        let claim = format!("stream_split / mutex_hold, {callers} callers, 5 ms server: at least {least}");
        expectations.push(at_least(claim, least, cells.map(|ratio| ratio.split_to_hold)));
    }
    for callers in [1, 8, 64] {
        let cells = ratios.iter().filter(|ratio| ratio.callers == callers);
        let claim =
            format!("stream_split / raw_handle, callers: {callers}, every server and size: at least 0.9");
        expectations.push(at_least(claim, 0.9, cells.map(|ratio| ratio.split_to_raw)));
    }
    flat(&mut expectations, "median", lookups, |cell| cell.median_ns.median);
    flat(&mut expectations, "cost in time spent on cores", lookups, |cell| cell.cpu_ns.median);
    expectations
}

/// Adds two expectations about a figure of the lookups: the figure is low, and it hardly grows with
/// connections and threads.
fn flat(
    expectations: &mut Vec<Expectation>,
    name: &str,
    lookups: &[LookupCell],
    figure: fn(&LookupCell) -> f64,
) {
    let claim = format!("ready lookup, {name}, ns, every size and thread count: below {LOOKUP_NS_MAX}");
    expectations.push(at_most(claim, LOOKUP_NS_MAX, lookups.iter().map(figure)));
    let alone = lookups.first().map_or(f64::NAN, figure);
    let claim = format!("ready lookup, {name}, against one connection and one thread: at most {FLAT} times");
    expectations.push(at_most(claim, FLAT, lookups.iter().map(|cell| figure(cell) / alone)));
}

/// Without a measured figure the minimum stays infinite, and the expectation is not met.
fn at_least(claim: String, least: f64, measured: impl Iterator<Item = f64>) -> Expectation {
    let measured = measured.fold(f64::INFINITY, f64::min);
    Expectation { claim, measured, met: measured.is_finite() && measured >= least }
}

fn at_most(claim: String, most: f64, measured: impl Iterator<Item = f64>) -> Expectation {
    let measured = measured.fold(f64::NEG_INFINITY, f64::max);
    Expectation { claim, measured, met: measured.is_finite() && measured <= most }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(callers: usize, delay_ms: u8, split_to_hold: f64, split_to_raw: f64) -> Ratio {
        Ratio {
            callers,
            delay_ms,
            bytes: 100,
            split_to_hold,
            split_to_open: 1.0,
            split_to_raw,
            split_to_raw_by_rounds: 1.0,
            raw_to_split_cpu: 1.0,
        }
    }

    /// An expectation is met at its exact bound.
    #[test]
    fn worst_cell_decides() {
        let ratios = [ratio(64, 5, 40.0, 0.9), ratio(8, 5, 6.9, 0.95), ratio(8, 0, 2.0, 0.89)];
        let met: Vec<bool> = judge(&ratios, &[]).iter().take(5).map(|expectation| expectation.met).collect();
        // With one caller nothing was measured, so that expectation is not met.
        assert_eq!(met, [true, false, false, false, true]);
    }
}
