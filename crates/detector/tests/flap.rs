//! Tests of flap damping: when it starts, which events it suppresses, when it ends, and its bound.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Change, Incarnation, Instant, NodeAddr, NodeId, NodeState, NodeStatus, Tags};
use kinfolk_detector::{EventDamping, FlapDamper, FlapPolicy};

const MINUTE: Duration = Duration::from_mins(1);

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(seconds)
}

fn id(name: usize) -> NodeId {
    NodeId::new(&format!("n{name}")).expect("it is a name")
}

fn change(name: usize, before: NodeState, after: NodeState) -> Change {
    let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
    let status = |state| {
        Arc::new(NodeStatus::alive(id(name), addr, Incarnation::new(1), Tags::empty()).with_state(state))
    };
    Change::Applied { before: Some(status(before)), after: status(after) }
}

struct Bench(FlapDamper);

impl Bench {
    fn new() -> Self {
        Self(FlapDamper::new(FlapPolicy::default()))
    }

    /// The member fails, and returns at this second. Returns which events its return causes.
    fn returns(&mut self, name: usize, second: u64) -> EventDamping {
        self.0.changed(at(second.saturating_sub(1)), &change(name, NodeState::Alive, NodeState::Failed));
        self.0.changed(at(second), &change(name, NodeState::Failed, NodeState::Alive))
    }

    fn flapping() -> Self {
        let mut bench = Self::new();
        assert_eq!([10, 20].map(|second| bench.returns(0, second)), [EventDamping::All; 2]);
        assert!(matches!(bench.returns(0, 30), EventDamping::Flapping { .. }));
        assert_eq!(bench.0.settles_at(&id(0)), Some(at(30) + MINUTE));
        bench
    }
}

#[test]
fn third_return_within_ten_minutes_counts_as_flapping() {
    let mut bench = Bench::new();
    assert_eq!([bench.returns(0, 1), bench.returns(0, 300)], [EventDamping::All; 2]);
    assert_eq!(bench.returns(0, 601), EventDamping::Flapping { returns: 3, quiet: MINUTE });
    let mut bench = Bench::new();
    let tellings = [1, 300, 602, 902, 1_203].map(|second| bench.returns(0, second));
    assert_eq!(
        tellings,
        [EventDamping::All; 5],
        "three returns within ten minutes and a second do not count as flapping"
    );
}

#[test]
fn flapping_member_causes_no_events() {
    use NodeState::{Alive, Failed, Suspect};
    let mut bench = Bench::flapping();
    for (before, after) in
        [(Alive, Suspect), (Suspect, Failed), (Failed, Alive), (Alive, Suspect), (Suspect, Alive)]
    {
        assert_eq!(
            bench.0.changed(at(40), &change(0, before, after)),
            EventDamping::Muted,
            "{before} to {after}"
        );
    }
    assert_eq!(
        bench.0.changed(at(40), &change(1, Alive, Failed)),
        EventDamping::All,
        "another member is not damped"
    );
}

#[test]
fn flapping_member_settles_after_a_quiet_minute() {
    let mut bench = Bench::flapping();
    assert!(!bench.0.settle(at(89), &id(0)));
    assert!(bench.0.settle(at(90), &id(0)));
    assert!(!bench.0.settle(at(91), &id(0)), "a member settles once");
    assert_eq!(bench.returns(0, 100), EventDamping::All);
}

/// Each return doubles the quiet time up to ten minutes. Every change of state starts it from zero.
#[test]
fn each_return_doubles_the_quiet_time() {
    let mut bench = Bench::flapping();
    bench.0.changed(at(80), &change(0, NodeState::Alive, NodeState::Suspect));
    assert_eq!(bench.0.settles_at(&id(0)), Some(at(80) + MINUTE));
    let mut quiet = Vec::new();
    for second in (100..160).step_by(10) {
        bench.returns(0, second);
        quiet.push(bench.0.settles_at(&id(0)).unwrap().since(at(second)).as_secs() / 60);
    }
    assert_eq!(quiet, [2, 4, 8, 10, 10, 10]);
}

#[test]
fn new_tags_do_not_lengthen_the_quiet_time() {
    let mut bench = Bench::flapping();
    bench.0.changed(at(80), &change(0, NodeState::Alive, NodeState::Alive));
    assert_eq!(bench.0.settles_at(&id(0)), Some(at(90)));
}

/// Also: a member that returns from a leave does not flap.
#[test]
fn member_that_leaves_has_settled() {
    let mut bench = Bench::flapping();
    assert_eq!(bench.0.changed(at(40), &change(0, NodeState::Alive, NodeState::Left)), EventDamping::All);
    assert_eq!(bench.0.settles_at(&id(0)), None);
    for second in 50..60 {
        assert_eq!(
            bench.0.changed(at(second), &change(0, NodeState::Left, NodeState::Alive)),
            EventDamping::All
        );
    }
}

#[test]
fn member_over_bound_replaces_oldest_calm_member() {
    let mut bench = Bench::flapping();
    for name in 1..=FlapDamper::MEMBERS_MAX {
        bench.returns(name, 40);
        bench.returns(name, 41);
    }
    // Member 1 is the oldest that does not flap, so it was forgotten: it needs three returns again.
    assert_eq!(bench.returns(1, 42), EventDamping::All);
    assert!(matches!(bench.returns(200, 43), EventDamping::Flapping { .. }));
    assert!(bench.0.settles_at(&id(0)).is_some(), "a flapping member is not forgotten");
}

#[test]
fn new_member_is_not_damped_where_all_flap() {
    let mut bench = Bench::new();
    for name in 0..FlapDamper::MEMBERS_MAX {
        assert!(matches!(
            [1, 2, 3].map(|second| bench.returns(name, second))[2],
            EventDamping::Flapping { .. }
        ));
    }
    assert_eq!([4, 5, 6, 7].map(|second| bench.returns(999, second)), [EventDamping::All; 4]);
}

#[test]
fn setting_past_its_bound_is_refused() {
    let found = |change: fn(&mut FlapPolicy)| {
        let mut policy = FlapPolicy::default();
        change(&mut policy);
        policy.validate().map_err(|error| error.to_string())
    };
    let refused = |change| found(change).unwrap_err();
    assert_eq!(found(|_| {}), Ok(()));
    assert_eq!(found(|p| p.returns = 2), Ok(()));
    assert_eq!(refused(|p| p.returns = 1), "flap threshold is 1; it must be at least 2");
    assert_eq!(found(|p| p.window = Duration::from_millis(1)), Ok(()));
    assert!(refused(|p| p.window = Duration::from_micros(999)).starts_with("flap window is"));
    assert!(refused(|p| p.window = Duration::from_secs(86_401)).starts_with("flap window is"));
    assert_eq!(found(|p| p.quiet = Duration::from_millis(1)), Ok(()));
    assert!(refused(|p| p.quiet = Duration::from_micros(999)).starts_with("flap quiet is"));
    assert_eq!(found(|p| p.quiet_max = p.quiet), Ok(()));
    assert!(refused(|p| p.quiet_max = p.quiet / 2).starts_with("flap quiet_max is"));
    assert_eq!(found(|p| p.quiet_max = Duration::from_hours(24)), Ok(()));
    assert!(refused(|p| p.quiet_max = Duration::from_secs(86_401)).starts_with("flap quiet_max is"));
}
