//! The round trip of a peer: the smoothed value and its deviation, as TCP keeps them (RFC 6298,
//! section 2).

use std::time::Duration;

/// The estimate for one peer; `None` before the first answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoundTrip(Option<Estimate>);

#[derive(Debug, Clone, Copy)]
struct Estimate {
    smoothed: Duration,
    deviation: Duration,
}

impl RoundTrip {
    /// Adds the time that one answer took.
    pub(super) fn sample(&mut self, took: Duration) {
        self.0 = Some(match self.0 {
            None => Estimate { smoothed: took, deviation: took / 2 },
            Some(Estimate { smoothed, deviation }) => Estimate {
                smoothed: (smoothed * 7 + took) / 8,
                deviation: (deviation * 3 + smoothed.abs_diff(took)) / 4,
            },
        });
    }

    /// The smoothed round trip; `None` before the first answer.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.0.map(|known| known.smoothed)
    }

    /// The smoothed round trip plus four deviations (RFC 6298); `None` before the first answer.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.0.map(|known| known.smoothed + known.deviation * 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: &[u64]) -> (u128, u128) {
        let mut trip = RoundTrip::default();
        for millis in millis {
            trip.sample(Duration::from_millis(*millis));
        }
        let micros = |duration: Option<Duration>| duration.unwrap().as_micros();
        (micros(trip.smoothed()), micros(trip.timeout()))
    }

    #[test]
    fn estimate_follows_rfc_6298() {
        assert!(RoundTrip::default().timeout().is_none());
        assert_eq!(after(&[80]), (80_000, 80_000 + 4 * 40_000));
        assert_eq!(after(&[80, 80]), (80_000, 80_000 + 4 * 30_000));
        assert_eq!(after(&[80, 160]), (90_000, 90_000 + 4 * 50_000));
    }

    #[test]
    fn time_out_of_a_steady_peer_nears_its_round_trip() {
        let (smoothed, timeout) = after(&[10; 40]);
        assert_eq!(smoothed, 10_000);
        assert!(timeout < 10_100, "{timeout}");
    }
}
