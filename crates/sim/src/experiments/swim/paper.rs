//! The paper's protocol and its formulas.

use std::time::Duration;

use kinfolk_detector::SuspicionRule;
use kinfolk_swim::SwimConfig;

/// The paper's protocol period T' (section 5).
pub(super) const PERIOD: Duration = Duration::from_secs(2);

/// `e / (e - 1)`: the mean number of periods until some member probes a given member (section 3.1).
pub(super) fn mean_periods() -> f64 {
    1.0 / (1.0 - (-1.0_f64).exp())
}

/// The paper's protocol in a group of `nodes` members, with k = `helpers`.
pub(super) fn config(nodes: usize, helpers: usize) -> SwimConfig {
    // The suspicion time-out of the code is alpha log10 N periods. Dividing by log10 N gives the
    // paper's number of periods.
    let scale = (nodes as f64).log10().max(1.0);
    SwimConfig {
        probe_interval: PERIOD,
        indirect_probes: helpers,
        suspicion: SuspicionRule { alpha: suspicion_periods(nodes) / scale, ..SuspicionRule::swim() },
        // The paper spreads updates only with probes and their acks.
        gossip_fanout: 0,
        push_delay: None,
        retransmit: 2,
        // A year is longer than any run, so no exchange of views happens: the paper has none.
        sync_interval: Duration::from_hours(24 * 365),
        heal_interval: None,
        ..SwimConfig::swim()
    }
}

/// The time-out of a suspicion, in periods: `3 ceil(ln(N + 1))` (section 5).
pub(super) fn suspicion_periods(nodes: usize) -> f64 {
    3.0 * ((nodes + 1) as f64).ln().ceil()
}

/// How often a live member is wrongly detected within the expected time of a detection, without
/// suspicion (section 3.1). The formula is `q_f (1 - q_ml^2) (1 - q_f q_ml^4)^k e^q_f / (e^q_f -
/// 1)`, here with `q_f = 1`.
///
/// The last factor is that time, in periods. A member is probed once a period on average, and each
/// probe fails with the probability that the other factors give.
pub(super) fn false_detection(loss: f64, helpers: usize) -> f64 {
    let (arrives, helpers) = (1.0 - loss, i32::try_from(helpers).unwrap_or(i32::MAX));
    (1.0 - arrives.powi(2)) * (1.0 - arrives.powi(4)).powi(helpers) * mean_periods()
}

/// The expected number of periods until the first probe of a member. Each of `nodes - 1` others
/// probes it in one of its next `nodes - 1` periods, all equally likely. Shuffled round-robin
/// (section 4.3) has this value instead of `e / (e - 1)`.
pub(super) fn round_robin_periods(nodes: usize) -> f64 {
    let others = nodes.saturating_sub(1).max(1) as f64;
    (0..nodes.saturating_sub(1)).map(|passed| (1.0 - passed as f64 / others).powf(others)).sum()
}

/// The same if each period's target is drawn at random (section 3.1).
pub(super) fn random_periods(nodes: usize) -> f64 {
    1.0 / (1.0 - (1.0 - 1.0 / nodes as f64).powf(nodes as f64 - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_give_the_published_values() {
        assert!((mean_periods() - 1.582).abs() < 5e-4);
        for (loss, k, expected) in
            [(0.01, 1, 1.24e-3), (0.05, 2, 5.31e-3), (0.1, 5, 1.45e-3), (0.2, 3, 1.17e-1)]
        {
            let found = false_detection(loss, k);
            assert!((found / expected - 1.0).abs() < 0.01, "{loss} {k}: {found}");
        }
        for (nodes, expected) in [(8, 1.647), (32, 1.597), (128, 1.586)] {
            assert!((random_periods(nodes) - expected).abs() < 1e-3);
        }
        assert_eq!(
            [8, 19, 20, 53, 54].map(|nodes| suspicion_periods(nodes).to_string()),
            ["9", "9", "12", "12", "15"]
        );
    }

    #[test]
    fn round_robin_has_the_same_mean_in_large_groups() {
        assert!((round_robin_periods(2) - 1.0).abs() < 1e-9, "the only other member probes it next");
        assert!((round_robin_periods(10_000) - mean_periods()).abs() < 1e-3);
    }

    #[test]
    fn paper_configuration_is_valid() {
        assert!([1, 2, 8, 56, 1_000].iter().all(|nodes| config(*nodes, 1).validate().is_ok()));
    }
}
