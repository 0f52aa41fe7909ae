//! How surprising a value of a normal distribution is, on the scale of phi. The result is finite
//! for any value. Nothing here is about heartbeats or time.

use std::f64::consts::{LN_10, TAU};

use statrs::distribution::{ContinuousCDF, Normal};

/// A normal distribution of intervals that are never negative, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Distribution {
    pub(crate) mean: f64,
    /// Above 0.
    pub(crate) deviation: f64,
}

impl Distribution {
    /// `-log10 P(interval > seconds | interval >= 0)`. The condition makes the result exactly 0 at
    /// 0. Without it a wide distribution would give a small phi even at a silence of 0.
    pub(crate) fn surprise(self, seconds: f64) -> f64 {
        let sigmas = |seconds: f64| (seconds - self.mean) / self.deviation;
        (surprise(sigmas(seconds)) - surprise(sigmas(0.0))).max(0.0)
    }
}

/// From this many deviations on, the probability is taken from its asymptotic series. `f64` can
/// hold the probability up to about 37 deviations, and at 30 the series is already exact to 14
/// digits.
const ASYMPTOTIC_FROM: f64 = 30.0;

/// `-log10` of the probability that a standard normal variable exceeds `z`. It is at least 0, grows
/// with `z`, and is finite for every finite `z` up to 10^150. Its relative error is below 10^-10.
pub(crate) fn surprise(z: f64) -> f64 {
    let normal = Normal::standard();
    if z < 0.0 {
        // The probability is close to 1, so its logarithm would lose digits. It is computed from
        // the complement, which has all its digits.
        -(-normal.cdf(z)).ln_1p() / LN_10
    } else if z <= ASYMPTOTIC_FROM {
        -normal.sf(z).log10()
    } else {
        // Continue from the value at the switch, so that not even a rounding error makes a step
        // there.
        let at_switch = -normal.sf(ASYMPTOTIC_FROM).log10();
        at_switch + (asymptotic_surprise(z) - asymptotic_surprise(ASYMPTOTIC_FROM))
    }
}

/// `surprise` for large `z`, from
/// `P(Z > z) ~ exp(-z^2/2) / (z sqrt(2 pi)) * (1 - 1/z^2 + 3/z^4 - 15/z^6 + ...)` (Abramowitz and
/// Stegun, 26.2.12).
fn asymptotic_surprise(z: f64) -> f64 {
    let inverse = 1.0 / (z * z);
    // 1 - 1/z^2 + 3/z^4 - 15/z^6 + 105/z^8 - 945/z^10, as nested products: 1 - y(1 - 3y(1 -
    // 5y(...))), with y = 1/z^2.
    let series = [9.0, 7.0, 5.0, 3.0, 1.0].iter().fold(1.0, |inner, factor| 1.0 - factor * inverse * inner);
    (z * z / 2.0 + (z * TAU.sqrt()).ln() - f64::ln(series)) / LN_10
}

/// The `z` at which the surprise is `level`, for levels from 0.3 (where `z` is 0) to 300.
pub(crate) fn sigmas_at(level: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    // Each step halves an interval of 40. After 60 steps it is smaller than the last digit of its
    // ends.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if surprise(middle) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn surprise_matches_the_tabled_quantiles() {
        // z and -log10 of the upper tail, computed independently with 50 digits.
        let table = [
            (-10.0, 3.309_260_121_31e-24),
            (-1.0, 0.075_026_012_958),
            (0.0, std::f64::consts::LOG10_2),
            (1.0, 0.799_545_541_492),
            (5.0, 6.542_645_672_39),
            (10.0, 23.118_053_405_5),
            (29.9, 196.007_050_437),
            (30.0, 197.309_209_262),
            (30.1, 198.615_706_237),
            (37.0, 299.242_181_179),
            (40.0, 349.437_006_459),
            (1e3, 217_150.640_042),
            (1e6, 217_147_240_958.0),
        ];
        for (z, expected) in table {
            let found = surprise(z);
            assert!((found - expected).abs() <= 1e-10 * expected, "{z}: {found} for {expected}");
        }
    }

    #[test]
    fn threshold_8_is_5_6_deviations() {
        assert!((sigmas_at(8.0) - 5.612).abs() < 1e-3);
        assert!((sigmas_at(12.0) - 7.034).abs() < 1e-3);
        for level in [1.0, 8.0, 100.0, 300.0] {
            assert!((surprise(sigmas_at(level)) - level).abs() < 1e-9 * level, "level {level}");
        }
    }

    #[test]
    fn switch_to_the_asymptotic_series_makes_no_step() {
        let step = asymptotic_surprise(ASYMPTOTIC_FROM) - surprise(ASYMPTOTIC_FROM);
        assert!(step.abs() < 1e-10, "the two differ by {step}");
        let just_after = surprise(ASYMPTOTIC_FROM.next_up());
        assert!((just_after - surprise(ASYMPTOTIC_FROM)).abs() < 1e-12);
    }

    #[test]
    fn silence_of_zero_is_never_surprising() {
        for (mean, deviation) in [(1.0, 0.1), (1.0, 1.0), (0.5, 30.0), (1e5, 1e-3)] {
            assert!(Distribution { mean, deviation }.surprise(0.0) <= 0.0);
        }
    }

    proptest! {
        #[test]
        fn surprise_is_finite_not_negative_and_grows(z in -1e6..1e6_f64, more in 0.0..10.0_f64) {
            let (here, there) = (surprise(z), surprise(z + more));
            prop_assert!(here.is_finite() && here >= 0.0);
            prop_assert!(there >= here - 1e-9 * (1.0 + here), "{here} then {there}");
        }

        #[test]
        fn surprise_grows_around_the_switch(z in 29.9..30.1_f64, more in 1e-6..0.1_f64) {
            prop_assert!(surprise(z + more) > surprise(z));
        }
    }
}
