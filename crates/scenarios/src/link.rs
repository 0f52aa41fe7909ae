//! The conditions of a link: delay, jitter, loss and duplication of datagrams.

use std::time::Duration;

use kinfolk_core::Rng;

/// The conditions of a link, in one direction. Time has whole milliseconds; finer values are
/// rounded up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// The minimum delay of a datagram.
    pub delay: Duration,
    /// The maximum additional delay, with an even distribution. Datagrams can overtake each other.
    pub jitter: Duration,
    /// The share of datagrams that are lost. 0 to 1.
    pub loss: f64,
    /// The share of datagrams that arrive twice. 0 to 1.
    pub duplication: f64,
}

impl Link {
    /// A local network: 1 to 2 ms, nothing lost.
    pub const GOOD: Self = Self {
        delay: Duration::from_millis(1),
        jitter: Duration::from_millis(1),
        loss: 0.0,
        duplication: 0.0,
    };

    /// A good link that loses this share of the datagrams, 0 to 1.
    pub const fn lossy(loss: f64) -> Self {
        Self { loss, ..Self::GOOD }
    }

    /// A link without loss on which a datagram takes `delay`, plus up to half of it.
    pub fn slow(delay: Duration) -> Self {
        Self { delay, jitter: delay / 2, ..Self::GOOD }
    }

    /// When the copies of one datagram arrive, counted from its sending. Empty if it is lost.
    ///
    /// It always draws the same number of random numbers, so that the fate of one datagram does not
    /// change that of all later ones.
    pub(crate) fn arrivals(&self, rng: &mut Rng) -> Vec<Duration> {
        let (lost, twice) = (rng.unit() < self.loss, rng.unit() < self.duplication);
        let takes = [rng.unit(), rng.unit()].map(|part| self.delay + self.jitter.mul_f64(part));
        match (lost, twice) {
            (true, _) => Vec::new(),
            (false, false) => takes[..1].to_vec(),
            (false, true) => takes.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_delays_match_the_conditions() {
        let link = Link { loss: 0.2, duplication: 0.1, ..Link::slow(Duration::from_millis(10)) };
        let mut rng = Rng::from_seed(1);
        let fates: Vec<Vec<Duration>> = (0..10_000).map(|_| link.arrivals(&mut rng)).collect();
        let share = |copies| fates.iter().filter(|fate| fate.len() == copies).count() as f64 / 10_000.0;
        assert!((share(0) - 0.2).abs() < 0.02, "{}", share(0));
        assert!((share(2) - 0.08).abs() < 0.02, "{}", share(2));
        let bounds = Duration::from_millis(10)..=Duration::from_millis(15);
        assert!(fates.iter().flatten().all(|takes| bounds.contains(takes)));
    }
}
