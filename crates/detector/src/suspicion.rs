//! How long a suspicion lasts before it becomes a failure, and who stands behind it. Not who is suspected, nor what
//! happens then: that is the protocol's business.

use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::error::ConfigError;

/// How long a suspected member has to refute (SWIM section 4.2; Lifeguard, arXiv 1707.00788, section IV-B).
///
/// ```text
/// Min     = alpha * max(1, log10 N) * probe interval
/// Max     = beta * Min
/// timeout = max(Min, Max - (Max - Min) * ln(C + 1) / ln(K + 1))
/// ```
///
/// where `N` counts the members, `C` the accusers beyond the first and `K` those that are expected. One accuser alone
/// may itself be the sick one, so it has to wait for `Max`; each independent accuser shortens that, the first ones most.
///
/// All results are total: a factor that is no number, or negative, counts as 0, and what is too long for a `Duration`
/// saturates. [`validate`](Self::validate) refuses such rules beforehand.
///
/// # Examples
/// ```
/// use kinfolk_detector::SuspicionRule;
/// use std::time::Duration;
/// let rule = SuspicionRule::lifeguard();
/// let second = Duration::from_secs(1);
/// assert_eq!(rule.timeout(10, second, 0), 24 * second);
/// assert_eq!(rule.timeout(10, second, 1), 14 * second);
/// assert_eq!(rule.timeout(10, second, 3), 4 * second);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuspicionRule {
    /// `Min` in units of `max(1, log10 N)` probe intervals, above 0, default 4. Raising it gives members more time to
    /// refute and delays the news of every crash in proportion.
    pub alpha: f64,
    /// `Max` in units of `Min`, at least 1, default 6. Raising it protects against a single sick accuser and delays
    /// the news of a crash that few members can see. 1 makes the time fixed, as in SWIM; less counts as 1.
    pub beta: f64,
    /// `K`: how many accusers beyond the first bring the time down to `Min`, 0 to
    /// [`CONFIRMATIONS_MAX`](Self::CONFIRMATIONS_MAX), default 3. With 0 the time is always `Min`.
    pub confirmations: u32,
}

impl SuspicionRule {
    /// The most accusers beyond the first that a rule may ask for.
    pub const CONFIRMATIONS_MAX: u32 = 64;

    /// Lifeguard's rule with memberlist's present alpha and beta: 4 and 6, `K` = 3.
    pub const fn lifeguard() -> Self {
        Self { alpha: 4.0, beta: 6.0, confirmations: 3 }
    }

    /// SWIM's rule: a fixed time, the `Min` of [`lifeguard`](Self::lifeguard), whoever else accuses.
    pub const fn swim() -> Self {
        Self { alpha: 4.0, beta: 1.0, confirmations: 0 }
    }

    /// Checks the ranges that the fields state.
    ///
    /// # Errors
    /// [`ConfigError`], which names the field and its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return Err(ConfigError::SuspicionAlpha { found: self.alpha });
        }
        if !(self.beta.is_finite() && self.beta >= 1.0) {
            return Err(ConfigError::SuspicionBeta { found: self.beta });
        }
        if self.confirmations > Self::CONFIRMATIONS_MAX {
            return Err(ConfigError::SuspicionConfirmations { found: self.confirmations });
        }
        Ok(())
    }

    /// `Min`: the time when all the expected accusers stand. `members` counts all of the group, ourselves and the
    /// suspect included.
    pub fn min(&self, members: usize, probe_interval: Duration) -> Duration {
        let scale = (members.max(1) as f64).log10().max(1.0);
        seconds(self.alpha * scale * probe_interval.as_secs_f64())
    }

    /// `Max`: the time while there is one accuser only; never below `Min`.
    pub fn max(&self, members: usize, probe_interval: Duration) -> Duration {
        let min = self.min(members, probe_interval);
        seconds(self.beta * min.as_secs_f64()).max(min)
    }

    /// `K` for a group of this size: at most all members but the suspect and the first accuser, since no more than
    /// those can confirm.
    pub fn confirmations_expected(&self, members: usize) -> u32 {
        let others = members.saturating_sub(2);
        self.confirmations.min(u32::try_from(others).unwrap_or(u32::MAX))
    }

    /// The whole time from the start of the suspicion until the failure, with `confirmations` accusers beyond the
    /// first. It never grows with their number. It is `Min` where nobody is expected to confirm.
    pub fn timeout(&self, members: usize, probe_interval: Duration, confirmations: u32) -> Duration {
        let min = self.min(members, probe_interval);
        let expected = self.confirmations_expected(members);
        if confirmations >= expected {
            return min;
        }
        let max = self.max(members, probe_interval);
        let done = f64::from(confirmations).ln_1p() / f64::from(expected).ln_1p();
        max.saturating_sub(seconds(max.saturating_sub(min).as_secs_f64() * done)).max(min)
    }
}

impl Default for SuspicionRule {
    /// [`lifeguard`](Self::lifeguard).
    fn default() -> Self {
        Self::lifeguard()
    }
}

/// The duration of so many seconds; 0 for what is no duration, the longest one for what is too long.
fn seconds(seconds: f64) -> Duration {
    if seconds > 0.0 { Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX) } else { Duration::ZERO }
}

/// One suspicion as this member knows it: of which incarnation, since when, and who accuses.
///
/// Its accusers are distinct and at most `K + 1`; later ones add nothing to the verdict and are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    incarnation: Incarnation,
    started: Instant,
    accusers: Vec<NodeId>,
}

impl Suspicion {
    /// A suspicion of the member's life `incarnation`, first heard of at `now`. `accuser` is `None` if it is not known who
    /// accuses: whoever tells of a suspicion need not share it.
    pub fn new(incarnation: Incarnation, accuser: Option<NodeId>, now: Instant) -> Self {
        Self { incarnation, started: now, accusers: accuser.into_iter().collect() }
    }

    /// Counts one more accuser. Returns whether it is a new one and is the first or lowers the time-out: then the accusation is
    /// news to others too and should be gossiped on (Lifeguard section IV-B). False for an accuser that was counted
    /// before, and once `K` beyond the first are counted.
    pub fn confirm(&mut self, accuser: &NodeId, rule: &SuspicionRule) -> bool {
        let news = self.confirmations() < rule.confirmations && !self.accusers.contains(accuser);
        if news {
            self.accusers.push(accuser.clone());
        }
        news
    }

    /// Who accuses, in the order in which they were heard of; empty while nobody knows.
    pub fn accusers(&self) -> &[NodeId] {
        &self.accusers
    }

    /// How many accuse beyond the first.
    pub fn confirmations(&self) -> u32 {
        u32::try_from(self.accusers.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The incarnation that is suspected; a higher one is innocent of it.
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// When this member learned of the suspicion.
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// When it becomes a failure if nothing changes. It comes nearer with each confirmation, and may then lie in the
    /// past: the suspect has had its time already.
    pub fn deadline(&self, rule: &SuspicionRule, members: usize, probe_interval: Duration) -> Instant {
        self.started + rule.timeout(members, probe_interval, self.confirmations())
    }
}

#[cfg(test)]
mod tests;
