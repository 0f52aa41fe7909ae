//! Each state of a slot against each event: tests every transition of the diagram.
#![cfg(not(kinfolk_loom))]

use std::fmt::Write as _;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

use super::super::lane::{Lane, Route};
use super::super::tie::{Side, Tie};
use super::slot::Slot;
use super::*;

/// The slot under test.
const SLOT: ConnId = ConnId(1);
/// This node's own dial, if it has a slot of its own.
const DIAL: ConnId = ConnId(9);
const T0: Instant = Instant::ORIGIN;

#[derive(Debug)]
struct Nobody;

impl Waiter for Nobody {
    fn is_cancelled(&self) -> bool {
        false
    }
}

type Bare = Slots<ConnId, Nobody>;

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn empty(max_total: usize) -> Bare {
    let tie = Tie::new(id("me"), Duration::from_secs(5));
    let drain = Duration::from_secs(2);
    Slots::new(Limits {
        max_total,
        max_streams: 1,
        max_per_peer: 1,
        guests_max: 0,
        waiters_max: 8,
        drain,
        tie,
    })
}

const STATES: [&str; 8] =
    ["free", "connecting", "idle", "in use", "standby", "draining", "draining, in use", "loose"];

/// Slots in which `SLOT` has this state.
fn slots_in(state: &str, to: Route<'_>) -> Bare {
    let mut slots = empty(8);
    let dial = |slots: &mut Bare| {
        assert!(matches!(slots.acquire(to, || SLOT, || Nobody), Ok(Acquired::Dial { id: SLOT })));
    };
    let use_it = |slots: &mut Bare| {
        dial(slots);
        let wake = slots.dial_ok(SLOT, SLOT, T0);
        assert_eq!(wake.waiters.len(), 1);
    };
    match state {
        "free" => {}
        "connecting" => dial(&mut slots),
        "in use" => use_it(&mut slots),
        "idle" => {
            use_it(&mut slots);
            end_use(&mut slots);
        }
        "standby" => {
            assert!(matches!(slots.acquire(to, || DIAL, || Nobody), Ok(Acquired::Dial { .. })));
            assert!(matches!(slots.adopt(SLOT, to, SLOT, Side::Remote, T0), Adopted::Spare));
        }
        "draining" => {
            use_it(&mut slots);
            end_use(&mut slots);
            // Superseded, and dialled by this node: the connection stays for a moment, because the
            // peer may still use it.
            assert!(matches!(slots.adopt(DIAL, to, DIAL, Side::Local, T0), Adopted::Ready(_)));
        }
        "draining, in use" => {
            use_it(&mut slots);
            assert!(slots.give_up(SLOT, T0));
        }
        "loose" => slots.reserve(SLOT).unwrap(),
        other => unreachable!("{other}"),
    }
    assert_eq!(state_of(&slots), state);
    slots
}

/// Ends a use of `SLOT`, if there is one.
fn end_use(slots: &mut Bare) {
    let Some(live) = slots.table.get(SLOT).and_then(Slot::live) else { return };
    if live.pooled.end(T0) {
        slots.unused(SLOT, T0);
    }
}

fn state_of(slots: &Bare) -> &'static str {
    let Some(slot) = slots.table.get(SLOT) else {
        return if slots.table.loose().contains(&SLOT) { "loose" } else { "free" };
    };
    match &slot.state {
        State::Connecting(_) => "connecting",
        State::Ready(live) if live.pooled.uses() > 0 => "in use",
        State::Ready(_) => "idle",
        State::Standby(_) => "standby",
        State::Draining(draining) if draining.live.pooled.uses() > 0 => "draining, in use",
        State::Draining(_) => "draining",
    }
}

const EVENTS: [&str; 14] = [
    "acquire",
    "enter",
    "release",
    "give up",
    "replace",
    "remove",
    "dial_ok",
    "dial_failed",
    "adopt, theirs",
    "adopt, ours",
    "room needed",
    "sweep, 1 s later",
    "sweep, 1 h later",
    "close",
];

/// Applies one event to the slots. `to` is the route of `SLOT`.
fn apply(slots: &mut Bare, event: &str, state: &str, to: Route<'_>) {
    let hour = T0 + Duration::from_hours(1);
    // This node's dial is `SLOT` itself, or the dial that a standby connection waits for.
    let dial = if ["connecting", "loose"].contains(&state) { SLOT } else { DIAL };
    let new = ConnId(20);
    match event {
        "acquire" => drop(slots.acquire(to, || if state == "free" { SLOT } else { new }, || Nobody)),
        "enter" => drop(slots.enter(SLOT)),
        "release" => end_use(slots),
        "give up" => drop(slots.give_up(SLOT, T0)),
        "replace" => {
            slots.replace(SLOT, T0);
        }
        "remove" => drop(slots.remove(SLOT)),
        "dial_ok" => drop(slots.dial_ok(dial, dial, T0)),
        "dial_failed" => drop(slots.dial_failed(dial)),
        "adopt, theirs" => drop(slots.adopt(new, to, new, Side::Remote, T0)),
        "adopt, ours" => drop(slots.adopt(new, to, new, Side::Local, T0)),
        "room needed" => {
            slots.limits.max_total = slots.table.total();
            drop(slots.acquire(Route::new(&id("other"), Lane::Requests), || new, || Nobody));
        }
        "sweep, 1 s later" => drop(slots.sweep(T0 + Duration::from_secs(1), Duration::from_mins(1))),
        "sweep, 1 h later" => drop(slots.sweep(hour, Duration::from_mins(1))),
        "close" => drop(slots.close_all()),
        other => unreachable!("{other}"),
    }
}

/// The transitions for one peer: the new state for each state and event. A dot is no change.
fn table(peer: &str, states: &[&str], events: &[&str]) -> String {
    let peer = id(peer);
    let to = Route::new(&peer, Lane::Requests);
    let mut text = String::new();
    for event in events {
        write!(text, "{event:<17}").unwrap();
        for state in states {
            // A use that does not exist cannot end.
            let possible = *event != "release" || !["idle", "standby", "draining"].contains(state);
            let cell = if possible {
                let mut slots = slots_in(state, to);
                apply(&mut slots, event, state, to);
                state_of(&slots)
            } else {
                "-"
            };
            write!(text, "| {:<17}", if cell == *state { "." } else { cell }).unwrap();
        }
        let end = text.trim_end().len();
        text.truncate(end);
        text.push('\n');
    }
    text
}

#[test]
fn each_event_moves_each_state_as_drawn() {
    // free | connecting | idle | in use | standby | draining | draining, in use | loose
    let expected = "\
acquire          | connecting       | .                | in use           | .                | .                | .                | .                | .\n\
enter            | .                | .                | in use           | .                | .                | draining, in use | .                | .\n\
release          | .                | .                | -                | idle             | -                | -                | free             | .\n\
give up          | .                | .                | free             | draining, in use | .                | .                | .                | .\n\
replace          | .                | .                | draining         | draining, in use | .                | .                | .                | .\n\
remove           | .                | .                | free             | free             | free             | free             | free             | .\n\
dial_ok          | .                | in use           | .                | .                | draining         | .                | .                | free\n\
dial_failed      | .                | free             | .                | .                | in use           | .                | .                | free\n\
adopt, theirs    | .                | .                | .                | .                | draining         | .                | .                | .\n\
adopt, ours      | .                | loose            | draining         | draining, in use | draining         | .                | .                | .\n\
room needed      | .                | .                | free             | .                | .                | free             | .                | .\n\
sweep, 1 s later | .                | .                | .                | .                | .                | free             | .                | .\n\
sweep, 1 h later | .                | .                | free             | .                | .                | free             | free             | .\n\
close            | .                | free             | free             | free             | free             | free             | free             | .\n\
";
    let found = table("p", &STATES, &EVENTS);
    assert_eq!(found, expected, "\n{found}");
}

#[test]
fn peers_dial_with_the_lower_name_replaces_ours() {
    let expected = "adopt, theirs    | loose            | draining         | draining, in use\n";
    let found = table("a", &["connecting", "idle", "in use"], &["adopt, theirs"]);
    assert_eq!(found, expected, "\n{found}");
}
