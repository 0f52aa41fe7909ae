//! Every knob of the protocol, with its unit, range, default and what turning it costs.

use std::time::Duration;

use kinfolk_detector::{FlapPolicy, HealthConfig, Rhythm, Scope, SuspicionRule};

use super::error::ConfigError;

/// In how many rings each member has a watcher and a subject ([`Mode::Verified`]).
pub(crate) const RINGS: usize = 4;

/// Which protocol the machine speaks. All modes share one wire format and can live in one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// SWIM as in its paper (DSN 2002): round-robin probes, indirect probes, a fixed suspicion time-out. For comparison:
    /// a suspect is told of its suspicion by chance only, so that a short cut may end in a false failure, which then heals.
    Swim,
    /// SWIM with Lifeguard (DSN 2018): local health, dynamic suspicion, nacks and the buddy system.
    Lifeguard,
    /// Each member watches its successor in each of four rings; who does not answer is checked by witnesses before it is
    /// accused, and once more before it is declared failed. Neither the time to detect a failure nor the cost of a member
    /// depends on the size of the group.
    #[default]
    Verified,
}

/// The configuration of a [`Machine`](crate::Machine). All members of a cluster should use the same one.
#[derive(Debug, Clone, PartialEq)]
pub struct SwimConfig {
    /// Which protocol. Default: [`Mode::Verified`].
    pub mode: Mode,
    /// The one number to tune in [`Mode::Verified`]: a member that stalls for less is never declared failed, and one whose
    /// host has fallen silent is known to be within this time and 3 s. Default 5 s; at least twice `probe_interval`. (A
    /// process that died is known at once by its closed port, whatever this says.) Stretched by local health + 1 of who
    /// judges.
    pub tolerated_pause: Duration,
    /// The mass-failure brake ([`Mode::Verified`]): for how long a member holds its verdicts by silence back while more than
    /// two fifths of the group, and at least two, are silent: it may be itself that is cut off. In every mode it is also for
    /// how long fewer than the quorum must live until the partition status says that one should only read. Default 30 s; 0
    /// holds nothing. Raising it delays the view of a real disaster; lowering it lets both sides of a short cut declare each
    /// other failed, which they refute when it ends. A closed port and a leave are never held.
    pub partition_grace: Duration,
    /// With how many in a hundred of its highest known size the group has its quorum. Default 50, with which both halves of
    /// an even split have it; 1 to 100. It decides nothing here, but what is told of a partition.
    pub quorum_percent: u32,
    /// When a member that fails and returns again and again is told of as flapping instead of with each event. `None` tells
    /// everything, as the papers' modes do by default.
    pub flaps: Option<FlapPolicy>,
    /// A member that is declared failed again within this time of its return comes back only once it has reached its
    /// neighbours for as long ([`Mode::Verified`]). Default 45 s. Zero lets it return whenever it reaches them, however often
    /// that has gone wrong; longer keeps a member with an unsteady link out for longer.
    pub return_probation: Duration,
    /// One member is probed each interval (SWIM's protocol period T'). Default 1 s; above zero. Halving it halves the
    /// time to a first suspicion and doubles the idle traffic. Lifeguard stretches it by local health + 1.
    pub probe_interval: Duration,
    /// How long a direct probe waits before helpers are asked. Default 500 ms; above zero and below
    /// `probe_interval`. It should lie above the 99th percentile of the round trip. Stretched like the interval.
    pub probe_timeout: Duration,
    /// The shortest time that an adapted time-out of a probe may have ([`Mode::Verified`], which waits for the round trip
    /// that it measured and four deviations, between this and `probe_timeout`). Default 100 ms; lower finds a crash sooner
    /// on a fast network and asks witnesses in vain more often.
    pub probe_timeout_min: Duration,
    /// How many helpers, or witnesses, are asked for an indirect probe (SWIM's k). Default 3; 0 turns indirect probes off,
    /// which [`Mode::Verified`] does not allow: without witnesses nobody could be accused. More
    /// helpers make false suspicions under loss rarer and cost one more round trip each, only when a probe fails.
    pub indirect_probes: usize,
    /// How long a suspicion lasts before it becomes a failure ([`Mode::Swim`] and [`Mode::Lifeguard`]). Default: [`SuspicionRule::lifeguard`], between
    /// `4 log10 N` and `24 log10 N` intervals by the number of independent accusers. Longer means fewer false failures
    /// and later true ones.
    pub suspicion: SuspicionRule,
    /// The highest local health score (Lifeguard's S). Default 8; 0 turns local health off, and with it the nacks that
    /// feed it.
    pub local_health_max: u32,
    /// Whether a suspect is told of the claim against it with the first message to it (Lifeguard's buddy system).
    /// Default true. Costs one update in each message to a suspect; without it a suspect hears so by chance.
    pub buddy: bool,
    /// How often updates that wait are sent to random members, beyond those that ride on probes. Default 200 ms; above zero.
    /// In [`Mode::Verified`] there are no such rounds: fresh news goes to all neighbours once.
    pub gossip_interval: Duration,
    /// To how many members each time. Default 3; 0 leaves updates to probes alone, as in SWIM's paper.
    pub gossip_fanout: usize,
    /// A fresh update is sent on after this time, and once more after as long again, rather than at the next gossip
    /// interval; those that come together travel together. Default 20 ms; `None` waits for the interval. In
    /// [`Mode::Verified`] it is sent once, to all neighbours, after 5 ms by default, and `None` is no delay at all.
    pub push_delay: Option<Duration>,
    /// Each update is sent at most `retransmit * ceil(log2(N + 1))` times by each member. Default 3; at least 1.
    pub retransmit: u32,
    /// How often the whole view is exchanged with a random member, which repairs whatever gossip lost. Default 30 s;
    /// above zero. Costs about 60 bytes a known node each time. In [`Mode::Verified`] only the digests are compared first, at
    /// the price of one probe while they are equal; each time half as much sooner or later at random, and mostly with a
    /// neighbour: four members of the group ask a random one in each period, which may cost a connection.
    pub sync_interval: Duration,
    /// How often one failed member, chosen at random, is contacted, in case that it was the network that failed. Default
    /// 10 s, each time half as much shorter or longer at random; above zero; `None` leaves the failed alone. Costs one
    /// attempt to connect each time, while there is a failed member.
    pub heal_interval: Option<Duration>,
    /// How long failed and left members are remembered, and those that were forgotten before that.
    /// Default 24 h. It should be longer than any member can be cut off and then come back with old
    /// news.
    pub tombstone_ttl: Duration,
}

impl SwimConfig {
    /// SWIM as in its paper, with a fixed suspicion time-out of `5 * log10 N` intervals, as Lifeguard's paper compares it.
    pub fn swim() -> Self {
        Self {
            mode: Mode::Swim,
            suspicion: SuspicionRule { alpha: 5.0, ..SuspicionRule::swim() },
            local_health_max: 0,
            buddy: false,
            ..Self::lifeguard()
        }
    }

    /// Rings of watchers, witnesses and checks of ports: the default.
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

    /// [`swim`](Self::swim) with local health and nacks, the first of Lifeguard's three mechanisms alone (LHA-Probe).
    pub fn lha_probe() -> Self {
        Self { local_health_max: 8, ..Self::swim() }
    }

    /// [`swim`](Self::swim) with dynamic suspicion, the second of Lifeguard's mechanisms alone (LHA-Suspicion).
    pub fn lha_suspicion() -> Self {
        Self { suspicion: SuspicionRule { alpha: 5.0, ..SuspicionRule::lifeguard() }, ..Self::swim() }
    }

    /// [`swim`](Self::swim) with the third of Lifeguard's mechanisms alone (Buddy System).
    pub fn buddy() -> Self {
        Self { buddy: true, ..Self::swim() }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`ConfigError`], which names the first field that is out of its range.
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
        if verified && self.tolerated_pause < self.probe_interval * 2 {
            return Err(ConfigError::ToleratedPause {
                pause: self.tolerated_pause,
                interval: self.probe_interval,
            });
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

    /// `health` as it fits to this protocol: whom it watches, and how often those are heard from.
    #[must_use]
    pub fn adapt(&self, mut health: HealthConfig) -> HealthConfig {
        health.phi.expected_interval = self.probe_interval;
        if self.mode == Mode::Verified {
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
    fn each_preset_is_the_one_of_its_paper() {
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
    fn the_health_check_expects_to_hear_from_each_member_as_often_as_the_mode_makes_it() {
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
    fn a_pause_of_two_intervals_is_the_shortest_that_can_be_tolerated() {
        let with = |tolerated_pause, mode| SwimConfig { mode, tolerated_pause, ..SwimConfig::verified() };
        let (two, less) = (Duration::from_secs(2), Duration::from_millis(1_999));
        assert_eq!(with(two, Mode::Verified).validate(), Ok(()));
        let refused = ConfigError::ToleratedPause { pause: less, interval: Duration::from_secs(1) };
        assert_eq!(with(less, Mode::Verified).validate(), Err(refused));
        assert_eq!(with(less, Mode::Swim).validate(), Ok(()), "the papers' modes know no such thing");
    }

    #[test]
    fn each_bad_value_is_named() {
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
        assert!(flaps(|policy| policy.returns = 1).contains("returns"));
        assert!(flaps(|policy| policy.quiet = Duration::ZERO).contains("quiet"));
    }
}
