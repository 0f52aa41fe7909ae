//! The silence that the protocol's own schedule explains in a group of a given size. After a group
//! has shrunk, its former size still counts for some time. Nothing here is about a single peer.

use std::time::Duration;

use kinfolk_core::Instant;

use crate::config::{HealthConfig, Rhythm};
use crate::tail::{Distribution, sigmas_at};

/// The distribution of intervals that the rhythm of the probes alone implies. Learning may widen it
/// but never narrow it: a few intervals may be regular by chance, and must not make a gap
/// suspicious that the schedule allows (docs/decisions/0004).
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    rhythm: Rhythm,
    interval: Duration,
    /// Added to the longest gap: the longest pause of this process that the health checker does not
    /// notice.
    slack: Duration,
    min_deviation: Duration,
    /// The number of deviations that the threshold stands for.
    sigmas: f64,
    /// The number of peers that counts, without this member.
    peers: u32,
    /// While there are fewer peers than that: since when, and the highest number since then.
    fewer: Option<(Instant, u32)>,
}

impl Schedule {
    pub(crate) fn new(config: &HealthConfig) -> Self {
        Self {
            rhythm: config.rhythm,
            interval: config.phi.expected_interval,
            slack: config.pause_limit(),
            min_deviation: config.phi.min_deviation,
            sigmas: sigmas_at(config.phi.threshold),
            peers: 1,
            fewer: None,
        }
    }

    /// Takes in the present number of peers. A higher number counts at once. A lower number counts
    /// only after it has been lower for the longest gap of the larger group, because the running
    /// silences started in that group.
    pub(crate) fn observe(&mut self, peers: usize, now: Instant) {
        let peers = u32::try_from(peers).unwrap_or(u32::MAX).max(1);
        if peers >= self.peers {
            (self.peers, self.fewer) = (peers, None);
            return;
        }
        let (since, most) = self.fewer.map_or((now, peers), |(since, most)| (since, most.max(peers)));
        self.fewer = Some((since, most));
        if now.since(since) >= self.longest_gap() {
            (self.peers, self.fewer) = (most, None);
        }
    }

    /// The longest silence that the schedule explains. Under shuffled round-robin a peer may come
    /// first in one round and last in the next. Then it is probed after just under two rounds
    /// (SWIM, section 4.3).
    pub(crate) fn longest_gap(&self) -> Duration {
        let gap = match self.rhythm {
            Rhythm::RoundRobin => self.interval.saturating_mul(2).saturating_mul(self.peers),
            Rhythm::Regular => self.interval,
        };
        gap.saturating_add(self.slack)
    }

    /// The narrowest distribution that is used. Its mean is the schedule's, and its longest gap
    /// lies at the threshold.
    pub(crate) fn floor(&self) -> Distribution {
        let mean = match self.rhythm {
            // A peer is heard from twice a round: when this member probes it, and when it probes
            // this member.
            Rhythm::RoundRobin => self.interval.as_secs_f64() * f64::from(self.peers) / 2.0,
            Rhythm::Regular => self.interval.as_secs_f64(),
        };
        let deviation = (self.longest_gap().as_secs_f64() - mean) / self.sigmas;
        Distribution { mean, deviation: deviation.max(self.min_deviation.as_secs_f64()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn schedule(rhythm: Rhythm) -> Schedule {
        Schedule::new(&HealthConfig { rhythm, ..HealthConfig::default() })
    }

    fn at(seconds: u32) -> Instant {
        Instant::ORIGIN + seconds * SECOND
    }

    #[test]
    fn longest_gap_follows_size_only_in_round_robin() {
        // Peers, seconds in round-robin, seconds in the regular rhythm. Each includes 3 s for
        // pauses of this process.
        for (peers, round_robin, regular) in [(0, 5, 4), (1, 5, 4), (2, 7, 4), (63, 129, 4)] {
            for (rhythm, expected) in [(Rhythm::RoundRobin, round_robin), (Rhythm::Regular, regular)] {
                let mut schedule = schedule(rhythm);
                schedule.observe(peers, at(0));
                assert_eq!(schedule.longest_gap(), expected * SECOND, "{peers} peers, {rhythm:?}");
            }
        }
    }

    #[test]
    fn floor_reaches_threshold_just_past_longest_gap() {
        for rhythm in [Rhythm::RoundRobin, Rhythm::Regular] {
            for peers in 1..200 {
                let mut schedule = schedule(rhythm);
                schedule.observe(peers, at(0));
                let (floor, longest) = (schedule.floor(), schedule.longest_gap().as_secs_f64());
                assert!(floor.surprise(longest) < 8.0, "{peers} peers, {rhythm:?}");
                assert!(floor.surprise(longest * 1.01) >= 8.0, "{peers} peers, {rhythm:?}");
            }
        }
    }

    #[test]
    fn growth_counts_at_once_and_shrinking_later() {
        let mut schedule = schedule(Rhythm::RoundRobin);
        schedule.observe(10, at(0));
        assert_eq!(schedule.longest_gap(), 23 * SECOND);
        schedule.observe(2, at(100));
        schedule.observe(3, at(110));
        schedule.observe(2, at(122));
        assert_eq!(schedule.longest_gap(), 23 * SECOND);
        schedule.observe(2, at(123));
        assert_eq!(schedule.longest_gap(), 9 * SECOND, "the highest number in that time");
    }

    #[test]
    fn group_that_regrows_in_time_never_shrank() {
        let mut schedule = schedule(Rhythm::RoundRobin);
        schedule.observe(10, at(0));
        schedule.observe(2, at(100));
        schedule.observe(10, at(120));
        schedule.observe(2, at(121));
        schedule.observe(2, at(143));
        assert_eq!(schedule.longest_gap(), 23 * SECOND);
        schedule.observe(2, at(144));
        assert_eq!(schedule.longest_gap(), 7 * SECOND);
    }

    #[test]
    fn no_group_size_overflows() {
        let mut schedule = schedule(Rhythm::RoundRobin);
        schedule.interval = Duration::from_hours(24);
        schedule.observe(usize::MAX, at(0));
        assert!(schedule.floor().surprise(1e9).is_finite());
    }
}
