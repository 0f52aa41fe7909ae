//! The slots against arbitrary sequences of calls: whatever happens, the limits hold, every waiter is woken exactly once,
//! every connection is closed exactly once, and nothing that was closed is handed out.
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

impl Held for ConnId {
    fn is_open(&self) -> bool {
        true
    }
}

/// A waiter with a number.
#[derive(Debug)]
struct Numbered(u64);

impl Waiter for Numbered {
    fn is_gone(&self) -> bool {
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

/// What must be true, kept beside the slots in the plainest form.
#[derive(Default)]
struct Books {
    now: Instant,
    next: u64,
    dials: Vec<ConnId>,
    /// Dials of addresses.
    unnamed: Vec<ConnId>,
    /// Uses that somebody holds.
    uses: Vec<Arc<Pooled<ConnId>>>,
    waiting: BTreeSet<u64>,
    /// Every connection that was brought in; false once closed.
    conns: BTreeMap<ConnId, bool>,
}

impl Books {
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

/// Ends a use, as whoever held it does.
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

fn run(slots: &mut Slots<ConnId, Numbered>, books: &mut Books, step: &Step) {
    let now = books.now;
    match *step {
        Step::Acquire { peer: n, streams, another } => {
            let lane = if streams { Lane::StreamsOut } else { Lane::Requests };
            acquire(slots, books, Route::new(&peer(n), lane), another);
        }
        Step::DialOk(at) => {
            if let Some(id) = take(&mut books.dials, at) {
                let conn = books.new_conn(id);
                let wake = slots.dial_ok(id, conn, now);
                books.woken(wake);
            }
        }
        Step::DialFailed(at) => {
            if let Some(id) = take(&mut books.dials, at) {
                let wake = slots.dial_failed(id);
                books.woken(wake);
            }
        }
        Step::Adopt { peer: n, streams } => {
            let lane = if streams { Lane::StreamsIn } else { Lane::Requests };
            let id = ConnId(books.number());
            adopt(slots, books, id, &peer(n), lane, Side::Remote);
        }
        Step::Reserve => {
            let id = ConnId(books.number());
            if slots.reserve(id).is_ok() {
                books.unnamed.push(id);
            }
        }
        Step::Identified { at, peer: n } => {
            if let Some(id) = take(&mut books.unnamed, at) {
                adopt(slots, books, id, &peer(n), Lane::Requests, Side::Local);
            }
        }
        Step::Release(at) => {
            if let Some(used) = take(&mut books.uses, at) {
                release(slots, &used, now);
            }
        }
        Step::Enter(at) => {
            if let Some(id) = books.conns.keys().nth(at % books.conns.len().max(1)).copied()
                && let Some(pooled) = slots.enter(id)
            {
                assert!(books.conns[&id], "a closed connection has no slot");
                books.uses.push(pooled);
            }
        }
        Step::Doubt(at) => {
            if let Some(used) = books.uses.get(at % books.uses.len().max(1)) {
                slots.doubt(used.id, now);
            }
        }
        Step::Remove(at) => {
            if let Some(id) = books.conns.keys().nth(at % books.conns.len().max(1)) {
                slots.remove(*id);
            }
        }
        Step::Pass(millis) => books.now += Duration::from_millis(millis),
        Step::Sweep => {
            slots.sweep(now, Duration::from_secs(5));
        }
    }
    books.closed(slots.take_closable());
}

fn acquire(slots: &mut Slots<ConnId, Numbered>, books: &mut Books, route: Route<'_>, another: bool) {
    let (id, waiter) = (ConnId(books.number()), books.number());
    let result = if another {
        slots.acquire_another(route, || id, || Numbered(waiter))
    } else {
        slots.acquire(route, || id, || Numbered(waiter))
    };
    match result {
        Ok(Acquired::Ready(pooled)) => {
            assert!(books.conns[&pooled.conn], "an open connection is handed out");
            books.uses.push(pooled);
        }
        Ok(Acquired::Waiting) => assert!(books.waiting.insert(waiter)),
        Ok(Acquired::Dial { id }) => {
            books.dials.push(id);
            assert!(books.waiting.insert(waiter));
        }
        Err(Refused::Full { current, max }) => assert!(current >= max),
        Err(Refused::QueueFull { .. } | Refused::Closed) => unreachable!("neither is met here"),
    }
}

fn adopt(
    slots: &mut Slots<ConnId, Numbered>,
    books: &mut Books,
    id: ConnId,
    peer: &NodeId,
    lane: Lane,
    side: Side,
) {
    let conn = books.new_conn(id);
    match slots.adopt(id, Route::new(peer, lane), conn, side, books.now) {
        Adopted::Ready(wake) => books.woken(wake),
        Adopted::Spare => {}
        Adopted::NoRoom | Adopted::Closed => books.closed(vec![(conn, CloseReason::Evicted)]),
    }
}

fn check(slots: &Slots<ConnId, Numbered>, books: &Books) {
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
    // Each dial holds a place until it has ended, also when nobody waits for it any more.
    assert_eq!(connecting, books.dials.len() + books.unnamed.len());
    let open = books.conns.values().filter(|open| **open).count();
    assert_eq!(open, in_use + idle + other, "each open connection has one slot");
    let held = books.uses.iter().filter(|used| books.conns[&used.conn]).count();
    assert_eq!(held, slots.uses(), "each use is counted once");
    slots.table.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_books_balance(steps in prop::collection::vec(step(), 1..120)) {
        let limits = Limits {
            max_total: MAX_TOTAL,
            max_streams: MAX_STREAMS,
            guests_max: GUESTS_MAX,
            max_per_peer: MAX_PER_PEER,
            waiters_max: 1000,
            drain: Duration::from_secs(2),
            tie: Tie::new(NodeId::new("me").unwrap(), Duration::from_secs(5)),
        };
        let (mut slots, mut books) = (Slots::new(limits), Books::default());
        for step in &steps {
            run(&mut slots, &mut books, step);
            check(&slots, &books);
        }
        // Once every dial has ended and every use too, nobody waits, and closing leaves nothing open.
        for id in std::mem::take(&mut books.dials) {
            let wake = slots.dial_failed(id);
            books.woken(wake);
        }
        for id in std::mem::take(&mut books.unnamed) {
            let wake = slots.dial_failed(id);
            books.woken(wake);
        }
        prop_assert!(books.waiting.is_empty());
        for used in std::mem::take(&mut books.uses) {
            release(&mut slots, &used, books.now);
        }
        prop_assert_eq!(slots.uses(), 0);
        prop_assert!(slots.close_all().is_empty());
        books.closed(slots.take_closable());
        prop_assert!(books.conns.values().all(|open| !open));
    }
}
