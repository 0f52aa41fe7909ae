//! What the figures are expected to be, and whether they are. It judges one run; nothing fails by it.

use serde::Serialize;

use super::lookup::LookupCell;
use super::throughput::Ratio;

/// The most that a lookup may cost, in nanoseconds.
const LOOKUP_NS_MAX: f64 = 300.0;
/// By how many times a lookup may take longer than on one connection with one thread and still count as flat. Twice,
/// because fifty connections leave the fastest cache and two threads hand the lock's cache line to and fro.
const FLAT: f64 = 2.0;

/// One expectation.
#[derive(Debug, Clone, Serialize)]
pub struct Bar {
    /// What is expected.
    pub claim: String,
    /// What was measured, of all cells that the claim speaks of the worst.
    pub measured: f64,
    /// Whether it is so.
    pub met: bool,
}

/// All expectations, against what was measured.
pub(super) fn judge(ratios: &[Ratio], lookups: &[LookupCell]) -> Vec<Bar> {
    let mut bars = Vec::new();
    for (callers, least) in [(64, 40.0), (8, 7.0)] {
        let cells = ratios.iter().filter(|ratio| ratio.callers == callers && ratio.delay_ms == 5);
        let claim = format!("stream_split / mutex_hold, {callers} callers, 5 ms server: at least {least}");
        bars.push(at_least(claim, least, cells.map(|ratio| ratio.split_to_hold)));
    }
    for callers in [1, 8, 64] {
        let cells = ratios.iter().filter(|ratio| ratio.callers == callers);
        let claim =
            format!("stream_split / raw_handle, callers: {callers}, every server and size: at least 0.9");
        bars.push(at_least(claim, 0.9, cells.map(|ratio| ratio.split_to_raw)));
    }
    flat(&mut bars, "median", lookups, |cell| cell.median_ns.median);
    flat(&mut bars, "cost in time spent on cores", lookups, |cell| cell.cpu_ns.median);
    bars
}

/// A figure of the lookups is low, and hardly grows with connections and threads.
fn flat(bars: &mut Vec<Bar>, name: &str, lookups: &[LookupCell], figure: fn(&LookupCell) -> f64) {
    let claim = format!("ready lookup, {name}, ns, every size and thread count: below {LOOKUP_NS_MAX}");
    bars.push(at_most(claim, LOOKUP_NS_MAX, lookups.iter().map(figure)));
    let alone = lookups.first().map_or(f64::NAN, figure);
    let claim = format!("ready lookup, {name}, against one connection and one thread: at most {FLAT} times");
    bars.push(at_most(claim, FLAT, lookups.iter().map(|cell| figure(cell) / alone)));
}

fn at_least(claim: String, least: f64, measured: impl Iterator<Item = f64>) -> Bar {
    let measured = measured.fold(f64::INFINITY, f64::min);
    Bar { claim, measured, met: measured.is_finite() && measured >= least }
}

fn at_most(claim: String, most: f64, measured: impl Iterator<Item = f64>) -> Bar {
    let measured = measured.fold(f64::NEG_INFINITY, f64::max);
    Bar { claim, measured, met: measured.is_finite() && measured <= most }
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

    #[test]
    fn the_worst_cell_decides_and_a_bar_is_met_at_its_very_value() {
        let ratios = [ratio(64, 5, 40.0, 0.9), ratio(8, 5, 6.9, 0.95), ratio(8, 0, 2.0, 0.89)];
        let met: Vec<bool> = judge(&ratios, &[]).iter().take(5).map(|bar| bar.met).collect();
        // Nothing was measured with one caller, so that nothing is shown about it.
        assert_eq!(met, [true, false, false, false, true]);
    }
}
