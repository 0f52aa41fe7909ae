//! Property test: the slots with arbitrary sequences of calls. The limits hold, every waiter is
//! woken exactly once, every connection is closed exactly once, and a closed connection is never
//! handed out.
#![cfg(not(kinfolk_loom))]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};
use proptest::prelude::*;

use super::super::lane::{Lane, Route};
use super::super::pooled::Pooled;
use super::super::tie::{Side, Tie};
use super::*;

const MAX_TOTAL: usize = 4;
const GUESTS_MAX: usize = 2;
const MAX_STREAMS: usize = 2;
const MAX_PER_PEER: usize = 2;

impl SlotConnection for ConnId {
    fn is_open(&self) -> bool {
        true
    }
}

/// A waiter with a number.
#[derive(Debug)]
struct Numbered(u64);

impl Waiter for Numbered {
    fn is_cancelled(&self) -> bool {
        false
    }
}

#[derive(Debug, Clone)]
enum Step {
    Acquire { peer: u8, streams: bool, another: bool },
    Reserve,
    DialOk(usize),
    DialFailed(usize),
    Adopt { peer: u8, streams: bool },
    Identified { at: usize, peer: u8 },
    Release(usize),
    Enter(usize),
    Doubt(usize),
    Remove(usize),
    Pass(u64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8, any::<bool>(), any::<bool>())
            .prop_map(|(peer, streams, another)| Step::Acquire { peer, streams, another }),
        1 => Just(Step::Reserve),
        3 => any::<usize>().prop_map(Step::DialOk),
        1 => any::<usize>().prop_map(Step::DialFailed),
        2 => (0..4u8, any::<bool>()).prop_map(|(peer, streams)| Step::Adopt { peer, streams }),
        1 => (any::<usize>(), 0..4u8).prop_map(|(at, peer)| Step::Identified { at, peer }),
        4 => any::<usize>().prop_map(Step::Release),
        1 => any::<usize>().prop_map(Step::Enter),
        1 => any::<usize>().prop_map(Step::Doubt),
        1 => any::<usize>().prop_map(Step::Remove),
        1 => (0..3000u64).prop_map(Step::Pass),
        1 => Just(Step::Sweep),
    ]
}

/// The model: the expected facts, in the simplest form.
#[derive(Default)]
struct Model {
    now: Instant,
    next: u64,
    dials: Vec<ConnId>,
    /// Dials to addresses whose node is unknown.
    unnamed: Vec<ConnId>,
    /// Uses that a caller holds.
    uses: Vec<Arc<Pooled<ConnId>>>,
    waiting: BTreeSet<u64>,
    /// Every connection that was added. False once it is closed.
    conns: BTreeMap<ConnId, bool>,
}

impl Model {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn new_conn(&mut self, id: ConnId) -> ConnId {
        assert!(self.conns.insert(id, true).is_none());
        id
    }

    fn woken(&mut self, wake: Wake<ConnId, Numbered>) {
        for waiter in wake.waiters {
            assert!(self.waiting.remove(&waiter.0), "a waiter is woken once");
            if let Some(pooled) = &wake.with {
                assert_eq!(pooled.id, pooled.conn);
                self.uses.push(Arc::clone(pooled));
            }
        }
    }

    fn closed(&mut self, closable: Vec<ToClose<ConnId>>) {
        for (conn, _) in closable {
            let open = self.conns.get_mut(&conn).expect("only known connections are closed");
            assert!(std::mem::replace(open, false), "a connection is closed once");
        }
    }
}

/// Ends a use, as a lease does when it drops.
fn release(slots: &mut Slots<ConnId, Numbered>, used: &Pooled<ConnId>, now: Instant) {
    if used.end(now) {
        slots.unused(used.id, now);
    }
}

fn take<T>(from: &mut Vec<T>, at: usize) -> Option<T> {
    if from.is_empty() { None } else { Some(from.swap_remove(at % from.len())) }
}

fn peer(n: u8) -> NodeId {
    NodeId::new(["a", "b", "x", "y"][usize::from(n)]).unwrap()
}

fn run(slots: &mut Slots<ConnId, Numbered>, model: &mut Model, step: &Step) {
    let now = model.now;
    match *step {
        Step::Acquire { peer: n, streams, another } => {
            let lane = if streams { Lane::StreamsOut } else { Lane::Requests };
            acquire(slots, model, Route::new(&peer(n), lane), another);
        }
        Step::DialOk(at) => {
            if let Some(id) = take(&mut model.dials, at) {
                let conn = model.new_conn(id);
                let wake = slots.dial_ok(id, conn, now);
                model.woken(wake);
            }
        }
        Step::DialFailed(at) => {
            if let Some(id) = take(&mut model.dials, at) {
                let wake = slots.dial_failed(id);
                model.woken(wake);
            }
        }
        Step::Adopt { peer: n, streams } => {
            let lane = if streams { Lane::StreamsIn } else { Lane::Requests };
            let id = ConnId(model.number());
            adopt(slots, model, id, &peer(n), lane, Side::Remote);
        }
        Step::Reserve => {
            let id = ConnId(model.number());
            if slots.reserve(id).is_ok() {
                model.unnamed.push(id);
            }
        }
        Step::Identified { at, peer: n } => {
            if let Some(id) = take(&mut model.unnamed, at) {
                adopt(slots, model, id, &peer(n), Lane::Requests, Side::Local);
            }
        }
        Step::Release(at) => {
            if let Some(used) = take(&mut model.uses, at) {
                release(slots, &used, now);
            }
        }
        Step::Enter(at) => {
            if let Some(id) = model.conns.keys().nth(at % model.conns.len().max(1)).copied()
                && let Some(pooled) = slots.enter(id)
            {
                assert!(model.conns[&id], "a closed connection has no slot");
                model.uses.push(pooled);
            }
        }
        Step::Doubt(at) => {
            if let Some(used) = model.uses.get(at % model.uses.len().max(1)) {
                slots.give_up(used.id, now);
            }
        }
        Step::Remove(at) => {
            if let Some(id) = model.conns.keys().nth(at % model.conns.len().max(1)) {
                slots.remove(*id);
            }
        }
        Step::Pass(millis) => model.now += Duration::from_millis(millis),
        Step::Sweep => {
            slots.sweep(now, Duration::from_secs(5));
        }
    }
    model.closed(slots.take_closable());
}

fn acquire(slots: &mut Slots<ConnId, Numbered>, model: &mut Model, route: Route<'_>, another: bool) {
    let (id, waiter) = (ConnId(model.number()), model.number());
    let result = if another {
        slots.acquire_another(route, || id, || Numbered(waiter))
    } else {
        slots.acquire(route, || id, || Numbered(waiter))
    };
    match result {
        Ok(Acquired::Ready(pooled)) => {
            assert!(model.conns[&pooled.conn], "an open connection is handed out");
            model.uses.push(pooled);
        }
        Ok(Acquired::Waiting) => assert!(model.waiting.insert(waiter)),
        Ok(Acquired::Dial { id }) => {
            model.dials.push(id);
            assert!(model.waiting.insert(waiter));
        }
        Err(Refused::Full { current, max }) => assert!(current >= max),
        Err(Refused::QueueFull { .. } | Refused::Closed) => unreachable!("neither is met here"),
    }
}

fn adopt(
    slots: &mut Slots<ConnId, Numbered>,
    model: &mut Model,
    id: ConnId,
    peer: &NodeId,
    lane: Lane,
    side: Side,
) {
    let conn = model.new_conn(id);
    match slots.adopt(id, Route::new(peer, lane), conn, side, model.now) {
        Adopted::Ready(wake) => model.woken(wake),
        Adopted::Spare => {}
        Adopted::NoRoom | Adopted::Closed => model.closed(vec![(conn, CloseReason::Evicted)]),
    }
}

fn check(slots: &Slots<ConnId, Numbered>, model: &Model) {
    let (connecting, in_use, idle, other) = slots.counts();
    let total = connecting + in_use + idle + other;
    let guests = slots.table.guests();
    assert!(guests <= GUESTS_MAX && total <= MAX_TOTAL + guests, "{total} slots, {guests} of guests");
    let streams = slots.table.streams();
    assert!(streams <= MAX_STREAMS, "{streams} connections for streams");
    for n in 0..4 {
        for lane in [Lane::Requests, Lane::StreamsOut, Lane::StreamsIn] {
            assert!(slots.table.counted(Route::new(&peer(n), lane)) <= MAX_PER_PEER);
        }
    }
    // Each dial holds a place until it ends, even if no caller waits for it any more.
    assert_eq!(connecting, model.dials.len() + model.unnamed.len());
    let open = model.conns.values().filter(|open| **open).count();
    assert_eq!(open, in_use + idle + other, "each open connection has one slot");
    let held = model.uses.iter().filter(|used| model.conns[&used.conn]).count();
    assert_eq!(held, slots.uses(), "each use is counted once");
    slots.table.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn limits_and_wake_ups_hold_for_any_calls(steps in prop::collection::vec(step(), 1..120)) {
        let limits = Limits {
            max_total: MAX_TOTAL,
            max_streams: MAX_STREAMS,
            guests_max: GUESTS_MAX,
            max_per_peer: MAX_PER_PEER,
            waiters_max: 1000,
            drain: Duration::from_secs(2),
            tie: Tie::new(NodeId::new("me").unwrap(), Duration::from_secs(5)),
        };
        let (mut slots, mut model) = (Slots::new(limits), Model::default());
        for step in &steps {
            run(&mut slots, &mut model, step);
            check(&slots, &model);
        }
        // Once every dial and every use has ended, no caller waits, and closing leaves nothing
        // open.
        for id in std::mem::take(&mut model.dials) {
            let wake = slots.dial_failed(id);
            model.woken(wake);
        }
        for id in std::mem::take(&mut model.unnamed) {
            let wake = slots.dial_failed(id);
            model.woken(wake);
        }
        prop_assert!(model.waiting.is_empty());
        for used in std::mem::take(&mut model.uses) {
            release(&mut slots, &used, model.now);
        }
        prop_assert_eq!(slots.uses(), 0);
        prop_assert!(slots.close_all().is_empty());
        model.closed(slots.take_closable());
        prop_assert!(model.conns.values().all(|open| !open));
    }
}
