//! How a subject spreads the probes of its watchers evenly over time. Each answer tells the watcher
//! how much later or earlier its next probe should come. The target is the middle between the
//! probes before and after it.
//!
//! A watcher probes each of its subjects once in a cycle: one probe interval for each subject. The
//! phases of four watchers are random at first. Then the first probe after a crash comes after 0.8
//! intervals in the mean, but after 2.7 intervals in one case of a hundred. With even gaps it
//! always comes within one interval (docs/decisions/0008). That each watcher moves to the middle of
//! its neighbours in time leads to equal gaps (Degesys et al., "DESYNC", IPSN 2007).

use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

/// The watchers of this member, with the last and the next probe of each.
#[derive(Debug, Default)]
pub(super) struct ProbePhase {
    /// Ordered by name.
    watchers: Vec<(NodeId, Option<Probed>)>,
}

#[derive(Debug, Clone, Copy)]
struct Probed {
    last: Instant,
    next: Instant,
}

impl ProbePhase {
    /// Sets the watchers, which are ordered by name. Keeps what is known of watchers that stay.
    pub(super) fn watched_by(&mut self, watchers: Vec<NodeId>) {
        let former = std::mem::take(&mut self.watchers);
        let known =
            |id: &NodeId| former.iter().find(|(watcher, _)| watcher == id).and_then(|(_, probed)| *probed);
        self.watchers =
            watchers.into_iter().map(|id| (known(&id), id)).map(|(probed, id)| (id, probed)).collect();
    }

    /// The watchers, ordered by name.
    pub(super) fn watchers(&self) -> impl Iterator<Item = &NodeId> {
        self.watchers.iter().map(|(id, _)| id)
    }

    /// `watcher` probes this member now. Each watcher probes once in each `cycle`. Returns by how
    /// many milliseconds its next probe should come later, or, if negative, earlier: at most an
    /// eighth of the cycle, so that the watchers approach equal gaps in small steps.
    pub(super) fn probed(&mut self, watcher: &NodeId, cycle: Duration, now: Instant) -> i16 {
        let Some(place) = self.watchers.iter().position(|(id, _)| id == watcher) else { return 0 };
        let old = cycle * 2;
        let others = self.watchers.iter().enumerate().filter(|(at, _)| *at != place);
        let lately = others.filter_map(|(_, (_, probed))| probed.filter(|one| now.since(one.last) <= old));
        let before = lately.clone().map(|one| one.last).max().map(|last| now.since(last));
        let after = lately.map(|one| one.next).min().map(|next| next.since(now));
        let most = whole_millis(cycle) / 8;
        let middle = |(before, after)| (whole_millis(after) - whole_millis(before)) / 2;
        let shift = before.zip(after).map_or(0, middle).clamp(-most, most);
        let next = now + cycle;
        let by = Duration::from_millis(shift.unsigned_abs());
        let next = if shift.is_negative() { next - by } else { next + by };
        self.watchers[place].1 = Some(Probed { last: now, next });
        i16::try_from(shift).unwrap_or(0)
    }
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CYCLE: Duration = Duration::from_secs(4);

    fn id(number: usize) -> NodeId {
        NodeId::new(&format!("w{number}")).unwrap()
    }

    #[test]
    fn random_watchers_end_evenly_spread() {
        for seed in 0..50 {
            let mut rng = kinfolk_core::Rng::from_seed(seed);
            let watchers: Vec<_> = (0..4).map(id).collect();
            let mut due: Vec<_> = (0..4).map(|_| Instant::ORIGIN + CYCLE.mul_f64(rng.unit())).collect();
            let mut spacing = ProbePhase::default();
            spacing.watched_by(watchers.clone());
            for _ in 0..4 * 60 {
                let first = (0..4).min_by_key(|at| due[*at]).unwrap();
                let now = due[first];
                let shift = spacing.probed(&watchers[first], CYCLE, now);
                let by = Duration::from_millis(u64::from(shift.unsigned_abs()));
                due[first] = now + if shift < 0 { CYCLE.saturating_sub(by) } else { CYCLE + by };
            }
            due.sort_unstable();
            let gaps = due.windows(2).map(|pair| pair[1].since(pair[0]));
            assert!(
                gaps.clone().all(|gap| (700..1_300).contains(&gap.as_millis())),
                "seed {seed}: {:?}",
                gaps.collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn sole_watcher_and_stranger_are_not_shifted() {
        let mut spacing = ProbePhase::default();
        spacing.watched_by(vec![id(0)]);
        assert_eq!(spacing.probed(&id(0), CYCLE, Instant::ORIGIN), 0);
        assert_eq!(spacing.probed(&id(9), CYCLE, Instant::ORIGIN), 0);
    }

    /// A watcher that ends loses it.
    #[test]
    fn watcher_that_stays_keeps_its_last_probe() {
        let mut spacing = ProbePhase::default();
        spacing.watched_by(vec![id(0), id(1)]);
        spacing.probed(&id(0), CYCLE, Instant::ORIGIN);
        spacing.watched_by(vec![id(0), id(2)]);
        let soon = Instant::ORIGIN + CYCLE / 4;
        assert_eq!(
            spacing.probed(&id(2), CYCLE, soon),
            500,
            "halfway to the next probe of the other, at most an eighth of the cycle"
        );
        spacing.watched_by(vec![id(2)]);
        spacing.watched_by(vec![id(0), id(2)]);
        assert_eq!(spacing.probed(&id(2), CYCLE, soon), 0, "the other watcher is new");
        assert!(spacing.watchers().eq([&id(0), &id(2)]));
    }

    /// A shift moves the time at which the next probe is expected.
    #[test]
    fn other_watchers_see_a_shift_in_advance() {
        let at = |ms| Instant::ORIGIN + Duration::from_millis(ms);
        for (second, shift, then) in [(2_200, -200, 100), (1_800, 200, -100)] {
            let mut spacing = ProbePhase::default();
            spacing.watched_by(vec![id(0), id(1)]);
            assert_eq!(spacing.probed(&id(0), CYCLE, at(0)), 0);
            assert_eq!(spacing.probed(&id(1), CYCLE, at(second)), shift);
            assert_eq!(spacing.probed(&id(0), CYCLE, at(4_000)), then);
        }
    }

    #[test]
    fn watcher_counts_for_two_cycles_after_its_probe() {
        for (millis, shift) in [(8_000, -500), (8_001, 0)] {
            let mut spacing = ProbePhase::default();
            spacing.watched_by(vec![id(0), id(1)]);
            spacing.probed(&id(0), CYCLE, Instant::ORIGIN);
            let now = Instant::ORIGIN + Duration::from_millis(millis);
            assert_eq!(spacing.probed(&id(1), CYCLE, now), shift, "{millis} ms");
        }
    }
}
