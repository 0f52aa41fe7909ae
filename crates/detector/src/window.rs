//! The latest intervals between heartbeats, with their mean and deviation. The caller decides which
//! intervals to add.

use std::collections::VecDeque;
use std::time::Duration;

/// A ring of the latest intervals, in whole microseconds.
///
/// The sums are integers, so removing an interval undoes exactly what adding it did: the sums do
/// not drift, however long the window runs. Memory grows with the number of intervals, up to 8
/// bytes times the capacity.
#[derive(Debug, Clone)]
pub(crate) struct IntervalWindow {
    intervals: VecDeque<u64>,
    capacity: usize,
    sum: u128,
    sum_of_squares: u128,
}

/// The mean and the variance of a window, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
}

impl IntervalWindow {
    /// The longest interval that is kept as it is: 24 h. A longer one counts as 24 h. With at most
    /// 10,000 intervals the products below stay under 2^102.
    pub(crate) const INTERVAL_MAX: Duration = Duration::from_hours(24);

    pub(crate) fn new(capacity: usize) -> Self {
        Self { intervals: VecDeque::new(), capacity, sum: 0, sum_of_squares: 0 }
    }

    /// Adds an interval. At the capacity it replaces the oldest one.
    pub(crate) fn push(&mut self, interval: Duration) {
        if self.intervals.len() >= self.capacity
            && let Some(oldest) = self.intervals.pop_front()
        {
            self.sum -= u128::from(oldest);
            self.sum_of_squares -= square(oldest);
        }
        let micros = u64::try_from(interval.min(Self::INTERVAL_MAX).as_micros())
            .expect("24 h are fewer microseconds than a u64 holds");
        self.intervals.push_back(micros);
        self.sum += u128::from(micros);
        self.sum_of_squares += square(micros);
    }

    pub(crate) fn clear(&mut self) {
        self.intervals.clear();
        self.sum = 0;
        self.sum_of_squares = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.intervals.len()
    }

    /// Mean and variance of the intervals (not an estimate for a larger population); `None` while
    /// empty.
    pub(crate) fn moments(&self) -> Option<Moments> {
        const MICROS_PER_SECOND: f64 = 1e6;
        if self.intervals.is_empty() {
            return None;
        }
        let count = self.intervals.len() as u128;
        // Exact in integers. In floating point the difference of two large, nearly equal sums would
        // lose most digits, and could be negative.
        let spread = count * self.sum_of_squares - self.sum * self.sum;
        let mean = self.sum as f64 / count as f64 / MICROS_PER_SECOND;
        let variance = spread as f64 / (count * count) as f64 / (MICROS_PER_SECOND * MICROS_PER_SECOND);
        Some(Moments { mean, variance })
    }
}

fn square(micros: u64) -> u128 {
    u128::from(micros) * u128::from(micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window_of(capacity: usize, micros: &[u64]) -> IntervalWindow {
        let mut window = IntervalWindow::new(capacity);
        for &micros in micros {
            window.push(Duration::from_micros(micros));
        }
        window
    }

    #[test]
    fn empty_window_has_no_moments() {
        assert_eq!(IntervalWindow::new(3).moments(), None);
        let mut window = window_of(3, &[1, 2, 3]);
        window.clear();
        assert_eq!((window.len(), window.moments()), (0, None));
    }

    #[test]
    fn equal_intervals_have_zero_variance() {
        let moments = window_of(100, &[1_000_003; 250]).moments().unwrap();
        assert_eq!(moments, Moments { mean: 1.000_003, variance: 0.0 });
    }

    #[test]
    fn full_window_drops_the_oldest_interval() {
        let seconds = |n: u64| n * 1_000_000;
        let mut window = window_of(3, &[seconds(9), seconds(1), seconds(2)]);
        assert_eq!((window.len(), window.moments().unwrap().mean), (3, 4.0));
        window.push(Duration::from_secs(3));
        assert_eq!((window.len(), window.moments().unwrap().mean), (3, 2.0));
    }

    #[test]
    fn longest_intervals_in_largest_window_do_not_overflow() {
        let longest = u64::try_from(IntervalWindow::INTERVAL_MAX.as_micros()).unwrap();
        let mut window = window_of(10_000, &vec![longest; 10_000]);
        window.push(Duration::MAX);
        assert_eq!(window.moments(), Some(Moments { mean: 86_400.0, variance: 0.0 }));
    }

    proptest! {
        #[test]
        fn running_sums_equal_sums_from_scratch(
            capacity in 1..20_usize,
            micros in prop::collection::vec(0..100_000_000_000_u64, 1..60),
        ) {
            let running = window_of(capacity, &micros);
            let fresh = window_of(capacity, &micros[micros.len().saturating_sub(capacity)..]);
            prop_assert_eq!(running.moments(), fresh.moments());
            prop_assert_eq!(running.len(), micros.len().min(capacity));
        }

        #[test]
        fn moments_scale_with_the_intervals(micros in prop::collection::vec(0..1_000_000_u64, 1..60), factor in 1..1_000_u32) {
            let scaled: Vec<_> = micros.iter().map(|micros| micros * u64::from(factor)).collect();
            let (one, many) = (window_of(60, &micros).moments().unwrap(), window_of(60, &scaled).moments().unwrap());
            let factor = f64::from(factor);
            prop_assert!((one.mean * factor - many.mean).abs() <= 1e-12 * (1.0 + many.mean));
            prop_assert!((one.variance * factor * factor - many.variance).abs() <= 1e-12 * (1.0 + many.variance));
        }
    }
}
