//! Tests of the partition detector: its quorum from both sides, its grace, healing, and what counts
//! as the size of the group.

use std::time::Duration;

use kinfolk_core::{ClusterEvent, Instant};
use kinfolk_detector::{Counts, PartitionConfig, PartitionDetector, is_mass_failure};

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(seconds)
}

/// Of `all` members, `silent` are suspected, `failed` have failed, and the others live.
fn counts(all: usize, silent: usize, failed: usize) -> Counts {
    Counts { live: all - silent - failed, members: all - failed, failed }
}

fn of(all: usize) -> PartitionDetector {
    with(PartitionConfig::default(), all)
}

fn with(config: PartitionConfig, all: usize) -> PartitionDetector {
    let mut detector = PartitionDetector::new(config);
    detector.resize(counts(all, 0, 0));
    detector
}

/// Observes the same counts each second of the range. Returns the events with their second.
fn pass(
    detector: &mut PartitionDetector,
    seconds: std::ops::RangeInclusive<u64>,
    counts: Counts,
) -> Vec<(u64, ClusterEvent)> {
    seconds.filter_map(|second| Some((second, detector.observe(at(second), counts)?))).collect()
}

fn detected(minority: bool, live: usize, known: usize) -> ClusterEvent {
    ClusterEvent::PartitionDetected { minority, live, known }
}

/// Whether a side of `live` of 100 members is a minority that becomes read-only.
fn is_minority(live: usize, config: PartitionConfig) -> bool {
    let mut detector = with(config, 100);
    pass(&mut detector, 0..=60, counts(100, 0, 100 - live));
    assert_eq!(detector.status().minority, detector.status().read_only);
    detector.status().read_only
}

#[test]
fn quorum_at_49_percent_is_a_minority() {
    assert!(is_minority(49, PartitionConfig::default()));
}

#[test]
fn quorum_at_50_percent_is_no_minority() {
    assert!(!is_minority(50, PartitionConfig::default()));
    let more_than_half = PartitionConfig { quorum_percent: 51, ..PartitionConfig::default() };
    assert!(is_minority(50, more_than_half), "with 51 % both halves of an even split are a minority");
}

#[test]
fn quorum_at_51_percent_is_no_minority() {
    assert!(!is_minority(51, PartitionConfig::default()));
    let more_than_half = PartitionConfig { quorum_percent: 51, ..PartitionConfig::default() };
    assert!(!is_minority(51, more_than_half));
}

#[test]
fn two_of_five_are_a_minority() {
    for (live, minority) in [(2, true), (3, false)] {
        let mut detector = of(5);
        pass(&mut detector, 0..=40, counts(5, 0, 5 - live));
        assert_eq!(detector.status().minority, minority, "{live} of 5");
        assert_eq!(detector.status().read_only, minority, "{live} of 5");
    }
}

/// The minority is reported after 5 s, and is read-only after 30 s.
#[test]
fn minority_becomes_read_only_after_the_grace() {
    let mut detector = of(5);
    assert_eq!(pass(&mut detector, 0..=29, counts(5, 3, 0)), [(5, detected(true, 2, 5))]);
    assert!(!detector.status().read_only);
    assert_eq!(pass(&mut detector, 30..=30, counts(5, 0, 3)), []);
    assert!(detector.status().read_only);
}

#[test]
fn partition_that_ends_early_is_not_reported() {
    let mut detector = of(5);
    assert_eq!(pass(&mut detector, 0..=4, counts(5, 3, 0)), []);
    assert_eq!(pass(&mut detector, 5..=60, counts(5, 0, 0)), []);
    assert!(detector.is_whole());
}

#[test]
fn group_is_not_whole_until_healing_is_observed() {
    let mut detector = of(5);
    assert!(detector.is_whole());
    detector.resize(counts(5, 3, 0));
    assert!(!detector.is_whole(), "too few live, though no time has passed");
    pass(&mut detector, 0..=10, counts(5, 3, 0));
    detector.resize(counts(5, 0, 0));
    assert!(!detector.is_whole(), "the healing is not reported yet");
    pass(&mut detector, 11..=11, counts(5, 0, 0));
    assert!(detector.is_whole());
}

#[test]
fn healing_is_reported_once_and_ends_read_only() {
    let mut detector = of(5);
    pass(&mut detector, 0..=40, counts(5, 0, 3));
    assert!(detector.status().read_only && detector.status().partitioned);
    let healed = ClusterEvent::PartitionHealed { live: 5, known: 5, lasted: Duration::from_secs(41) };
    assert_eq!(pass(&mut detector, 41..=50, counts(5, 0, 0)), [(41, healed)]);
    let status = detector.status();
    assert!(!status.read_only && !status.partitioned && detector.is_whole());
}

#[test]
fn short_partition_does_not_shorten_the_next_grace() {
    let mut detector = of(5);
    pass(&mut detector, 0..=20, counts(5, 3, 0));
    pass(&mut detector, 21..=21, counts(5, 0, 0));
    pass(&mut detector, 22..=51, counts(5, 3, 0));
    assert!(!detector.status().read_only);
    pass(&mut detector, 52..=52, counts(5, 3, 0));
    assert!(detector.status().read_only);
}

#[test]
fn larger_side_of_a_cut_is_no_minority() {
    let mut detector = of(15);
    assert_eq!(pass(&mut detector, 0..=100, counts(15, 0, 7)), [(5, detected(false, 8, 15))]);
    assert!(!detector.status().read_only && detector.status().partitioned);
}

#[test]
fn side_that_becomes_a_minority_reports_it_once() {
    let mut detector = of(15);
    pass(&mut detector, 0..=10, counts(15, 0, 7));
    assert_eq!(pass(&mut detector, 11..=100, counts(15, 0, 9)), [(16, detected(true, 6, 15))]);
}

#[test]
fn pause_of_this_process_extends_the_grace() {
    let mut detector = of(5);
    pass(&mut detector, 0..=20, counts(5, 3, 0));
    detector.paused(Duration::from_mins(1));
    pass(&mut detector, 80..=89, counts(5, 3, 0));
    assert!(!detector.status().read_only);
    pass(&mut detector, 90..=90, counts(5, 3, 0));
    assert!(detector.status().read_only);
}

#[test]
fn leave_lowers_known_size_and_failure_does_not() {
    let mut detector = of(10);
    for members in (4..10).rev() {
        detector.left();
        detector.resize(counts(members, 0, 0));
    }
    assert_eq!(detector.status().known, 4);
    assert!(!detector.status().minority && detector.is_whole());
    detector.resize(counts(4, 0, 2));
    assert_eq!(detector.status().known, 4);
}

/// Also after another member then leaves.
#[test]
fn replaced_member_counts_once_in_the_known_size() {
    let mut detector = of(10);
    detector.resize(Counts { live: 9, members: 9, failed: 1 });
    detector.resize(Counts { live: 10, members: 10, failed: 1 });
    assert_eq!(detector.status().known, 10);
    detector.left();
    detector.resize(Counts { live: 9, members: 9, failed: 1 });
    assert_eq!(detector.status().known, 9);
}

#[test]
fn reaped_members_no_longer_count() {
    let mut detector = of(5);
    pass(&mut detector, 0..=40, counts(5, 0, 3));
    assert!(detector.status().read_only);
    let healed = ClusterEvent::PartitionHealed { live: 2, known: 2, lasted: Duration::from_secs(41) };
    assert_eq!(pass(&mut detector, 41..=41, counts(2, 0, 0)), [(41, healed)]);
}

#[test]
fn up_to_two_fifths_missing_is_no_partition() {
    for (all, missing) in [(2, 1), (3, 1), (4, 1), (5, 2), (15, 6)] {
        let mut detector = of(all);
        assert_eq!(pass(&mut detector, 0..=100, counts(all, missing, 0)), [], "{missing} of {all}");
    }
}

#[test]
fn mass_failure_needs_two_members_and_two_fifths() {
    let least = |all| (0..=all).find(|missing| is_mass_failure(*missing, all));
    let expected = [(1, None), (2, Some(2)), (3, Some(2)), (4, Some(2)), (5, Some(3)), (6, Some(3))];
    assert!(expected.iter().all(|(all, missing)| least(*all) == *missing));
    assert_eq!((least(10), least(15), least(16), least(1_000)), (Some(5), Some(7), Some(7), Some(401)));
}
