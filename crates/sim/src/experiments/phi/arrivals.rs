//! Three distributions of the times between heartbeats. They have the same mean and variance, so
//! that only their shape differs.

use std::f64::consts::TAU;
use std::fmt;
use std::time::Duration;

use kinfolk_core::Rng;

/// The mean of every distribution, in seconds.
pub(super) const MEAN: f64 = 1.0;
/// The standard deviation of every distribution, in seconds.
pub(super) const DEVIATION: f64 = 0.25;

/// The probability that a burst of lost beats follows a beat that arrived.
const BURST_BEGINS: f64 = 0.002;
/// The probability that a burst ends with each beat that it drops: bursts lose four beats on
/// average.
const BURST_ENDS: f64 = 0.25;

/// The shortest interval. The normal distribution would otherwise give three in 100,000 below zero.
const SHORTEST: f64 = 0.001;

/// The shape of the distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Normal: the assumption of the detectors in phi's paper.
    Normal,
    /// Log-normal: the heavier tail that queues cause.
    LogNormal,
    /// Gilbert and Elliott's channel: regular beats with a little jitter, and bursts in which all
    /// beats are lost.
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

    /// Draws the times between so many beats, in order.
    pub(super) fn draw(self, beats: usize, rng: &mut Rng) -> Vec<Duration> {
        (0..beats).map(|_| Duration::from_secs_f64(self.interval(rng).max(SHORTEST))).collect()
    }

    fn interval(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Normal => MEAN + DEVIATION * standard_normal(rng),
            Self::LogNormal => {
                // The parameters of a log-normal distribution with the given mean and standard
                // deviation.
                let spread = (1.0 + (DEVIATION / MEAN).powi(2)).ln();
                MEAN * (spread.sqrt() * standard_normal(rng) - spread / 2.0).exp()
            }
            Self::Bursty => {
                // Chosen so that the bursts and the jitter together give the mean and the standard
                // deviation.
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

/// The number of beats that are lost before the next one arrives.
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

/// Box and Muller's transform. One of its two values is enough here.
fn standard_normal(rng: &mut Rng) -> f64 {
    let (radius, angle) = (1.0 - rng.unit(), TAU * rng.unit());
    (-2.0 * radius.ln()).sqrt() * angle.cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_share_mean_and_deviation() {
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
    fn distributions_have_different_tails() {
        let beyond = |shape: Shape, limit: f64| {
            let drawn = shape.draw(100_000, &mut Rng::from_seed(6));
            drawn.iter().filter(|interval| interval.as_secs_f64() > limit).count()
        };
        let far = Shape::ALL.map(|shape| beyond(shape, 3.0));
        assert_eq!(
            (far[0], far[1] < 10),
            (0, true),
            "neither smooth distribution reaches 8 standard deviations"
        );
        assert!((100..200).contains(&far[2]), "three bursts in four lose at least two beats: {}", far[2]);
    }
}
