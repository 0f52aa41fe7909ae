//! How often the liar tells its lies about failures, and what must hold of each such attack.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk::{ClusterEvent, Finding, NodeId};
use kinfolk_scenarios::until;
use tokio::time::{Instant, sleep_until};

use super::scene::Scene;

/// How long the views are watched after a lie about failures.
pub(crate) const MINUTE: Duration = Duration::from_mins(1);
/// A liar that accuses each second is known to all within this time.
const NAMED_WITHIN: Duration = Duration::from_secs(30);

/// How often lies are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rhythm {
    Once,
    /// Each second for 15 s.
    EachSecond,
    /// Each 10 ms for 5 s.
    Flood,
}

impl Rhythm {
    pub(crate) const ALL: [Self; 3] = [Self::Once, Self::EachSecond, Self::Flood];

    /// How many times, and how far apart.
    fn times(self) -> (u32, Duration) {
        match self {
            Self::Once => (1, Duration::ZERO),
            Self::EachSecond => (15, Duration::from_secs(1)),
            Self::Flood => (500, Duration::from_millis(10)),
        }
    }

    /// Lies in this rhythm. `lie` gets the number of the time.
    pub(crate) async fn repeat(self, mut lie: impl FnMut(usize)) {
        let (begin, (times, apart)) = (Instant::now(), self.times());
        for time in 0..times {
            lie(time as usize);
            sleep_until(begin + apart * (time + 1)).await;
        }
    }

    /// How long it takes.
    pub(crate) fn lasts(self) -> Duration {
        let (times, apart) = self.times();
        apart * times
    }

    /// How often a victim may refute in this time, and in the minute after it. It answers the liar
    /// once in 2 s, and once in a minute when the liar is distrusted.
    pub(crate) fn refutations_max(self) -> usize {
        usize::try_from(self.lasts().as_secs() / 2).expect("it is small") + 2
    }
}

/// Asserts that all honest members know the liar for what it is, within 30 s after `since`. Nobody
/// else is distrusted.
pub(crate) async fn assert_named(scene: &Scene, since: Instant) {
    let distrusting = || -> Vec<(NodeId, NodeId)> {
        let entries = scene.fleet.history.entries().into_iter();
        let named = entries.filter_map(|entry| match entry.event {
            ClusterEvent::MemberDistrusted { id, .. } => Some((entry.by, id)),
            _ => None,
        });
        named.collect()
    };
    let (names, liar) = (scene.names(), scene.liar.id().clone());
    let rest = NAMED_WITHIN.saturating_sub(since.elapsed());
    let is_named = || names.iter().all(|by| distrusting().contains(&(by.clone(), liar.clone())));
    assert!(until(rest, is_named).await, "by {names:?}: {:?}", distrusting());
    assert!(distrusting().iter().all(|(_, id)| *id == liar), "{:?}", distrusting());
    for member in scene.members() {
        assert_eq!(member.stats().gossip.swim.distrusted, 1, "{}", member.id());
        let why = member.explain(&liar).await.expect("it runs");
        assert!(why.iter().any(|evidence| evidence.finding == Finding::Distrusted), "{why:?}");
    }
}

/// Asserts that no honest member showed two suspicions of one accuser within a minute. Its own are
/// all shown.
pub(crate) fn assert_few_suspicions(scene: &Scene) {
    let mut shown: BTreeMap<(NodeId, NodeId), Duration> = BTreeMap::new();
    for entry in scene.fleet.history.entries() {
        let ClusterEvent::NodeSuspected { cause, .. } = &entry.event else { continue };
        for accuser in cause.accusers.iter().filter(|accuser| **accuser != entry.by) {
            let before = shown.insert((entry.by.clone(), accuser.clone()), entry.at);
            let is_early = before.is_some_and(|before| entry.at < before + MINUTE);
            assert!(!is_early, "{before:?}: {entry} {cause:?}");
        }
    }
}

/// The number of suspicions of honest members that honest members showed.
pub(crate) fn suspicions(scene: &Scene) -> usize {
    let names = scene.names();
    let entries = scene.fleet.history.entries().into_iter();
    let is_honest = |event: &ClusterEvent| matches!(event, ClusterEvent::NodeSuspected { node, .. } if names.contains(&node.id));
    entries.filter(|entry| is_honest(&entry.event)).count()
}
