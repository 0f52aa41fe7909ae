//! How a link treats the datagrams on it.

use std::time::Duration;

use kinfolk_core::Rng;

/// The conditions of a link, in one direction. Time passes in whole milliseconds; what is finer is rounded up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// How long a datagram is on its way, at least.
    pub delay: Duration,
    /// By how much it may take longer, evenly spread; datagrams overtake each other.
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

    /// A good link that loses this share.
    pub const fn lossy(loss: f64) -> Self {
        Self { loss, ..Self::GOOD }
    }

    /// A link without loss on which a datagram takes `delay`, and up to half as much again.
    pub fn slow(delay: Duration) -> Self {
        Self { delay, jitter: delay / 2, ..Self::GOOD }
    }

    /// When the copies of one datagram arrive, from its sending on: none if it is lost. Draws as many numbers whatever
    /// the outcome, so that one fate does not shift all later ones.
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
    fn a_link_loses_its_share_and_delivers_within_its_bounds() {
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
