//! Medians and quantiles over rounds. A round in which the machine did other work hardly changes a
//! median.

use std::time::Duration;

use serde::Serialize;

/// How often and how long an operation is measured.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// The number of rounds. Each round measures every variant once. The median of an odd number of
    /// rounds is a measured value.
    pub count: usize,
    /// The length of one measurement in a round.
    pub window: Duration,
}

/// The median and the extremes of the values of several rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    /// The spread of these values; zeros if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |part: f64| quantile(&values, part);
        Self { median: at(0.5), min: at(0.0), max: at(1.0) }
    }
}

/// The quantile `part` of the sorted `values`: the nearest value, without interpolation. 0 if there
/// are no values.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let last = values.len().saturating_sub(1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rounded number between 0 and the last index"
    )]
    let index = (last * part).round() as usize;
    values.get(index).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_an_odd_number_is_a_value() {
        assert_eq!(Spread::of([3.0, 1.0, 9.0]), Spread { median: 3.0, min: 1.0, max: 9.0 });
        assert_eq!(Spread::of([]), Spread { median: 0.0, min: 0.0, max: 0.0 });
    }

    #[test]
    fn quantile_is_the_nearest_value() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!((quantile(&values, 0.99), quantile(&values, 1.0)), (99.0, 100.0));
    }
}
