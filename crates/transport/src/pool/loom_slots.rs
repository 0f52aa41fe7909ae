//! The slots under loom: every interleaving of two or three threads, with up to two preemptions
//! (`LOOM_MAX_PREEMPTIONS` sets another number).
//!
//! Run with `RUSTFLAGS="--cfg kinfolk_loom" cargo test --lib -p kinfolk-transport loom`.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::thread;

use super::guarded::Guarded;
use super::lane::{Lane, Route};
use super::pooled::Pooled;
use super::slots::{Acquired, Adopted, Limits, Refused, SlotConnection, Slots, Waiter, Wake};
use super::tie::{Side, Tie};
use super::{CloseReason, ConnId};

const NOW: Instant = Instant::ORIGIN;

/// A connection that records whether it was closed, and how.
type Conn = Arc<AtomicUsize>;

impl SlotConnection for Conn {
    fn is_open(&self) -> bool {
        self.load(SeqCst) == OPEN
    }
}

const OPEN: usize = 0;
/// Closed by a decision of the pool. Such a close must never hit a connection in use.
const CLOSED: usize = 1;
/// Ended by itself, or closed with the pool. Its users see the end.
const ENDED: usize = 2;

fn open() -> Conn {
    Arc::new(AtomicUsize::new(OPEN))
}

/// A waiter that counts its wake-ups, with and without a connection.
#[derive(Clone)]
struct Caller {
    given: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
}

impl Waiter for Caller {
    fn is_cancelled(&self) -> bool {
        false
    }
}

impl Caller {
    fn new() -> Self {
        Self { given: Arc::new(AtomicUsize::new(0)), failed: Arc::new(AtomicUsize::new(0)) }
    }

    fn woken(&self) -> (usize, usize) {
        (self.given.load(SeqCst), self.failed.load(SeqCst))
    }
}

type Pool = Arc<Guarded<Conn, Caller>>;

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

fn pool(max_total: usize) -> Pool {
    let tie = Tie::new(id("me"), Duration::from_secs(5));
    let drain = Duration::from_secs(2);
    Arc::new(Guarded::new(Limits {
        max_total,
        max_streams: 1,
        max_per_peer: 1,
        guests_max: 0,
        waiters_max: 8,
        drain,
        tie,
    }))
}

fn id(name: &str) -> NodeId {
    NodeId::new(name).expect("a label")
}

fn to(peer: &NodeId) -> Route<'_> {
    Route::new(peer, Lane::Requests)
}

fn close(conn: Conn, reason: CloseReason) {
    let how = if matches!(reason, CloseReason::Dead | CloseReason::Shutdown) { ENDED } else { CLOSED };
    assert_eq!(conn.swap(how, SeqCst), OPEN, "a connection is closed once");
}

/// A user never finds its connection closed by a decision of the pool.
fn in_use(conn: &Conn) {
    assert_ne!(conn.load(SeqCst), CLOSED, "a closed connection is not handed out");
}

/// Uses a connection and gives it back, as a lease does. Returns whether the slots requested a
/// report of the end.
fn use_up(pool: &Pool, pooled: &Pooled<Conn>) -> bool {
    in_use(&pooled.conn);
    // Check again at the end: no thread may have closed it in between.
    in_use(&pooled.conn);
    let report = pooled.end(NOW);
    if report {
        pool.with(|slots| slots.unused(pooled.id, NOW), close);
    }
    report
}

fn wake(pool: &Pool, wake: Wake<Conn, Caller>) {
    for caller in wake.waiters {
        match &wake.with {
            Some(pooled) => {
                caller.given.fetch_add(1, SeqCst);
                use_up(pool, pooled);
            }
            None => {
                caller.failed.fetch_add(1, SeqCst);
            }
        }
    }
}

/// Requests a connection as a caller of the pool does. Returns whether this caller had to dial.
fn acquire(pool: &Pool, peer: &NodeId, new_id: u64, caller: &Caller, dial_works: bool) -> bool {
    if let Some(pooled) = pool.read(|slots| slots.acquire_ready(to(peer))) {
        caller.given.fetch_add(1, SeqCst);
        use_up(pool, &pooled);
        return false;
    }
    match pool.with(|slots| slots.acquire(to(peer), || ConnId(new_id), || caller.clone()), close) {
        Ok(Acquired::Ready(pooled)) => {
            caller.given.fetch_add(1, SeqCst);
            use_up(pool, &pooled);
            false
        }
        Ok(Acquired::Waiting) => false,
        Ok(Acquired::Dial { id }) => {
            // A closed pool counts nothing any more.
            let counts = pool.read(|slots| slots.counts());
            assert!(counts.0 > 0 || counts == (0, 0, 0, 0), "a dial holds its place until it ends");
            let woken = if dial_works {
                let conn = open();
                pool.with(|slots| slots.dial_ok(id, conn, NOW), close)
            } else {
                pool.with(|slots| slots.dial_failed(id), close)
            };
            wake(pool, woken);
            true
        }
        Err(Refused::Full { .. } | Refused::Closed) => {
            caller.failed.fetch_add(1, SeqCst);
            false
        }
        Err(refused) => unreachable!("{refused:?}"),
    }
}

/// The number of places that are taken now.
fn total(pool: &Pool) -> usize {
    let (connecting, in_use, idle, other) = pool.read(|slots| slots.counts());
    connecting + in_use + idle + other
}

#[test]
fn loom_callers_share_a_dial_and_wake_once() {
    check(|| {
        let pool = pool(4);
        let callers = [Caller::new(), Caller::new(), Caller::new()];
        let threads: Vec<_> = (1..3)
            .map(|n| {
                let (pool, caller) = (pool.clone(), callers[n].clone());
                thread::spawn(move || acquire(&pool, &id("p"), n as u64, &caller, true))
            })
            .collect();
        let mut dials = usize::from(acquire(&pool, &id("p"), 9, &callers[0], true));
        for thread in threads {
            dials += usize::from(thread.join().expect("no thread panics"));
        }
        assert_eq!(dials, 1);
        assert!(callers.iter().all(|caller| caller.woken() == (1, 0)));
        assert_eq!(pool.read(|slots| (slots.uses(), slots.counts())), (0, (0, 0, 1, 0)));
    });
}

#[test]
fn loom_failed_dial_wakes_all_waiters_and_frees_its_slot() {
    check(|| {
        let pool = pool(4);
        let callers = [Caller::new(), Caller::new()];
        let other = {
            let (pool, caller) = (pool.clone(), callers[1].clone());
            thread::spawn(move || acquire(&pool, &id("p"), 1, &caller, false))
        };
        acquire(&pool, &id("p"), 2, &callers[0], false);
        other.join().expect("no thread panics");
        assert!(callers.iter().all(|caller| caller.woken() == (0, 1)));
        assert_eq!(pool.read(|slots| slots.counts()), (0, 0, 0, 0));
    });
}

#[test]
fn loom_limit_holds_and_used_connections_stay() {
    check(|| {
        let pool = pool(1);
        let callers = [Caller::new(), Caller::new()];
        let other = {
            let (pool, caller) = (pool.clone(), callers[1].clone());
            thread::spawn(move || acquire(&pool, &id("p"), 1, &caller, true))
        };
        acquire(&pool, &id("q"), 2, &callers[0], true);
        other.join().expect("no thread panics");
        for caller in &callers {
            let (given, failed) = caller.woken();
            assert_eq!(given + failed, 1, "one answer or one error");
        }
        let (connecting, in_use, idle, other) = pool.read(|slots| slots.counts());
        assert_eq!((connecting, in_use, idle, other), (0, 0, 1, 0));
    });
}

#[test]
fn loom_simultaneous_dials_leave_one_connection() {
    for peer in ["a", "p"] {
        check(move || {
            let pool = pool(4);
            let caller = Caller::new();
            let theirs = open();
            let other = {
                let (pool, theirs) = (pool.clone(), theirs.clone());
                thread::spawn(move || {
                    let adopt = |slots: &mut Slots<_, _>| {
                        slots.adopt(ConnId(1), to(&id(peer)), theirs, Side::Remote, NOW)
                    };
                    match pool.with(adopt, close) {
                        Adopted::Ready(woken) => wake(&pool, woken),
                        Adopted::Spare => {}
                        Adopted::NoRoom | Adopted::Closed => unreachable!("there is room"),
                    }
                })
            };
            acquire(&pool, &id(peer), 2, &caller, true);
            other.join().expect("no thread panics");
            assert_eq!(caller.woken(), (1, 0));
            let (connecting, in_use, idle, _) = pool.read(|slots| slots.counts());
            assert_eq!((connecting, in_use, idle), (0, 0, 1));
        });
    }
}

#[test]
fn loom_given_up_connection_is_closed_once() {
    check(|| {
        let pool = pool(4);
        let conn = open();
        let adopted =
            pool.with(|slots| slots.adopt(ConnId(1), to(&id("p")), conn.clone(), Side::Local, NOW), close);
        assert!(matches!(adopted, Adopted::Ready(_)));
        let user = |pool: Pool| {
            if let Some(pooled) = pool.read(|slots| slots.enter(ConnId(1))) {
                pool.with(|slots| slots.give_up(ConnId(1), NOW), close);
                use_up(&pool, &pooled);
            }
        };
        let other = {
            let pool = pool.clone();
            thread::spawn(move || user(pool))
        };
        user(pool.clone());
        other.join().expect("no thread panics");
        assert_ne!(conn.load(SeqCst), OPEN);
        assert_eq!(pool.read(|slots| slots.counts()), (0, 0, 0, 0));
    });
}

#[test]
fn loom_closed_pool_answers_callers_and_closes_dials() {
    check(|| {
        let pool = pool(4);
        let callers = [Caller::new(), Caller::new()];
        let threads: Vec<_> = (0..2)
            .map(|n| {
                let (pool, caller) = (pool.clone(), callers[n].clone());
                thread::spawn(move || acquire(&pool, &id("p"), n as u64, &caller, true))
            })
            .collect();
        let waiters = pool.with(|slots| slots.close_all(), close);
        for waiter in waiters {
            waiter.failed.fetch_add(1, SeqCst);
        }
        for thread in threads {
            thread.join().expect("no thread panics");
        }
        for caller in &callers {
            let (given, failed) = caller.woken();
            assert_eq!(given + failed, 1, "one answer or one error");
        }
        assert_eq!(total(&pool), 0, "no connection is adopted after the end");
    });
}

#[test]
fn loom_dead_connection_is_closed_once_and_never_reused() {
    check(|| {
        let pool = pool(4);
        let conn = open();
        let adopted =
            pool.with(|slots| slots.adopt(ConnId(1), to(&id("p")), conn.clone(), Side::Local, NOW), close);
        assert!(matches!(adopted, Adopted::Ready(_)));
        let callers = [Caller::new(), Caller::new()];
        let user = {
            let (pool, caller) = (pool.clone(), callers[0].clone());
            thread::spawn(move || acquire(&pool, &id("p"), 2, &caller, true))
        };
        let watcher = {
            let pool = pool.clone();
            thread::spawn(move || pool.with(|slots| slots.remove(ConnId(1)), close))
        };
        pool.with(|slots| slots.give_up(ConnId(1), NOW), close);
        user.join().expect("no thread panics");
        watcher.join().expect("no thread panics");
        assert_ne!(conn.load(SeqCst), OPEN);
        acquire(&pool, &id("p"), 3, &callers[1], true);
        assert!(callers.iter().all(|caller| caller.woken() == (1, 0)));
        assert_eq!(pool.read(|slots| (slots.uses(), slots.counts())), (0, (0, 0, 1, 0)));
    });
}

#[test]
fn loom_unnamed_dial_holds_its_place_until_it_ends() {
    for found in [true, false] {
        check(move || {
            let pool = pool(1);
            let caller = Caller::new();
            let seed = {
                let pool = pool.clone();
                thread::spawn(move || {
                    if pool.with(|slots| slots.reserve(ConnId(1)), close).is_err() {
                        return;
                    }
                    assert!(total(&pool) == 1);
                    if found {
                        let conn = open();
                        let adopt = |slots: &mut Slots<_, _>| {
                            slots.adopt(ConnId(1), to(&id("s")), conn, Side::Local, NOW)
                        };
                        assert!(matches!(pool.with(adopt, close), Adopted::Ready(_)), "its place is kept");
                    } else {
                        wake(&pool, pool.with(|slots| slots.dial_failed(ConnId(1)), close));
                    }
                })
            };
            acquire(&pool, &id("p"), 2, &caller, true);
            assert!(total(&pool) <= 1);
            seed.join().expect("no thread panics");
            let (given, failed) = caller.woken();
            assert_eq!(given + failed, 1);
            assert!(total(&pool) <= 1);
        });
    }
}

#[test]
fn loom_overtaken_dial_counts_until_it_ends() {
    check(|| {
        let pool = pool(2);
        let callers = [Caller::new(), Caller::new()];
        let dialler = {
            let (pool, caller) = (pool.clone(), callers[0].clone());
            // The peer's name is lower than this node's, so the peer's dial wins.
            thread::spawn(move || acquire(&pool, &id("a"), 1, &caller, true))
        };
        let peer = {
            let pool = pool.clone();
            thread::spawn(move || {
                let conn = open();
                let theirs = conn.clone();
                let adopt =
                    |slots: &mut Slots<_, _>| slots.adopt(ConnId(2), to(&id("a")), theirs, Side::Remote, NOW);
                match pool.with(adopt, close) {
                    Adopted::Ready(woken) => wake(&pool, woken),
                    Adopted::NoRoom => close(conn, CloseReason::Evicted),
                    Adopted::Spare | Adopted::Closed => unreachable!("the peer's dial wins"),
                }
                assert!(total(&pool) <= 2);
            })
        };
        acquire(&pool, &id("q"), 3, &callers[1], true);
        assert!(total(&pool) <= 2);
        dialler.join().expect("no thread panics");
        peer.join().expect("no thread panics");
        for caller in &callers {
            let (given, failed) = caller.woken();
            assert_eq!(given + failed, 1, "one answer or one error");
        }
        assert_eq!(pool.read(|slots| slots.uses()), 0);
    });
}

#[test]
fn loom_end_of_the_last_use_is_reported_once() {
    check(|| {
        let pool = pool(4);
        let adopted =
            pool.with(|slots| slots.adopt(ConnId(1), to(&id("p")), open(), Side::Local, NOW), close);
        assert!(matches!(adopted, Adopted::Ready(_)));
        let reported = Arc::new(AtomicUsize::new(0));
        let users: Vec<_> = (0..2)
            .map(|_| {
                let (pool, reported) = (pool.clone(), reported.clone());
                let pooled = pool.read(|slots| slots.enter(ConnId(1))).expect("the connection has a slot");
                thread::spawn(move || {
                    if use_up(&pool, &pooled) {
                        reported.fetch_add(1, SeqCst);
                    }
                })
            })
            .collect();
        let in_use = pool.with(Slots::watch_uses, close);
        for user in users {
            user.join().expect("no thread panics");
        }
        assert_eq!(reported.load(SeqCst), usize::from(in_use > 0), "reported once, if there was a use");
        assert_eq!(pool.read(Slots::uses), 0);
    });
}

#[test]
fn loom_just_used_connection_is_not_idle() {
    const IDLE: Duration = Duration::from_mins(1);
    check(|| {
        let (pool, late) = (pool(4), NOW + 2 * IDLE);
        let adopted =
            pool.with(|slots| slots.adopt(ConnId(1), to(&id("p")), open(), Side::Local, NOW), close);
        assert!(matches!(adopted, Adopted::Ready(_)));
        let users: Vec<_> = (0..2)
            .map(|_| {
                let pooled = pool.read(|slots| slots.enter(ConnId(1))).expect("the connection has a slot");
                thread::spawn(move || assert!(!pooled.end(late), "no thread watches for it"))
            })
            .collect();
        let idle = pool.with(|slots| slots.sweep(late, IDLE), close);
        assert_eq!(idle, 0, "it was in use until now");
        for user in users {
            user.join().expect("no thread panics");
        }
        assert_eq!(pool.with(|slots| slots.sweep(late + IDLE, IDLE), close), 1);
    });
}

#[test]
fn loom_given_up_connection_closes_after_its_last_use() {
    check(|| {
        let (pool, conn) = (pool(4), open());
        let adopted =
            pool.with(|slots| slots.adopt(ConnId(1), to(&id("p")), conn.clone(), Side::Local, NOW), close);
        assert!(matches!(adopted, Adopted::Ready(_)));
        let pooled = pool.read(|slots| slots.enter(ConnId(1))).expect("the connection has a slot");
        let user = {
            let pool = pool.clone();
            thread::spawn(move || use_up(&pool, &pooled))
        };
        pool.with(|slots| slots.give_up(ConnId(1), NOW), close);
        user.join().expect("no thread panics");
        assert_eq!(conn.load(SeqCst), CLOSED);
        assert_eq!(total(&pool), 0);
    });
}
