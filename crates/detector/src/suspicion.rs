//! How long a suspicion lasts before it becomes a failure, and which members accuse. The protocol
//! decides which member is suspected, and what happens when the time is over.

use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::error::ConfigError;

/// How long a suspected member has to refute (SWIM section 4.2; Lifeguard, arXiv 1707.00788,
/// section IV-B).
///
/// ```text
/// Min     = alpha * max(1, log10 N) * probe interval
/// Max     = beta * Min
/// timeout = max(Min, Max - (Max - Min) * ln(C + 1) / ln(K + 1))
/// ```
///
/// `N` is the number of members, `C` the number of accusers beyond the first, and `K` the number of
/// these that are expected. A single accuser may itself be overloaded or isolated, so it has to
/// wait for `Max`. Each independent accuser shortens the time; the first ones shorten it most.
///
/// All methods are total: a factor that is not a number, or is negative, counts as 0. A time that
/// is too long for a `Duration` saturates. [`validate`](Self::validate) refuses such rules.
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
    /// `Min` in units of `max(1, log10 N)` probe intervals, above 0, default 4. A higher value
    /// gives members more time to refute, and delays the detection of every crash in proportion.
    pub alpha: f64,
    /// `Max` in units of `Min`, at least 1, default 6. A higher value protects against a single
    /// faulty accuser, and delays the detection of a crash that few members can see. 1 makes the
    /// time fixed, as in SWIM; less counts as 1.
    pub beta: f64,
    /// `K`: the number of accusers beyond the first that bring the time down to `Min`, 0 to
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

    /// SWIM's rule: a fixed time, the `Min` of [`lifeguard`](Self::lifeguard), for any number of
    /// accusers.
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

    /// `Min`: the time once all expected accusers are known. `members` counts the whole group, this
    /// member and the suspect included.
    pub fn min(&self, members: usize, probe_interval: Duration) -> Duration {
        let scale = (members.max(1) as f64).log10().max(1.0);
        seconds(self.alpha * scale * probe_interval.as_secs_f64())
    }

    /// `Max`: the time while there is only one accuser; never below `Min`.
    pub fn max(&self, members: usize, probe_interval: Duration) -> Duration {
        let min = self.min(members, probe_interval);
        seconds(self.beta * min.as_secs_f64()).max(min)
    }

    /// `K` for a group of this size: at most all members except the suspect and the first accuser,
    /// because no others can confirm.
    pub fn confirmations_expected(&self, members: usize) -> u32 {
        let others = members.saturating_sub(2);
        self.confirmations.min(u32::try_from(others).unwrap_or(u32::MAX))
    }

    /// The whole time from the start of the suspicion until the failure, with `confirmations`
    /// accusers beyond the first. It never grows with their number. It is `Min` if no confirmation
    /// is expected.
    pub fn timeout(&self, members: usize, probe_interval: Duration, confirmations: u32) -> Duration {
        let min = self.min(members, probe_interval);
        let expected = self.confirmations_expected(members);
        if confirmations >= expected {
            return min;
        }
        let max = self.max(members, probe_interval);
        // Lifeguard's logarithm: the first confirmations shorten the time most, because they
        // already show that the first accuser is not alone.
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

/// The duration of so many seconds. 0 for a value that is not a duration; the longest duration for
/// a value that is too large.
fn seconds(seconds: f64) -> Duration {
    if seconds > 0.0 { Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX) } else { Duration::ZERO }
}

/// A suspicion as this member knows it: of which incarnation, since when, and which members accuse.
///
/// Its accusers are distinct, and at most `K + 1`. Later accusers do not change the verdict and are
/// not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    incarnation: Incarnation,
    started: Instant,
    accusers: Vec<NodeId>,
}

impl Suspicion {
    /// A suspicion of the instance `incarnation` of a member, first heard of at `now`. `accuser` is
    /// `None` if no accuser is known: a member that passes a suspicion on is not itself an accuser.
    pub fn new(incarnation: Incarnation, accuser: Option<NodeId>, now: Instant) -> Self {
        Self { incarnation, started: now, accusers: accuser.into_iter().collect() }
    }

    /// Counts an accuser. Returns whether it is new and is the first or shortens the time-out. Then
    /// the accusation should be gossiped on (Lifeguard, section IV-B). Returns false for an accuser
    /// that was counted before, and once `K` beyond the first are counted.
    pub fn confirm(&mut self, accuser: &NodeId, rule: &SuspicionRule) -> bool {
        let is_new = self.confirmations() < rule.confirmations && !self.accusers.contains(accuser);
        if is_new {
            self.accusers.push(accuser.clone());
        }
        is_new
    }

    /// The accusers, in the order in which this member heard of them; empty while none is known.
    pub fn accusers(&self) -> &[NodeId] {
        &self.accusers
    }

    /// The number of accusers beyond the first.
    pub fn confirmations(&self) -> u32 {
        u32::try_from(self.accusers.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The incarnation that is suspected. A higher incarnation refutes the suspicion.
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// When this member learned of the suspicion.
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// When the suspicion becomes a failure if nothing changes. Each confirmation moves this time
    /// closer. It may then lie in the past: the suspect has had its time to refute already.
    pub fn deadline(&self, rule: &SuspicionRule, members: usize, probe_interval: Duration) -> Instant {
        self.started + rule.timeout(members, probe_interval, self.confirmations())
    }
}

#[cfg(test)]
mod tests;
