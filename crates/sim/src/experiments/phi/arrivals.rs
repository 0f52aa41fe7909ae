//! Three laws of the times between beats, with one mean and one variance, so that only their shape differs.

use std::f64::consts::TAU;
use std::fmt;
use std::time::Duration;

use kinfolk_core::Rng;

/// The mean of every law, in seconds.
pub(super) const MEAN: f64 = 1.0;
/// The standard deviation of every law, in seconds.
pub(super) const DEVIATION: f64 = 0.25;

/// The chance that a burst of lost beats follows a beat that arrived.
const BURST_BEGINS: f64 = 0.002;
/// The chance that a burst ends with each beat that it swallows: bursts lose four beats in the mean.
const BURST_ENDS: f64 = 0.25;

/// No interval is shorter; the normal law would have three in 100,000 below zero.
const SHORTEST: f64 = 0.001;

/// The shape of the law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Normal: what the detectors of phi's paper assume.
    Normal,
    /// Log-normal: the heavier tail that queues make.
    LogNormal,
    /// Gilbert and Elliott's: beats as regular as can be, with a little jitter, and bursts in which all are lost.
    Bursty,
}

impl Shape {
    pub(super) const ALL: [Self; 3] = [Self::Normal, Self::LogNormal, Self::Bursty];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::LogNormal => "log-normal",
            Self::Bursty => "bursty",
        }
    }

    /// So many times between beats, in the order in which they pass.
    pub(super) fn draw(self, beats: usize, rng: &mut Rng) -> Vec<Duration> {
        (0..beats).map(|_| Duration::from_secs_f64(self.interval(rng).max(SHORTEST))).collect()
    }

    fn interval(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Normal => MEAN + DEVIATION * standard_normal(rng),
            Self::LogNormal => {
                let spread = (1.0 + (DEVIATION / MEAN).powi(2)).ln();
                MEAN * (spread.sqrt() * standard_normal(rng) - spread / 2.0).exp()
            }
            Self::Bursty => {
                let period = MEAN / (1.0 + BURST_BEGINS / BURST_ENDS);
                let of_bursts = BURST_BEGINS * (2.0 - BURST_ENDS - BURST_BEGINS) / BURST_ENDS.powi(2);
                let jitter = (DEVIATION.powi(2) - period.powi(2) * of_bursts).sqrt();
                period * f64::from(1 + lost(rng)) + jitter * standard_normal(rng)
            }
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How many beats are lost before the next one that arrives.
fn lost(rng: &mut Rng) -> u32 {
    if rng.unit() >= BURST_BEGINS {
        return 0;
    }
    let mut lost = 1;
    while rng.unit() >= BURST_ENDS {
        lost += 1;
    }
    lost
}

/// Box and Muller's transform; one of its two values is enough here.
fn standard_normal(rng: &mut Rng) -> f64 {
    let (radius, angle) = (1.0 - rng.unit(), TAU * rng.unit());
    (-2.0 * radius.ln()).sqrt() * angle.cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_law_has_the_same_mean_and_deviation() {
        for shape in Shape::ALL {
            let drawn = shape.draw(400_000, &mut Rng::from_seed(5));
            let count = drawn.len() as f64;
            let mean = drawn.iter().map(Duration::as_secs_f64).sum::<f64>() / count;
            let variance = drawn.iter().map(|t| (t.as_secs_f64() - mean).powi(2)).sum::<f64>() / count;
            assert!((mean - MEAN).abs() < 0.005, "{shape}: mean {mean}");
            assert!((variance.sqrt() - DEVIATION).abs() < 0.01, "{shape}: deviation {}", variance.sqrt());
        }
    }

    #[test]
    fn the_tails_differ_as_they_should() {
        let beyond = |shape: Shape, limit: f64| {
            let drawn = shape.draw(100_000, &mut Rng::from_seed(6));
            drawn.iter().filter(|interval| interval.as_secs_f64() > limit).count()
        };
        let far = Shape::ALL.map(|shape| beyond(shape, 3.0));
        assert_eq!((far[0], far[1] < 10), (0, true), "neither of the smooth laws reaches 8 deviations");
        assert!((100..200).contains(&far[2]), "three bursts in four lose at least two beats: {}", far[2]);
    }
}
