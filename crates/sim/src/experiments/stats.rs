//! Means, shares, and percentiles, with intervals of 95 % confidence.

/// The 97.5th percentile of the standard normal distribution: 95 % of the values lie within so many
/// standard deviations.
const Z95: f64 = 1.959_963_985;

/// Measured values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// The values in ascending order.
    values: Vec<f64>,
}

impl Sample {
    /// The values in ascending order.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The mean; `None` without values.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.values.iter().sum::<f64>() / self.len() as f64)
    }

    /// Half of the width of the confidence interval of the mean, from the standard deviation of the
    /// sample; `None` with fewer than two values.
    pub fn mean_within(&self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.len() > 1)?;
        let squares: f64 = self.values.iter().map(|value| (value - mean).powi(2)).sum();
        let (count, others) = (self.len() as f64, (self.len() - 1) as f64);
        Some(Z95 * (squares / others / count).sqrt())
    }

    /// The lowest value such that at least `percent` of all values are at most as large (nearest
    /// rank); `None` without values.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let rank = (percent / 100.0 * self.len() as f64).ceil();
        let last = self.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number, capped below"
        )]
        let rank = rank.max(1.0) as usize;
        Some(self.values[(rank - 1).min(last)])
    }

    /// The median.
    pub fn median(&self) -> Option<f64> {
        self.percentile(50.0)
    }

    /// The highest value.
    pub fn max(&self) -> Option<f64> {
        self.values.last().copied()
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        Self { values }
    }
}

/// The sum of `values` divided by the sum of `of`, and half of the width of its confidence
/// interval. The interval comes from the scatter of the pairs, by the linear approximation for
/// ratios of sums. `None` if the divisor is zero.
pub fn ratio(values: &[f64], of: &[f64]) -> Option<(f64, f64)> {
    let whole: f64 = of.iter().sum();
    if whole <= 0.0 {
        return None;
    }
    let ratio = values.iter().sum::<f64>() / whole;
    let squares: f64 = values.iter().zip(of).map(|(value, of)| (value - ratio * of).powi(2)).sum();
    Some((ratio, Z95 * squares.sqrt() / whole))
}

/// How often something happened, and how often it could have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// How often it happened.
    pub hits: u64,
    /// How often it could have happened.
    pub of: u64,
}

impl Share {
    /// The share, 0 to 1; `None` if it could not happen.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }

    /// The confidence interval of the share, by Wilson's score, which is accurate near 0 and 1 too;
    /// `None` if it could not happen.
    pub fn interval(self) -> Option<(f64, f64)> {
        let share = self.value()?;
        let n = self.of as f64;
        let middle = share + Z95 * Z95 / (2.0 * n);
        let half = Z95 * (share * (1.0 - share) / n + Z95 * Z95 / (4.0 * n * n)).sqrt();
        let whole = 1.0 + Z95 * Z95 / n;
        Some((((middle - half) / whole).max(0.0), ((middle + half) / whole).min(1.0)))
    }

    /// The sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { hits: self.hits + other.hits, of: self.of + other.of }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let sample: Sample = (1..=100).rev().map(f64::from).collect();
        let found = [0.0, 1.0, 50.0, 99.0, 99.9, 100.0].map(|percent| sample.percentile(percent).unwrap());
        assert_eq!(found.map(|value| value.to_string()), ["1", "1", "50", "99", "100", "100"]);
        assert_eq!(Sample::default().percentile(50.0), None);
    }

    #[test]
    fn mean_has_its_textbook_interval() {
        let sample: Sample = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter().collect();
        assert!((sample.mean().unwrap() - 5.0).abs() < 1e-12);
        // The standard deviation is 2.138; divided by the square root of 8 it is 0.756.
        assert!((sample.mean_within().unwrap() - 1.4816).abs() < 1e-3);
        assert_eq!([1.0].into_iter().collect::<Sample>().mean_within(), None);
    }

    #[test]
    fn ratio_of_proportional_pairs_has_no_scatter() {
        let (value, within) = ratio(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]).unwrap();
        assert!((value - 0.5).abs() < 1e-12 && within.abs() < 1e-12);
        let (value, within) = ratio(&[0.0, 4.0], &[4.0, 4.0]).unwrap();
        assert!((value - 0.5).abs() < 1e-12 && (within - Z95 * 8.0_f64.sqrt() / 8.0).abs() < 1e-9);
        assert_eq!(ratio(&[1.0], &[0.0]), None);
    }

    #[test]
    fn share_has_its_wilson_interval() {
        let (low, high) = Share { hits: 0, of: 10 }.interval().unwrap();
        assert!(low.abs() < 1e-12 && (high - 0.2775).abs() < 1e-3, "{low} {high}");
        let (low, high) = Share { hits: 50, of: 100 }.interval().unwrap();
        assert!((low - 0.4038).abs() < 1e-3 && (high - 0.5962).abs() < 1e-3, "{low} {high}");
        assert_eq!(Share::default().interval(), None);
    }
}
