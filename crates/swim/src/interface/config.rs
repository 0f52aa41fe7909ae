//! Every setting of the protocol, with its unit, range, default, and what a change costs.

use std::time::Duration;

use kinfolk_detector::{FlapPolicy, HealthConfig, Rhythm, Scope, SuspicionRule};

use super::error::ConfigError;

/// The number of rings ([`Mode::Verified`]). Each member has one watcher and one subject in each.
/// Four watchers, each probing once in four intervals, give one probe an interval at any size.
pub(crate) const RINGS: usize = 4;

/// The most accusers that a failure may need: a member has about four watchers.
const ACCUSERS_REQUIRED_MAX: usize = RINGS;

/// Which protocol the machine runs. All modes share one wire format, and members of different modes
/// can be in one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// SWIM as in its paper (DSN 2002): round-robin probes, indirect probes, a fixed suspicion
    /// time-out. It is here for measurements. A suspect receives the claim against it only by
    /// chance, so a short network failure may end in a false failure, which heals afterwards.
    Swim,
    /// SWIM with Lifeguard (DSN 2018): local health, dynamic suspicion, nacks, and the buddy
    /// system.
    Lifeguard,
    /// Each member watches its successor in each of four rings. Witnesses check a subject that does
    /// not answer before it is suspected, and again before it is declared failed. Neither the time
    /// to detect a failure nor the cost of a member depends on the size of the group.
    #[default]
    Verified,
}

/// The configuration of a [`Machine`](crate::Machine). All members of a cluster should use the same
/// one.
#[derive(Debug, Clone, PartialEq)]
pub struct SwimConfig {
    /// Which protocol. Default: [`Mode::Verified`].
    pub mode: Mode,
    /// How long a member may stall without being declared failed ([`Mode::Verified`]). It is the
    /// main setting of that mode. Default 5 s; at least twice `probe_interval`.
    ///
    /// A host that falls silent is declared failed within this time plus 3 s. A process that died
    /// has a closed port, and is declared failed at once. The time is multiplied by the local
    /// health + 1 of the member that judges.
    pub tolerated_pause: Duration,
    /// How long a member holds its verdicts about silent members back in a mass failure
    /// ([`Mode::Verified`]): while more than two fifths of the group, and at least two members, are
    /// silent. The member itself may be the isolated part. Default 30 s; 0 holds nothing.
    ///
    /// A longer time delays the report of a real mass failure. With a shorter time both sides of a
    /// short partition declare each other failed, and refute when it ends. A verdict by a closed
    /// port and a leave are never held back.
    ///
    /// In every mode it is also the time for which fewer members than the quorum must be alive
    /// before the partition status recommends to only read.
    pub partition_grace: Duration,
    /// The share of its highest known size with which the group has its quorum, in percent. Default
    /// 50, with which both halves of an even split have it; 1 to 100. It changes no verdict, only
    /// what is reported about a partition.
    pub quorum_percent: u32,
    /// When a member that fails and returns repeatedly is reported as flapping, in place of each
    /// single event. `None` reports every event, and is the default of the papers' modes.
    pub flaps: Option<FlapPolicy>,
    /// A member that is declared failed again within this time after its return is on probation
    /// ([`Mode::Verified`]). It returns only after it has reached its neighbours for this long.
    /// Default 45 s. With 0 it returns whenever it reaches them. A longer time keeps a member with
    /// an unsteady link out for longer.
    pub return_probation: Duration,
    /// The time between two probes that this member sends (SWIM's protocol period T'). Default 1 s;
    /// above 0. Half of it halves the time to a first suspicion and doubles the idle traffic.
    /// Lifeguard multiplies it by local health + 1.
    pub probe_interval: Duration,
    /// How long a direct probe waits before helpers are asked. Default 500 ms; above 0 and below
    /// `probe_interval`. It should be above the 99th percentile of the round trip. It is multiplied
    /// like the interval.
    pub probe_timeout: Duration,
    /// The lower bound of the adaptive probe time-out ([`Mode::Verified`]). That time-out is the
    /// smoothed round trip plus four deviations, and at most `probe_timeout`. Default 100 ms. A
    /// lower value finds a crash sooner on a fast network, and asks witnesses more often without
    /// need.
    pub probe_timeout_min: Duration,
    /// How many members must accuse a member before others believe that it has failed
    /// ([`Mode::Verified`]). Default 2; 1 to 4. If there are fewer other members, all of them.
    ///
    /// Only members that may watch the failed one count, by each receiver's own view. With `n`, up
    /// to `n - 1` lying members cannot have an honest one removed. A crash is known as fast with 3
    /// as with 1, because the witnesses' answers are accusations too, and each member has so many
    /// watchers. With 4 it takes up to half a second longer. All members need the same number.
    pub accusers_required: usize,
    /// How many helpers, or witnesses, are asked for an indirect probe (SWIM's k). Default 3. 0
    /// turns indirect probes off. [`Mode::Verified`] does not allow 0, because it accuses no member
    /// without a witness. More helpers make false suspicions under loss rarer. They cost one more
    /// round trip each, and only when a probe fails.
    pub indirect_probes: usize,
    /// How long a suspicion lasts before it becomes a failure ([`Mode::Swim`] and
    /// [`Mode::Lifeguard`]). Default: [`SuspicionRule::lifeguard`], `4 log10 N` to `24 log10 N`
    /// intervals by the number of independent accusers. A longer time means fewer false failures,
    /// and later true ones.
    pub suspicion: SuspicionRule,
    /// The highest local health score (Lifeguard's S). Default 8. 0 turns local health off, and
    /// also the nacks that feed it.
    pub local_health_max: u32,
    /// Whether the first message to a suspect carries the claim against it (Lifeguard's buddy
    /// system). Default true. It costs one update in each message to a suspect. Without it a
    /// suspect receives the claim by chance.
    pub buddy: bool,
    /// How often waiting updates are sent to random members, besides the updates that piggyback on
    /// probes. Default 200 ms; above 0. [`Mode::Verified`] has no such rounds: fresh updates go to
    /// all neighbours once.
    pub gossip_interval: Duration,
    /// How many members receive the waiting updates in each round. Default 3. With 0 updates only
    /// piggyback on probes, as in SWIM's paper.
    pub gossip_fanout: usize,
    /// A fresh update is sent after this time, and once more after the same time, before the next
    /// gossip interval. Updates that arrive within this time go together. Default 20 ms; `None`
    /// waits for the interval. [`Mode::Verified`] sends a fresh update once, to all neighbours. Its
    /// default is 5 ms, and `None` means no delay.
    pub push_delay: Option<Duration>,
    /// Each member sends each update at most `retransmit * ceil(log2(N + 1))` times. Default 3; at
    /// least 1.
    pub retransmit: u32,
    /// The interval of anti-entropy rounds: the whole view is exchanged with a random member, which
    /// repairs what gossip lost. Default 30 s; above 0. Each round costs about 60 bytes for each
    /// known node.
    ///
    /// In [`Mode::Verified`] the digests are compared first. While they are equal, a round costs
    /// one probe. Each interval varies by up to one half at random. Most rounds go to a neighbour.
    /// Four members of the whole group ask a random member in each interval, which may cost a
    /// connection.
    pub sync_interval: Duration,
    /// How often one failed member, chosen at random, is contacted, in case only the network
    /// failed. Default 10 s, varied by up to one half at random; above 0. `None` contacts no failed
    /// member. It costs one attempt to connect each time, while there is a failed member.
    pub heal_interval: Option<Duration>,
    /// How long the tombstones of failed and left members, and the names of forgotten members, are
    /// kept. Default 24 h; above 0. It should be longer than any member can be isolated and then
    /// return with old claims.
    pub tombstone_ttl: Duration,
}

impl SwimConfig {
    /// SWIM as in its paper, with a fixed suspicion time-out of `5 * log10 N` intervals, the value
    /// for SWIM in the evaluation of Lifeguard's paper.
    pub fn swim() -> Self {
        Self {
            mode: Mode::Swim,
            suspicion: SuspicionRule { alpha: 5.0, ..SuspicionRule::swim() },
            local_health_max: 0,
            buddy: false,
            ..Self::lifeguard()
        }
    }

    /// Rings of watchers, witnesses, and port checks: the default.
    pub fn verified() -> Self {
        Self {
            mode: Mode::Verified,
            push_delay: Some(Duration::from_millis(5)),
            flaps: Some(FlapPolicy::default()),
            ..Self::lifeguard()
        }
    }

    /// SWIM with Lifeguard.
    pub fn lifeguard() -> Self {
        Self {
            mode: Mode::Lifeguard,
            tolerated_pause: Duration::from_secs(5),
            partition_grace: Duration::from_secs(30),
            quorum_percent: 50,
            flaps: None,
            return_probation: Duration::from_secs(45),
            probe_timeout_min: Duration::from_millis(100),
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            accusers_required: 2,
            indirect_probes: 3,
            suspicion: SuspicionRule::lifeguard(),
            local_health_max: 8,
            buddy: true,
            gossip_interval: Duration::from_millis(200),
            gossip_fanout: 3,
            push_delay: Some(Duration::from_millis(20)),
            retransmit: 3,
            sync_interval: Duration::from_secs(30),
            heal_interval: Some(Duration::from_secs(10)),
            tombstone_ttl: Duration::from_hours(24),
        }
    }

    /// [`swim`](Self::swim) with local health and nacks: the first of Lifeguard's three mechanisms
    /// alone (LHA-Probe).
    pub fn lha_probe() -> Self {
        Self { local_health_max: 8, ..Self::swim() }
    }

    /// [`swim`](Self::swim) with dynamic suspicion: the second of Lifeguard's mechanisms alone
    /// (LHA-Suspicion).
    pub fn lha_suspicion() -> Self {
        Self { suspicion: SuspicionRule { alpha: 5.0, ..SuspicionRule::lifeguard() }, ..Self::swim() }
    }

    /// [`swim`](Self::swim) with the buddy system: the third of Lifeguard's mechanisms alone.
    pub fn buddy() -> Self {
        Self { buddy: true, ..Self::swim() }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`ConfigError`] for the first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let positive = [
            ("probe_interval", self.probe_interval),
            ("probe_timeout", self.probe_timeout),
            ("gossip_interval", self.gossip_interval),
            ("sync_interval", self.sync_interval),
            ("tombstone_ttl", self.tombstone_ttl),
            ("heal_interval", self.heal_interval.unwrap_or(Duration::MAX)),
        ];
        if let Some((field, _)) = positive.into_iter().find(|(_, duration)| duration.is_zero()) {
            return Err(ConfigError::Zero { field });
        }
        // The rest of the interval is the time for indirect probes (SWIM, section 3.1).
        if self.probe_timeout >= self.probe_interval {
            return Err(ConfigError::ProbeTimeout {
                timeout: self.probe_timeout,
                interval: self.probe_interval,
            });
        }
        let verified = self.mode == Mode::Verified;
        if verified && self.indirect_probes == 0 {
            return Err(ConfigError::Zero { field: "indirect_probes" });
        }
        // With less a single missed probe could be enough for a verdict.
        if verified && self.tolerated_pause < self.probe_interval * 2 {
            return Err(ConfigError::ToleratedPause {
                pause: self.tolerated_pause,
                interval: self.probe_interval,
            });
        }
        if !(1..=ACCUSERS_REQUIRED_MAX).contains(&self.accusers_required) {
            return Err(ConfigError::Accusers { found: self.accusers_required });
        }
        if !(1..=100).contains(&self.quorum_percent) {
            return Err(ConfigError::Quorum { found: self.quorum_percent });
        }
        if let Some(flaps) = &self.flaps {
            flaps.validate().map_err(ConfigError::Flaps)?;
        }
        if self.retransmit == 0 {
            return Err(ConfigError::Zero { field: "retransmit" });
        }
        Ok(self.suspicion.validate()?)
    }

    /// Adapts `health` to the mode: which members the health checker watches, and how often it can
    /// expect a message from each.
    #[must_use]
    pub fn adapt(&self, mut health: HealthConfig) -> HealthConfig {
        health.phi.expected_interval = self.probe_interval;
        if self.mode == Mode::Verified {
            // A member probes each of its subjects once in a cycle of `RINGS` intervals.
            health.phi.expected_interval = self.probe_interval * u32::try_from(RINGS).unwrap_or(u32::MAX);
            (health.rhythm, health.scope) = (Rhythm::Regular, Scope::Listed);
        }
        health
    }
}

impl Default for SwimConfig {
    fn default() -> Self {
        Self::verified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid() {
        let parts = [SwimConfig::lha_probe(), SwimConfig::lha_suspicion(), SwimConfig::buddy()];
        let whole = [SwimConfig::swim(), SwimConfig::lifeguard(), SwimConfig::verified()];
        assert!(parts.iter().chain(&whole).all(|config| config.validate() == Ok(())));
    }

    #[test]
    fn each_preset_has_the_values_of_its_paper() {
        let fixed = SuspicionRule { alpha: 5.0, beta: 1.0, confirmations: 0 };
        let dynamic = SuspicionRule { beta: 6.0, confirmations: 3, ..fixed };
        let table = [
            ("swim", SwimConfig::swim(), Mode::Swim, fixed, 0, false),
            ("lha_probe", SwimConfig::lha_probe(), Mode::Swim, fixed, 8, false),
            ("lha_suspicion", SwimConfig::lha_suspicion(), Mode::Swim, dynamic, 0, false),
            ("buddy", SwimConfig::buddy(), Mode::Swim, fixed, 0, true),
            ("lifeguard", SwimConfig::lifeguard(), Mode::Lifeguard, SuspicionRule::lifeguard(), 8, true),
            ("verified", SwimConfig::verified(), Mode::Verified, SuspicionRule::lifeguard(), 8, true),
        ];
        for (name, config, mode, suspicion, health, buddy) in table {
            assert_eq!((config.mode, config.suspicion), (mode, suspicion), "{name}");
            assert_eq!((config.local_health_max, config.buddy), (health, buddy), "{name}");
            let verified = mode == Mode::Verified;
            let push_delay = Duration::from_millis(if verified { 5 } else { 20 });
            assert_eq!((config.push_delay, config.flaps.is_some()), (Some(push_delay), verified), "{name}");
        }
        assert_eq!(SwimConfig::default(), SwimConfig::verified());
    }

    #[test]
    fn health_check_expects_the_probe_rate_of_the_mode() {
        let health = HealthConfig::default();
        let interval = Duration::from_millis(300);
        let adapted = |config: SwimConfig| SwimConfig { probe_interval: interval, ..config }.adapt(health);
        let verified = adapted(SwimConfig::verified());
        assert_eq!(verified.phi.expected_interval, interval * 4);
        assert_eq!((verified.rhythm, verified.scope), (Rhythm::Regular, Scope::Listed));
        let swim = adapted(SwimConfig::swim());
        assert_eq!(swim.phi.expected_interval, interval);
        assert_eq!((swim.rhythm, swim.scope), (Rhythm::RoundRobin, Scope::Members));
    }

    #[test]
    fn quorum_of_accusers_is_one_to_four() {
        assert_eq!(SwimConfig::verified().accusers_required, 2);
        for (accusers_required, is_valid) in [(0, false), (1, true), (4, true), (5, false)] {
            let config = SwimConfig { accusers_required, ..SwimConfig::verified() };
            let expected =
                if is_valid { Ok(()) } else { Err(ConfigError::Accusers { found: accusers_required }) };
            assert_eq!(config.validate(), expected);
        }
    }

    #[test]
    fn tolerated_pause_below_two_intervals_is_refused() {
        let with = |tolerated_pause, mode| SwimConfig { mode, tolerated_pause, ..SwimConfig::verified() };
        let (two, less) = (Duration::from_secs(2), Duration::from_millis(1_999));
        assert_eq!(with(two, Mode::Verified).validate(), Ok(()));
        let refused = ConfigError::ToleratedPause { pause: less, interval: Duration::from_secs(1) };
        assert_eq!(with(less, Mode::Verified).validate(), Err(refused));
        assert_eq!(with(less, Mode::Swim).validate(), Ok(()), "the papers' modes do not use it");
    }

    #[test]
    fn error_names_the_field_that_is_out_of_range() {
        let with = |change: fn(&mut SwimConfig)| {
            let mut config = SwimConfig::default();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert!(with(|c| c.probe_interval = Duration::ZERO).contains("probe_interval"));
        assert!(with(|c| c.probe_timeout = c.probe_interval).contains("probe_timeout"));
        assert!(with(|c| c.retransmit = 0).contains("retransmit"));
        assert!(with(|c| c.suspicion.alpha = f64::NAN).contains("alpha"));
        assert!(with(|c| c.suspicion.beta = 0.5).contains("beta"));
        assert!(with(|c| c.sync_interval = Duration::ZERO).contains("sync_interval"));
        assert!(with(|c| c.tombstone_ttl = Duration::ZERO).contains("tombstone_ttl"));
        assert!(with(|c| c.indirect_probes = 0).contains("indirect_probes"));
        assert!(with(|c| c.quorum_percent = 0).contains("quorum_percent"));
        assert!(with(|c| c.quorum_percent = 101).contains("quorum_percent"));
        let flaps = |change: fn(&mut FlapPolicy)| {
            let mut policy = FlapPolicy::default();
            change(&mut policy);
            SwimConfig { flaps: Some(policy), ..SwimConfig::default() }.validate().unwrap_err().to_string()
        };
        assert!(flaps(|policy| policy.returns = 1).contains("flap"));
        assert!(flaps(|policy| policy.quiet = Duration::ZERO).contains("quiet"));
    }
}
