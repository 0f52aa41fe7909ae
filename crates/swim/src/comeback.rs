//! Coming back after having been declared failed (`Mode::Verified`). Who is alive refutes by one claim; but whether it is *well*
//! only it can find out, and a group that takes back at once whom it can hardly reach never comes to rest. So before we
//! refute, we see whether we reach others.
//!
//! ```text
//!   declared failed ──> trial: eight probes of our neighbours at once ──┬─ seven answered, and well for long enough ──> refute
//!                         ^                                             ├─ seven answered ──> again in 5 s
//!                         └──────── 1 s, doubled to a minute ───────────┴─ fewer
//! ```
//!
//! *Long enough* is no time at all at first: who was cut off, or stalled, is back a round trip after it is heard again. Who is
//! declared failed once more within `return_probation` of its return must do well for that long before it returns again.

use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, Tags};

use crate::input::NoReply;
use crate::machine::Machine;
use crate::message::Message;
use crate::queue::Priority;
use crate::requests::Purpose;
use crate::timer::{Timer, TimerKey};

/// How many probes a trial has.
const PROBES: u32 = 8;
/// How many of them may go unanswered.
const MISSED_MAX: u32 = 1;
/// After a trial that failed: connections that have not noticed yet that the network is back are opened anew meanwhile.
const AGAIN: Duration = Duration::from_secs(1);
/// The same after several, each of which doubles it.
const AGAIN_MAX: Duration = Duration::from_mins(1);
/// Between two trials that went well, where we have to do well for a while.
const AGAIN_WELL: Duration = Duration::from_secs(5);

/// How far we are on our way back.
#[derive(Debug, Default)]
pub(crate) struct Comeback {
    /// Since we were declared failed, until we refute.
    out: Option<Out>,
    /// When we last refuted that we had failed.
    returned: Option<Instant>,
    /// Counts the trials.
    trials: u64,
    /// When a probe of ours was last answered.
    answered: Option<Instant>,
    /// When one was answered at last after so long that we may well have been declared failed meanwhile.
    reached_again: Option<Instant>,
}

#[derive(Debug)]
struct Out {
    /// The highest claim that we have failed.
    claimed: Incarnation,
    /// For how long we have to do well.
    probation: Duration,
    /// Since when all trials have gone well.
    well_since: Option<Instant>,
    /// How many trials in a row have gone wrong.
    failed: u32,
    trial: Option<Trial>,
    /// When the trial is over, or when the next one begins.
    timer: Option<TimerKey>,
    /// Tags that were set meanwhile. To state them at once would bring us back without a trial.
    tags: Option<Tags>,
}

/// The trial that is under way.
#[derive(Debug, Clone, Copy)]
struct Trial {
    number: u64,
    begun: Instant,
    open: u32,
    missed: u32,
}

impl Machine {
    /// A probe of ours has been answered.
    pub(crate) fn note_contact(&mut self, now: Instant) {
        let tolerated = self.config.tolerated_pause;
        if self.comeback.answered.is_some_and(|last| now.since(last) > tolerated) {
            self.comeback.reached_again = Some(now);
        }
        self.comeback.answered = Some(now);
    }

    /// Whether a suspicion that we hear of now may be old news: that somebody has declared us failed since, which we would
    /// hear of later, or never, if we refuted the suspicion first. So it is while we are out or reach few, and just after
    /// nobody answered us for long.
    pub(crate) fn may_have_failed(&self, now: Instant) -> bool {
        if self.is_out() || self.reaches_few() {
            return true;
        }
        let longer_ago =
            |at: Option<Instant>| at.is_some_and(|at| now.since(at) > self.config.tolerated_pause);
        let again = self.comeback.reached_again;
        longer_ago(self.comeback.answered) || again.is_some() && !longer_ago(again)
    }

    /// Somebody holds us for failed, at this incarnation.
    pub(crate) fn on_declared_failed(&mut self, now: Instant, claimed: Incarnation) {
        if let Some(out) = &mut self.comeback.out {
            out.claimed = out.claimed.max(claimed);
            return;
        }
        // We were too slow for somebody (Lifeguard, section IV-A).
        self.local_health.raise(1);
        let lately = self.comeback.returned.is_some_and(|at| now.since(at) < self.config.return_probation);
        let probation = if lately { self.config.return_probation } else { Duration::ZERO };
        self.stats.probations += u64::from(lately);
        let (well_since, failed, trial, timer) = (None, 0, None, None);
        self.comeback.out = Some(Out { claimed, probation, well_since, failed, trial, timer, tags: None });
        self.begin_trial(now);
    }

    /// A trial begins, or its time is over.
    pub(crate) fn on_comeback_due(&mut self, now: Instant) {
        match self.comeback.out.as_ref().map(|out| out.trial) {
            Some(None) => self.begin_trial(now),
            // What is still open has not been answered in time.
            Some(Some(Trial { open, missed, begun, .. })) => self.end_trial(now, begun, missed + open),
            None => {}
        }
    }

    fn begin_trial(&mut self, now: Instant) {
        if self.has_left() {
            self.comeback.out = None;
            return;
        }
        let neighbours: Vec<_> =
            self.watch.neighbours().iter().filter_map(|id| self.registry.get(id)).collect();
        let within = self.config.probe_timeout;
        let number = self.comeback.trials;
        self.comeback.trials += 1;
        let mut open = 0;
        for neighbour in neighbours.iter().cycle().take(PROBES as usize) {
            let gossip = self.gossip_for(neighbour);
            self.request(neighbour, Message::Ping { digest: 0, gossip }, Purpose::Comeback(number), within);
            open += 1;
        }
        let timer = self.timers.schedule(now + within, Timer::Comeback);
        if let Some(out) = &mut self.comeback.out {
            (out.timer, out.trial) = (Some(timer), Some(Trial { number, begun: now, open, missed: 0 }));
        }
        if open == 0 {
            // There is nobody on whom we could try it.
            self.end_trial(now, now, 0);
        }
    }

    /// A probe of a trial has been answered, or not. One that a limit of ours prevented says nothing.
    pub(crate) fn on_trial(&mut self, now: Instant, number: u64, unanswered: Option<NoReply>) {
        let Some(out) = &mut self.comeback.out else { return };
        let Some(trial) = out.trial.as_mut().filter(|trial| trial.number == number) else { return };
        trial.open -= 1;
        trial.missed += u32::from(unanswered.is_some_and(|why| why != NoReply::Local));
        let Trial { open, missed, begun, .. } = *trial;
        if missed > MISSED_MAX || missed + open <= MISSED_MAX {
            self.end_trial(now, begun, missed);
        }
    }

    fn end_trial(&mut self, now: Instant, begun: Instant, missed: u32) {
        let Some(out) = &mut self.comeback.out else { return };
        if let Some(timer) = out.timer.take() {
            self.timers.cancel(timer);
        }
        out.trial = None;
        let again = if missed > MISSED_MAX {
            self.stats.trials_failed += 1;
            out.well_since = None;
            out.failed += 1;
            AGAIN.saturating_mul(2_u32.saturating_pow(out.failed - 1)).min(AGAIN_MAX)
        } else {
            out.failed = 0;
            let since = *out.well_since.get_or_insert(begun);
            if now.since(since) >= out.probation {
                return self.come_back(now);
            }
            AGAIN_WELL
        };
        out.timer = Some(self.timers.schedule(now + again, Timer::Comeback));
    }

    /// Keeps new tags until we come back. Returns them if we are not out.
    pub(crate) fn keep_tags(&mut self, tags: Tags) -> Option<Tags> {
        match &mut self.comeback.out {
            Some(out) => {
                out.tags = Some(tags);
                None
            }
            None => Some(tags),
        }
    }

    /// Whether others declared this member failed, as far as it knows, and it has not come back
    /// yet: it refutes once it reaches enough of its neighbours.
    pub fn is_declared_failed(&self) -> bool {
        self.is_out()
    }

    /// Whether we hold that we were declared failed and have not come back yet.
    pub(crate) fn is_out(&self) -> bool {
        self.comeback.out.is_some()
    }

    fn come_back(&mut self, now: Instant) {
        let Some(Out { claimed, tags, .. }) = self.comeback.out.take() else { return };
        self.comeback.returned = Some(now);
        let Some(mine) = self.registry.get(&self.me.id).filter(|_| !self.has_left()) else { return };
        if claimed >= mine.incarnation || tags.is_some() {
            self.stats.refutations += 1;
            self.state_anew(now, claimed.max(mine.incarnation).next(), tags, Priority::Critical);
            // Whoever told us may hold all others for failed, as we may: then there is nobody whom our news would reach.
            self.contact_a_failed_one();
        }
    }
}
