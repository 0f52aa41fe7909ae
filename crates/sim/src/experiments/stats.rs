//! Means, shares and percentiles, with the intervals in which the true value lies at 95 %. Plain formulas.

/// The standard normal law's 97.5th percentile: 95 % lie within so many deviations.
const Z95: f64 = 1.959_963_985;

/// Measured values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// In rising order.
    values: Vec<f64>,
}

impl Sample {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The mean; `None` without a value.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.values.iter().sum::<f64>() / self.len() as f64)
    }

    /// Half the width of the interval around the mean, from the sample's own deviation; `None` below two values.
    pub fn mean_within(&self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.len() > 1)?;
        let squares: f64 = self.values.iter().map(|value| (value - mean).powi(2)).sum();
        let (count, others) = (self.len() as f64, (self.len() - 1) as f64);
        Some(Z95 * (squares / others / count).sqrt())
    }

    /// The least value such that at least `percent` of all are at most as large (nearest rank); `None` without a value.
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

/// How often something happened of how many times that it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// How often it happened.
    pub hits: u64,
    /// How often it could.
    pub of: u64,
}

impl Share {
    /// The share, 0 to 1; `None` if it could not happen.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }

    /// The interval in which the true share lies (Wilson's score, good near 0 and 1 too); `None` if it could not happen.
    pub fn interval(self) -> Option<(f64, f64)> {
        let share = self.value()?;
        let n = self.of as f64;
        let middle = share + Z95 * Z95 / (2.0 * n);
        let half = Z95 * (share * (1.0 - share) / n + Z95 * Z95 / (4.0 * n * n)).sqrt();
        let whole = 1.0 + Z95 * Z95 / n;
        Some((((middle - half) / whole).max(0.0), ((middle + half) / whole).min(1.0)))
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { hits: self.hits + other.hits, of: self.of + other.of }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sample: Sample = (1..=100).rev().map(f64::from).collect();
        let found = [0.0, 1.0, 50.0, 99.0, 99.9, 100.0].map(|percent| sample.percentile(percent).unwrap());
        assert_eq!(found.map(|value| value.to_string()), ["1", "1", "50", "99", "100", "100"]);
        assert_eq!(Sample::default().percentile(50.0), None);
    }

    #[test]
    fn the_mean_has_the_interval_of_the_textbook() {
        let sample: Sample = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter().collect();
        assert!((sample.mean().unwrap() - 5.0).abs() < 1e-12);
        // The deviation is 2.138, divided by the root of 8 it is 0.756.
        assert!((sample.mean_within().unwrap() - 1.4816).abs() < 1e-3);
        assert_eq!([1.0].into_iter().collect::<Sample>().mean_within(), None);
    }

    #[test]
    fn a_share_has_the_interval_of_wilson() {
        let (low, high) = Share { hits: 0, of: 10 }.interval().unwrap();
        assert!(low.abs() < 1e-12 && (high - 0.2775).abs() < 1e-3, "{low} {high}");
        let (low, high) = Share { hits: 50, of: 100 }.interval().unwrap();
        assert!((low - 0.4038).abs() < 1e-3 && (high - 0.5962).abs() < 1e-3, "{low} {high}");
        assert_eq!(Share::default().interval(), None);
    }
}
